// A stream of messages from and to another process, seen from the side that is called.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "common/rpc/stream_queues.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_stream.h"

namespace homeport {

// One call of a method with streams both ways. Reactions run on one queue's thread, one at a time,
// and must not wait for others of that queue.
//
// At most one read and one write may be under way; each ends in its reaction, with false if the
// stream has ended. Messages belong to the one who starts the operation, and stay where they are
// until then. Operations may be started in any thread from OnStart() on, and none after Finish(),
// which has to be called once, also when the caller has left. Then OnDone() comes, last, and the
// object may be deleted in it.
template <typename Request, typename Response>
class ServerStream {
 public:
  using Stream = grpc::ServerAsyncReaderWriter<Response, Request>;

  ServerStream() : grpc_call_(std::make_unique<GrpcCall>()) {}
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;
  virtual ~ServerStream() = default;

  // Waits for a call: `ask` is given (context, stream, queue, tag), and asks the service for one.
  template <typename Ask>
  void Post(StreamQueues* queues, Ask ask) {
    queues_ = queues;
    queue_ = queues->Begin();
    grpc_call_->context.AsyncNotifyWhenDone(&over_event_);
    ask(&grpc_call_->context, &grpc_call_->stream, queue_->get(), &arrived_event_);
  }
  void StartSendInitialMetadata() {
    operations_.fetch_add(1);
    grpc_call_->stream.SendInitialMetadata(&headers_event_);
  }
  void StartRead(Request* message) {
    operations_.fetch_add(1);
    grpc_call_->stream.Read(message, &read_event_);
  }
  void StartWrite(const Response* message) {
    operations_.fetch_add(1);
    grpc_call_->stream.Write(*message, &written_event_);
  }
  void Finish(const grpc::Status& status) { grpc_call_->stream.Finish(status, &finished_event_); }

 protected:
  // A call has come; or, with false, none will come any more, and no other reaction follows.
  virtual void OnArrival(bool ok) = 0;
  virtual void OnReadDone(bool ok) = 0;
  virtual void OnWriteDone(bool ok) = 0;
  // The caller has left, or the call was cancelled.
  virtual void OnCancel() = 0;
  virtual void OnDone() = 0;

 private:
  struct GrpcCall {
    grpc::ServerContext context;
    Stream stream{&context};
  };

  void OnArrived(bool ok) {
    if (ok) {
      // This is the thread that looks after arrivals; the call's own goes on.
      return hop_.Set(queue_->get(), std::chrono::system_clock::time_point(), &begun_event_);
    }
    StreamQueues* const queues = queues_;
    OnArrival(false);
    queues->End();
  }
  void OnBegun(bool) {
    OnArrival(true);
    has_begun_ = true;
    if (is_over_) OnOver(true);
  }
  void OnHeaders(bool) { Ended(); }
  void OnRead(bool ok) {
    OnReadDone(ok);
    Ended();
  }
  void OnWritten(bool ok) {
    OnWriteDone(ok);
    Ended();
  }
  void OnFinished(bool) { Ended(); }
  void OnOver(bool) {
    // The caller may leave before the call was seen.
    is_over_ = true;
    if (!has_begun_) return;
    if (grpc_call_->context.IsCancelled()) OnCancel();
    Ended();
  }
  void Ended() {
    if (operations_.fetch_sub(1) != 1) return;
    StreamQueues* const queues = queues_;
    // A server that shuts down waits for it, and the object may stay.
    grpc_call_ = nullptr;
    OnDone();
    queues->End();
  }

  QueueEvent arrived_event_ = QueueEvent::Of<&ServerStream::OnArrived>(this);
  QueueEvent begun_event_ = QueueEvent::Of<&ServerStream::OnBegun>(this);
  QueueEvent headers_event_ = QueueEvent::Of<&ServerStream::OnHeaders>(this);
  QueueEvent read_event_ = QueueEvent::Of<&ServerStream::OnRead>(this);
  QueueEvent written_event_ = QueueEvent::Of<&ServerStream::OnWritten>(this);
  QueueEvent finished_event_ = QueueEvent::Of<&ServerStream::OnFinished>(this);
  QueueEvent over_event_ = QueueEvent::Of<&ServerStream::OnOver>(this);

  StreamQueues* queues_ = nullptr;
  CallQueue* queue_ = nullptr;
  grpc::Alarm hop_;
  bool has_begun_ = false;
  bool is_over_ = false;
  std::unique_ptr<GrpcCall> grpc_call_;
  // Under way; the call's end and Finish() are two from the beginning.
  std::atomic<int> operations_{2};
};

}  // namespace homeport
