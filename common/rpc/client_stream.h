// A stream of messages to and from another process, seen from the side that calls.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/rpc/stream_queues.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/async_stream.h"

namespace homeport {

// One call of a method with streams both ways. Reactions run on one queue's thread, one at a time,
// and must not wait for others of that queue.
//
// At most one read and one write may be under way; each ends in its reaction, with false if the
// stream has ended. Messages belong to the caller, and stay where they are until then. Operations
// may be started in any thread, from Start() on until OnDone(), which comes last, once, when the
// call has ended, no operation is under way and every hold is given back. The object may be deleted
// in it, and not before.
template <typename Request, typename Response>
class ClientStream {
 public:
  using Stream = grpc::ClientAsyncReaderWriter<Request, Response>;

  ClientStream() = default;
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;
  virtual ~ClientStream() = default;

  // `prepare` makes the call: (context, queue) -> std::unique_ptr<Stream>, not yet started.
  template <typename Prepare>
  void Start(StreamQueues* queues, Prepare prepare) {
    queues_ = queues;
    stream_ = prepare(&context_, queues->Begin()->get());
    stream_->StartCall(&started_event_);
  }
  void StartRead(Response* message) {
    AddHold();
    {
      absl::MutexLock lock(&mutex_);
      if (!readable_) {
        early_read_ = message;
        return;
      }
    }
    stream_->Read(message, &read_event_);
  }
  void StartWrite(const Request* message) {
    AddHold();
    {
      absl::MutexLock lock(&mutex_);
      if (!writable_) {
        early_write_ = message;
        return;
      }
    }
    stream_->Write(*message, &written_event_);
  }
  // While it is held OnDone() does not come, so that operations may be started by others.
  void AddHold() { holds_.fetch_add(1); }
  void RemoveHold() {
    if (holds_.fetch_sub(1) != 1) return;
    StreamQueues* const queues = queues_;
    OnDone(status_);
    queues->End();
  }
  grpc::ClientContext& context() { return context_; }

 protected:
  virtual void OnReadDone(bool ok) = 0;
  virtual void OnWriteDone(bool ok) = 0;
  virtual void OnDone(const grpc::Status& status) = 0;

 private:
  void OnStarted(bool ok) {
    const Request* early_write = nullptr;
    Response* early_read = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      writable_ = true;
      early_write = std::exchange(early_write_, nullptr);
      if (!ok) {
        readable_ = true;
        early_read = std::exchange(early_read_, nullptr);
      }
    }
    if (ok) {
      AddHold();
      stream_->ReadInitialMetadata(&headers_event_);
    } else {
      stream_->Finish(&status_, &finished_event_);
    }
    // Of a call that could not be started these end at once.
    if (early_write != nullptr) stream_->Write(*early_write, &written_event_);
    if (early_read != nullptr) stream_->Read(early_read, &read_event_);
  }
  void OnHeaders(bool) {
    Response* early_read = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      readable_ = true;
      early_read = std::exchange(early_read_, nullptr);
    }
    // From here on gRPC may end the call whenever it is over, whether somebody reads or not.
    stream_->Finish(&status_, &finished_event_);
    if (early_read != nullptr) stream_->Read(early_read, &read_event_);
    RemoveHold();
  }
  void OnRead(bool ok) {
    OnReadDone(ok);
    RemoveHold();
  }
  void OnWritten(bool ok) {
    OnWriteDone(ok);
    RemoveHold();
  }
  void OnFinished(bool) { RemoveHold(); }

  QueueEvent started_event_ = QueueEvent::Of<&ClientStream::OnStarted>(this);
  QueueEvent headers_event_ = QueueEvent::Of<&ClientStream::OnHeaders>(this);
  QueueEvent read_event_ = QueueEvent::Of<&ClientStream::OnRead>(this);
  QueueEvent written_event_ = QueueEvent::Of<&ClientStream::OnWritten>(this);
  QueueEvent finished_event_ = QueueEvent::Of<&ClientStream::OnFinished>(this);

  StreamQueues* queues_ = nullptr;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  grpc::Status status_;
  // Operations under way, the call's end among them, and the caller's own holds.
  std::atomic<int> holds_{1};
  // gRPC takes nothing before the call is started, and of two operations that both bring the
  // headers it refuses the second; so what is started early waits.
  absl::Mutex mutex_;
  bool writable_ ABSL_GUARDED_BY(mutex_) = false;
  bool readable_ ABSL_GUARDED_BY(mutex_) = false;
  const Request* early_write_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Response* early_read_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace homeport
