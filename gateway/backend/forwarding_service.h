// Executes other regions' calls on the local replica: the far end of a RemoteStore.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/stream_server.h"
#include "common/store/record_store.h"
#include "common/time/clock.h"

namespace homeport {

struct ForwardingServiceOptions {
  // Size of the fragments of large answers, and about that of a message.
  size_t fragment_bytes = 64 * 1024;
  size_t message_bytes = 64 * 1024;
  // Calls of one stream under way at most, and bytes of its requests and of its answers not yet
  // sent. A stream that has reached either is not read until it falls below: the caller's own
  // limits then tell its callers. One message may take it over the limit.
  size_t in_flight_max = 16 * 1024;
  size_t in_flight_bytes_max = 64 * 1024 * 1024;
  // One serialized request or answer.
  size_t call_bytes_max = 8 * 1024 * 1024;
  // What a call may take whose caller says nothing, and at most.
  absl::Duration deadline_max = absl::Seconds(60);
  // If set: asked before a request is executed; its error is the answer. Any thread; must not
  // block.
  std::function<absl::Status(const internal::v1::StoreRequest&)> validate;
};

// The Forwarding service over a RecordStore.
//
// Calls are executed as they come, at the same time, and answered in whatever order they end;
// answers that end together share a message, a pong never waits for answers, and a large answer
// never delays a small one. A request that can not be read, or has no operation, gets
// INVALID_ARGUMENT (FIELD_INVALID, request). A caller that breaks the protocol (call 0, a number
// that is under way, limits of FragmentReader, too many fragments) loses its stream with
// INVALID_ARGUMENT, and nobody else anything. When a stream ends, its calls are cancelled; writes
// that have begun go on.
//
// Thread-safe. `clock` and `store` must outlive it; it must outlive the server that it is
// registered with, and the store must have called all `done`s before it goes.
class ForwardingService final : public StreamService {
 public:
  ForwardingService(const Clock* clock, RecordStore* store, ForwardingServiceOptions options);
  ~ForwardingService() override;
  ForwardingService(const ForwardingService&) = delete;
  ForwardingService& operator=(const ForwardingService&) = delete;

  grpc::Service* service() override;
  void Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) override;

  // Tells every caller that this process will stop: they finish what they have under way, leave and
  // send nothing new. New streams are refused (UNAVAILABLE). Can not be undone.
  void Drain();
  // Waits until every call is answered and every caller has left, at most `timeout`; true if so.
  bool WaitIdle(absl::Duration timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport
