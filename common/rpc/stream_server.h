// A gRPC server of nothing but long-lived streams: the port that other regions reach.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/stream_queues.h"

namespace grpc {
class ServerCompletionQueue;
class Service;
}  // namespace grpc

namespace homeport {

// What is served: an asynchronous gRPC service whose calls are ServerStreams.
class StreamService {
 public:
  virtual ~StreamService() = default;
  // To be registered with a server; owned by this.
  virtual grpc::Service* service() = 0;
  // Asks for calls, whose arrival `arrivals` tells and whose events come on `queues`. Both outlive
  // the calls.
  virtual void Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) = 0;
};

// Serves from Start() until Shutdown(). Thread-safe.
class StreamServer {
 public:
  virtual ~StreamServer() = default;
  // `services` and `queues` must outlive the server. Port 0 takes a free one. UNAVAILABLE
  // (LISTEN_FAILED), naming the address, when it can not be listened on. Without transport
  // security.
  static absl::StatusOr<std::unique_ptr<StreamServer>> Start(
      const std::string& address, const std::vector<StreamService*>& services,
      StreamQueues* queues);
  // The port that is listened on.
  virtual int port() const = 0;
  // Waits up to `grace` for calls, then cancels the rest. Not on a queue's thread. Idempotent.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace homeport
