#include "gateway/backend/frames/call_table.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "gateway/backend/frames/freshness_frame.h"

namespace homeport {
namespace {

using internal::v1::CallError;
using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::Fragment;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// Ended calls may stay in the heap of deadlines until they are this many and more than the live.
constexpr size_t kStaleDeadlinesMax = 1024;

absl::Status DeadlineError(absl::string_view replica, absl::string_view waited_for) {
  return MakeError(absl::StatusCode::kDeadlineExceeded, reason::kDeadline,
                   absl::StrCat("replica ", replica, " has not answered before the deadline"),
                   {{"waited_for", std::string(waited_for)}, {"replica", std::string(replica)}});
}

// The result that belongs to an operation.
StoreResponse::ResultCase ResultOf(StoreRequest::OperationCase kind) {
  switch (kind) {
    case StoreRequest::kGet:
      return StoreResponse::kGet;
    case StoreRequest::kBatchGet:
      return StoreResponse::kBatchGet;
    case StoreRequest::kMutate:
      return StoreResponse::kMutate;
    case StoreRequest::kListItems:
      return StoreResponse::kListItems;
    case StoreRequest::kListRecords:
      return StoreResponse::kListRecords;
    case StoreRequest::OPERATION_NOT_SET:
      break;
  }
  return StoreResponse::RESULT_NOT_SET;
}

}  // namespace

void Completion::Run() {
  if (response_ != nullptr) {
    const std::string& answer = answer_ != nullptr ? *answer_ : owned_;
    if (!response_->ParseFromString(answer) || response_->result_case() != ResultOf(kind_) ||
        response_->result_case() == StoreResponse::RESULT_NOT_SET) {
      status_ = MakeError(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown,
                          "the replica's answer can not be read, or is another operation's");
    }
  }
  RecordStore::Done done = std::move(done_);
  done(std::move(status_));
}

CallTable::CallTable(CallTableOptions options)
    : options_(std::move(options)),
      writer_(options_.fragment_bytes, options_.message_bytes),
      reader_(options_.assembly) {}

void CallTable::OnStreamStarted(SteadyTime now) {
  state_ = State::kStarting;
  heard_at_ = now;
  ping_due_at_ = now;
  ping_due_ = true;
  ping_under_way_ = false;
  next_ping_at_ = absl::InfiniteDuration();
}

void CallTable::OnStreamEnded(absl::string_view reason, Outcome* outcome) {
  outcome->completions.reserve(outcome->completions.size() + calls_.size());
  for (auto& [id, call] : calls_) {
    absl::Status status = call.sent
                              ? MakeError(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown,
                                          absl::StrCat("the stream to replica ", options_.replica,
                                                       " ended before the answer: ", reason),
                                          {{"replica", options_.replica}})
                              : MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable,
                                          absl::StrCat("the stream to replica ", options_.replica,
                                                       " ended before the call was sent: ", reason),
                                          {{"replica", options_.replica}});
    outcome->completions.emplace_back(std::move(call.done), std::move(status));
  }
  calls_.clear();
  call_bytes_ = 0;
  deadlines_.clear();
  writer_.Clear();
  reader_.Clear();
  cancelled_.clear();
  ping_due_ = ping_under_way_ = false;
  next_ping_at_ = absl::InfiniteDuration();
  state_ = State::kDown;
}

absl::StatusOr<uint64_t> CallTable::Begin(SteadyTime now, Call* call) {
  if (state_ != State::kUp) {
    if (was_draining_) {
      return MakeError(absl::StatusCode::kUnavailable, reason::kDraining,
                       absl::StrCat("replica ", options_.replica, " is about to stop"),
                       {{"replica", options_.replica}});
    }
    return MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable,
                     absl::StrCat("there is no stream to replica ", options_.replica),
                     {{"replica", options_.replica}});
  }
  const size_t bytes = call->serialized.size();
  if (bytes > options_.assembly.call_bytes_max) {
    return LimitError("request", options_.assembly.call_bytes_max, bytes, "bytes");
  }
  if (calls_.size() >= options_.in_flight_max) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                     absl::StrCat(calls_.size(), " calls are under way at replica ",
                                  options_.replica, ", the most allowed"),
                     {{"what", "calls"}, {"replica", options_.replica}});
  }
  // Bytes of calls that have ended may still wait to be written.
  if (std::max(call_bytes_, writer_.bytes()) + bytes > options_.in_flight_bytes_max) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                     absl::StrCat("the calls under way at replica ", options_.replica,
                                  " have reached ", options_.in_flight_bytes_max, " bytes"),
                     {{"what", "bytes"}, {"replica", options_.replica}});
  }
  if (call->deadline <= now) return DeadlineError(options_.replica, "stream");
  const uint64_t id = ++last_call_;
  call_bytes_ += bytes;
  calls_.try_emplace(id, InFlight{call->deadline, call->kind, call->response, std::move(call->done),
                                  bytes, false, false});
  if (call->deadline != absl::InfiniteDuration()) PushDeadline(call->deadline, id);
  writer_.Add(id, std::move(call->serialized));
  return id;
}

RecordStore::Done CallTable::Take(Calls::iterator it, bool answered) {
  if (it->second.begun && !(answered && it->second.sent)) cancelled_.push_back(it->first);
  if (!it->second.sent) writer_.DropLarge(it->first);
  reader_.Drop(it->first);
  call_bytes_ -= it->second.bytes;
  RecordStore::Done done = std::move(it->second.done);
  calls_.erase(it);
  return done;
}

void CallTable::Cancel(uint64_t call, Outcome* outcome) {
  auto it = calls_.find(call);
  if (it == calls_.end()) return;
  outcome->completions.emplace_back(Take(it, false),
                                    absl::CancelledError("the caller does not wait any more"));
}

bool CallTable::HasOutput() const {
  return state_ != State::kDown && (ping_due_ || !cancelled_.empty() || !writer_.empty());
}

bool CallTable::StampFragment(SteadyTime now, Fragment* fragment, bool first, bool last) {
  auto it = calls_.find(fragment->call());
  if (it == calls_.end()) return false;
  it->second.sent = last;
  if (!first) return true;
  it->second.begun = true;
  if (it->second.deadline != absl::InfiniteDuration()) {
    // The replica is told when it must have answered for the answer to be in time: an answer that
    // says why it was late is worth more than silence.
    const absl::Duration left = it->second.deadline - now;
    const absl::Duration usable = left - std::min(round_trip_, left / 2);
    fragment->set_deadline_micros(
        static_cast<uint64_t>(std::max<int64_t>(1, absl::ToInt64Microseconds(usable))));
  }
  return true;
}

void CallTable::Fill(SteadyTime now, ExchangeRequest* message) {
  message->Clear();
  if (ping_due_) {
    ping_due_ = false;
    ping_under_way_ = true;
    ping_sent_at_ = now;
    message->set_ping(++last_ping_);
  }
  const size_t count = std::min<size_t>(cancelled_.size(), kCancelledPerMessageMax);
  message->mutable_cancelled()->Add(cancelled_.begin(), cancelled_.begin() + count);
  cancelled_.erase(cancelled_.begin(), cancelled_.begin() + count);
  writer_.Fill(count * 10, message->mutable_fragments(),
               [this, now](Fragment* fragment, bool first, bool last) {
                 return StampFragment(now, fragment, first, last);
               });
}

absl::Status CallTable::OnFragment(SteadyTime now, Fragment* fragment, Outcome* outcome) {
  auto it = calls_.find(fragment->call());
  // Answers to calls that have ended here are on their way for a while.
  if (it == calls_.end()) return absl::OkStatus();
  auto assembled = reader_.Add(now, fragment);
  if (!assembled.ok()) return assembled.status();
  if (assembled->data == nullptr) return absl::OkStatus();
  const StoreRequest::OperationCase kind = it->second.kind;
  StoreResponse* const response = it->second.response;
  RecordStore::Done done = Take(it, true);
  if (assembled->data == fragment->mutable_data()) {
    outcome->completions.emplace_back(std::move(done), response, kind, assembled->data);
  } else {
    outcome->completions.emplace_back(std::move(done), response, kind, std::move(*assembled->data));
  }
  return absl::OkStatus();
}

absl::Status CallTable::OnMessage(SteadyTime now, ExchangeResponse* message, Outcome* outcome) {
  heard_at_ = now;
  if (message->pong() != 0 && ping_under_way_ && message->pong() == last_ping_) {
    ping_under_way_ = false;
    next_ping_at_ = now + options_.ping_interval;
    round_trip_ = now - ping_sent_at_;
    outcome->round_trip = round_trip_;
    if (message->has_freshness()) outcome->freshness = FreshnessFromWire(message->freshness(), now);
    if (state_ == State::kStarting && !message->draining()) {
      state_ = State::kUp;
      was_draining_ = false;
      outcome->came_up = true;
    }
  }
  if (message->draining()) {
    state_ = State::kDraining;
    was_draining_ = true;
  }
  outcome->completions.reserve(outcome->completions.size() + message->fragments_size() +
                               message->errors_size());
  for (const CallError& error : message->errors()) {
    auto it = calls_.find(error.call());
    if (it == calls_.end()) continue;
    absl::Status status = FromRpcStatus(error.status());
    if (status.ok()) return FieldError("errors.status", "is OK");
    outcome->completions.emplace_back(Take(it, true), std::move(status));
  }
  for (Fragment& fragment : *message->mutable_fragments()) {
    absl::Status status = OnFragment(now, &fragment, outcome);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void CallTable::PushDeadline(SteadyTime deadline, uint64_t call) {
  if (deadlines_.size() > 2 * calls_.size() + kStaleDeadlinesMax) {
    deadlines_.erase(
        std::remove_if(deadlines_.begin(), deadlines_.end(),
                       [this](const auto& entry) { return !calls_.contains(entry.second); }),
        deadlines_.end());
    std::make_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
  }
  deadlines_.emplace_back(deadline, call);
  std::push_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
}

void CallTable::OnTick(SteadyTime now, Outcome* outcome) {
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    auto it = calls_.find(deadlines_.front().second);
    std::pop_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
    deadlines_.pop_back();
    if (it == calls_.end()) continue;
    absl::Status status = DeadlineError(options_.replica, it->second.sent ? "replica" : "stream");
    outcome->completions.emplace_back(Take(it, false), std::move(status));
  }
  if (state_ == State::kDown) return;
  if (now >= next_ping_at_) {
    ping_due_ = true;
    ping_due_at_ = now;
    next_ping_at_ = absl::InfiniteDuration();
  }
  // A replica that answers calls is alive, even when it takes pings late because it is busy.
  if ((ping_due_ || ping_under_way_) &&
      now >= std::max(ping_due_at_, heard_at_) + options_.ping_timeout) {
    outcome->is_silent = true;
  }
}

SteadyTime CallTable::next_tick() const {
  SteadyTime next = deadlines_.empty() ? absl::InfiniteDuration() : deadlines_.front().first;
  if (state_ == State::kDown) return next;
  next = std::min(next, next_ping_at_);
  if (ping_due_ || ping_under_way_) {
    next = std::min(next, std::max(ping_due_at_, heard_at_) + options_.ping_timeout);
  }
  return next;
}

}  // namespace homeport
