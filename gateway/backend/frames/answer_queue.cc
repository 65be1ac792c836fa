#include "gateway/backend/frames/answer_queue.h"

#include <utility>

#include "common/status/error.h"

namespace homeport {

using internal::v1::CallError;
using internal::v1::ExchangeResponse;
using internal::v1::Fragment;

void AnswerQueue::AddError(uint64_t call, const absl::Status& status) {
  CallError& error = errors_.emplace_back();
  error.set_call(call);
  *error.mutable_status() = ToRpcStatus(status);
  error_bytes_ += error.ByteSizeLong();
}

void AnswerQueue::Drain() {
  drain_unsaid_ = !draining_;
  draining_ = true;
}

void AnswerQueue::Fill(ExchangeResponse* message) {
  message->Clear();
  if (pong_ != 0 && freshness_.writers_size() > 0)
    *message->mutable_freshness() = std::move(freshness_);
  message->set_pong(std::exchange(pong_, 0));
  message->set_draining(draining_);
  drain_unsaid_ = false;
  size_t used = 0;
  while (!errors_.empty() && used < message_bytes_) {
    const size_t bytes = errors_.front().ByteSizeLong();
    *message->add_errors() = std::move(errors_.front());
    errors_.pop_front();
    error_bytes_ -= bytes;
    used += bytes;
  }
  answers_.Fill(used, message->mutable_fragments(), [](Fragment*, bool, bool) { return true; });
}

}  // namespace homeport
