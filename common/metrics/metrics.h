// Prometheus metrics, and the port that serves them.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"
#include "prometheus/registry.h"

namespace homeport {

// Serves a registry as Prometheus text on /metrics, and "ok" on /healthz, over HTTP on its own
// thread pool. Thread-safe. Stops when destroyed.
class MetricsServer {
 public:
  virtual ~MetricsServer() = default;
  // The port that is listened on.
  virtual int port() const = 0;
  // Serves what `source` collects too, for as long as it lives. `source` is asked in any thread.
  virtual void Add(std::weak_ptr<prometheus::Collectable> source) = 0;

  // `address` is "host:port", IPv6 hosts in brackets; port 0 takes a free one. INVALID_ARGUMENT for
  // a bad address; UNAVAILABLE, naming the address, when it can not be listened on.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& address, std::shared_ptr<prometheus::Registry> registry);
};

}  // namespace homeport
