#include "gateway/server/rpc/call_queue.h"

#include <utility>

#include "common/base/check.h"

namespace homeport {

CallQueue::CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : queue_(std::move(queue)) {}

CallQueue::~CallQueue() { HP_CHECK(!thread_.joinable()); }

void CallQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void CallQueue::Stop() {
  stopping_.store(true);
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](CallQueue* self) { return self->calls_.load() == 0; }, this));
  }
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
