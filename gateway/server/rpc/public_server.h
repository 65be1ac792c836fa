// The gateway's public gRPC server: KeyValue, Locator, Admin, health and reflection.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/call_queue.h"
#include "gateway/server/admin_status.h"
#include "gateway/server/gateway.h"
#include "prometheus/registry.h"

namespace homeport {

struct PublicServerOptions {
  // "host:port", IPv6 hosts in brackets; port 0 takes a free one. Without transport security.
  std::string address;
  // Completion queues, each with a thread of its own; 0: one a core.
  int threads = 0;
  // KeyValue requests in flight at most; one more is RESOURCE_EXHAUSTED (OVERLOADED).
  int in_flight_max = 8192;
  // Bytes of answers that wait for their clients to read them at most; beyond it answers of more
  // than 16 KiB are RESOURCE_EXHAUSTED (OVERLOADED).
  size_t answer_bytes_max = 512 * 1024 * 1024;
  // Requests that take longer are logged, at debug level, as failed ones are.
  absl::Duration slow_request = absl::Seconds(1);
  // How often the state that a health watch reports is looked at.
  absl::Duration health_watch_interval = absl::Milliseconds(500);
  // Health watches at once at most; one more is RESOURCE_EXHAUSTED (OVERLOADED).
  int health_watches_max = 1024;
};

// A message of a client at most; a longer one is RESOURCE_EXHAUSTED before it is read. The largest
// mutation and its options fit, so that exceeding a request's own limits is answered by naming
// them.
inline constexpr int kRequestMessageBytesMax = 5 * 1024 * 1024;
// The headers of a request at most, all together.
inline constexpr int kRequestHeadersBytesMax = 16 * 1024;

// Listens from Listen(), serves from Serve() until Shutdown(). Thread-safe.
//
// Requests run on the queues' threads: a local read is answered where it was received, without any
// hand-over. Errors carry a google.rpc.Status with an ErrorInfo in `grpc-status-details-bin`.
class PublicServer {
 public:
  // Shuts down without waiting for requests, and ends the queues: nothing else may use them then.
  virtual ~PublicServer() = default;

  // `gateway` must outlive the server. UNAVAILABLE LISTEN_FAILED (address) when the address can not
  // be listened on. Registers its metrics (homeport_gateway_*) with `registry`.
  static absl::StatusOr<std::unique_ptr<PublicServer>> Listen(
      const PublicServerOptions& options, Gateway* gateway, StatusSource status,
      std::shared_ptr<prometheus::Registry> registry);

  // Takes requests; those that came before have waited. Once.
  virtual void Serve() = 0;
  // The queues on which requests are served, running from Listen() on: for streams that are to be
  // served by the same threads.
  virtual std::vector<CallQueue*> queues() = 0;
  // The port that is listened on.
  virtual int port() const = 0;
  // Health checks say "not serving" from now on; requests are still taken.
  virtual void BeginDrain() = 0;
  // Takes no more connections and requests, waits up to `grace` for requests in flight, cancels the
  // rest, and returns when all are answered. Later calls do nothing.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace homeport
