#include "common/rpc/call_queue.h"

#include <utility>

#include "common/base/check.h"

namespace homeport {
namespace {

thread_local bool is_queue_thread = false;

}  // namespace

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue) : arrivals_(queue.get()) {
  queue_ = std::move(queue);
}

CallQueue::CallQueue(std::unique_ptr<grpc::CompletionQueue> queue) : queue_(std::move(queue)) {}

CallQueue::~CallQueue() { HP_CHECK(!thread_.joinable()); }

bool CallQueue::IsQueueThread() { return is_queue_thread; }

void CallQueue::Start() {
  thread_ = std::thread([this] {
    is_queue_thread = true;
    Run();
  });
}

bool CallQueue::WaitForCalls(absl::Duration patience) {
  stopping_.store(true);
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(
      absl::Condition(
          +[](CallQueue* self) { return self->calls_.load() == 0; }, this),
      patience);
}

void CallQueue::Stop() {
  if (stopped_) return;
  stopped_ = true;
  WaitForCalls();
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    Run();  // a queue must be drained also when it was never served
  }
}

void CallQueue::RemoveCall() {
  if (calls_.fetch_sub(1) == 1 && stopping_.load()) {
    absl::MutexLock lock(&mutex_);
  }
}

void CallQueue::Run() {
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) static_cast<const QueueEvent*>(tag)->Happen(ok);
}

}  // namespace homeport
