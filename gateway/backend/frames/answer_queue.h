// What a replica has to say on one stream.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gateway/backend/frames/fragment_writer.h"
#include "homeport/internal/v1/forwarding.pb.h"

namespace homeport {

// Answers, errors, pongs and the news that the process drains, waiting for the stream. Each message
// has the pong first, then errors, then answers. Thread-compatible.
class AnswerQueue {
 public:
  AnswerQueue(size_t fragment_bytes, size_t message_bytes)
      : message_bytes_(message_bytes), answers_(fragment_bytes, message_bytes) {}

  void AddAnswer(uint64_t call, std::string serialized) {
    answers_.Add(call, std::move(serialized));
  }
  void AddError(uint64_t call, const absl::Status& status);
  // Answers ping number `ping`; a later one replaces an earlier one that has not gone out.
  // `freshness` goes with it.
  void Pong(uint64_t ping, internal::v1::StoreFreshness freshness) {
    pong_ = ping;
    freshness_ = std::move(freshness);
  }
  // The next message, even if it has nothing else, says that the process drains; so do all later.
  void Drain();
  // Nobody waits for `call`: what is left of a large answer is not sent.
  void Drop(uint64_t call) { answers_.DropLarge(call); }

  bool empty() const { return answers_.empty() && errors_.empty() && pong_ == 0 && !drain_unsaid_; }
  // Bytes waiting, of answers and errors.
  size_t bytes() const { return answers_.bytes() + error_bytes_; }
  // Replaces `message` with the next one.
  void Fill(internal::v1::ExchangeResponse* message);

 private:
  const size_t message_bytes_;
  FragmentWriter answers_;
  std::deque<internal::v1::CallError> errors_;
  size_t error_bytes_ = 0;
  uint64_t pong_ = 0;
  internal::v1::StoreFreshness freshness_;
  bool draining_ = false;
  bool drain_unsaid_ = false;
};

}  // namespace homeport
