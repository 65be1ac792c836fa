// The port that other regions reach: replication and forwarding.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grpc {
class Service;
}

namespace homeport {

// Serves from Start() until Shutdown(). Thread-safe.
class InternalServer {
 public:
  virtual ~InternalServer() = default;
  // `services` must outlive the server. UNAVAILABLE (LISTEN_FAILED), naming the address, when it
  // can not be listened on. Without transport security.
  static absl::StatusOr<std::unique_ptr<InternalServer>> Start(
      const std::string& address, const std::vector<grpc::Service*>& services);
  // The port that is listened on.
  virtual int port() const = 0;
  // Waits up to `grace` for calls, then cancels the rest.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace homeport
