// Unary calls on completion queues, as bytes: posting them, answering them, using them again.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/call_queue.h"
#include "common/store/cancellation.h"
#include "gateway/server/gateway.h"
#include "gateway/server/rpc/server_metrics.h"
#include "google/protobuf/arena.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/byte_buffer.h"

namespace homeport {

// What all calls of a server share. Thread-safe.
struct ServerShared {
  ServerShared(Gateway* gateway_in, std::shared_ptr<prometheus::Registry> registry)
      : gateway(gateway_in), metrics(std::move(registry)) {}

  Gateway* const gateway;
  ServerMetrics metrics;
  int in_flight_max = 0;
  size_t answer_bytes_max = 0;
  absl::Duration slow_request;
  std::atomic<int> in_flight{0};
  // Of answers that gRPC has not sent: a client that does not read leaves them there.
  std::atomic<size_t> answer_bytes{0};
  // Set before the server shuts down: no calls are posted any more.
  std::atomic<bool> stopping{false};
};

// What an overloaded server asks its clients to wait for.
inline constexpr absl::Duration kOverloadedRetryDelay = absl::Milliseconds(100);

class UnaryCall;
using UnaryWriter = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;

// One method of a service. Immutable once calls are posted; shared by all queues.
class UnaryMethod {
 public:
  explicit UnaryMethod(ServerMetrics::Method metrics) : metrics_(std::move(metrics)) {}
  virtual ~UnaryMethod() = default;

  // Asks gRPC for the next call of the method.
  virtual void Request(grpc::ServerContext* context, grpc::ByteBuffer* request, UnaryWriter* writer,
                       grpc::ServerCompletionQueue* queue, void* tag) = 0;
  // Must lead to one call of Reply() or Fail(), in any thread.
  virtual void Handle(UnaryCall* call) = 0;

  const ServerMetrics::Method& metrics() const { return metrics_; }

 private:
  const ServerMetrics::Method metrics_;
};

class UnaryPool;

// One call, from being posted to its last event. Events come on the queue's thread; Reply() and
// Fail() may be called in any thread, one of them once, and the call must not be touched after.
class UnaryCall {
 public:
  explicit UnaryCall(UnaryPool* pool);

  // Waits for a request.
  void Post();

  grpc::ServerContext& context() { return *context_; }
  grpc::ByteBuffer* request() { return &request_; }
  // For the messages of this call.
  google::protobuf::Arena* arena() { return &arena_; }
  GatewayCall& gateway_call() { return gateway_call_; }
  // The caller's deadline on the steady clock; InfiniteDuration if it has none.
  SteadyTime Deadline() const;
  const std::shared_ptr<Cancellation>& cancellation() const { return cancellation_; }
  // Counts against the server's limit of requests in flight until it is answered. False if the
  // limit is reached; the call must then be failed.
  bool EnterInFlight();

  void Reply(const grpc::ByteBuffer& response);
  void Fail(const absl::Status& status);
  // Lets go of everything that belongs to the request; after the last event.
  void Clear();

 private:
  void OnRequest(bool ok);
  void OnFinish(bool ok);
  void OnDone(bool ok);
  void ReleaseIfOver();
  void Account(const absl::Status& status);

  // Small requests and their answers need no memory beyond this.
  static constexpr size_t kArenaBytes = 2048;

  UnaryPool* const pool_;
  QueueEvent request_event_ = QueueEvent::Of<&UnaryCall::OnRequest>(this);
  QueueEvent finish_event_ = QueueEvent::Of<&UnaryCall::OnFinish>(this);
  QueueEvent done_event_ = QueueEvent::Of<&UnaryCall::OnDone>(this);

  alignas(std::max_align_t) char arena_block_[kArenaBytes];
  google::protobuf::Arena arena_;
  // gRPC's context and writer serve one call only.
  std::optional<grpc::ServerContext> context_;
  std::optional<UnaryWriter> writer_;
  grpc::ByteBuffer request_;
  GatewayCall gateway_call_;
  std::shared_ptr<Cancellation> cancellation_;
  SteadyTime started_;
  size_t answer_bytes_ = 0;
  bool in_flight_ = false;
  bool finished_ = false;
  bool done_ = false;
};

// The calls of one method on one queue: keeps `posted` of them waiting for requests while others
// are on their way. Used on the queue's thread only, and before that thread starts.
class UnaryPool {
 public:
  UnaryPool(ServerShared* shared, UnaryMethod* method, CallQueue* queue, int posted);

  // Posts calls up to the number wanted, unless the server stops.
  void Fill();

  ServerShared& shared() { return *shared_; }
  UnaryMethod& method() { return *method_; }
  CallQueue& queue() { return *queue_; }
  void OnTaken() { --posted_; }
  void Release(UnaryCall* call);

 private:
  ServerShared* const shared_;
  UnaryMethod* const method_;
  CallQueue* const queue_;
  const int posted_wanted_;
  int posted_ = 0;
  std::vector<std::unique_ptr<UnaryCall>> idle_;
};

}  // namespace homeport
