#include "common/rpc/stream_queues.h"

namespace homeport {

StreamQueues::StreamQueues(int threads) {
  for (int i = 0; i < threads; ++i) {
    own_.push_back(std::make_unique<CallQueue>(std::make_unique<grpc::CompletionQueue>()));
    queues_.push_back(own_.back().get());
    own_.back()->Start();
  }
}

StreamQueues::~StreamQueues() {
  WaitForStreams();
  for (const auto& queue : own_) queue->Stop();
}

CallQueue* StreamQueues::Begin() {
  absl::MutexLock lock(&mutex_);
  ++streams_;
  return queues_[next_++ % queues_.size()];
}

void StreamQueues::End() {
  absl::MutexLock lock(&mutex_);
  --streams_;
}

void StreamQueues::WaitForStreams() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](int64_t* streams) { return *streams == 0; }, &streams_));
}

}  // namespace homeport
