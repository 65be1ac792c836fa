#include "client/demo/load.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr uint64_t kItemsPerRecord = 50;
constexpr size_t kErrorsMax = 5;

bool IsIndefinite(const absl::Status& status) {
  return status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kUnknown ||
         (status.code() == absl::StatusCode::kUnavailable &&
          (ReasonOf(status).empty() || ReasonOf(status) == reason::kOutcomeUnknown));
}

void AddError(std::vector<std::string>& errors, const std::string& error) {
  if (errors.size() < kErrorsMax &&
      std::find(errors.begin(), errors.end(), error) == errors.end()) {
    errors.push_back(error);
  }
}

}  // namespace

Writer::Writer(std::string name_space, std::string name, GatewayClient* first,
               GatewayClient* second, absl::Duration pause)
    : name_space_(std::move(name_space)),
      name_(std::move(name)),
      first_(first),
      second_(second),
      pause_(pause) {
  thread_ = std::thread([this] { Run(); });
}

LoadResult Writer::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return result_;
}

void Writer::Run() {
  for (uint64_t number = 0; !stopping_; ++number) {
    if (use_second_ && may_return_ && first_->Connect().ok()) {
      use_second_ = false;
      ++result_.returns;
    }
    Step(number);
    absl::SleepFor(pause_);
  }
}

void Writer::NoteError(absl::string_view what, const absl::Status& status) {
  AddError(result_.errors,
           absl::StrCat(name_, ": ", what, ": ", absl::StatusCodeToString(status.code()), " ",
                        ReasonOf(status), ": ", status.message()));
}

void Writer::MoveOn() {
  if (second_ == nullptr || use_second_) return;
  use_second_ = true;
  ++result_.moves;
}

void Writer::Step(uint64_t number) {
  GatewayClient& gateway = use_second_ ? *second_ : *first_;
  v1::PutRequest put;
  put.set_namespace_(name_space_);
  put.set_id(absl::StrCat(name_, "/", number / kItemsPerRecord));
  put.set_key(absl::StrFormat("%06d", number));
  put.set_value(absl::StrCat("write ", number, " of ", name_));
  put.mutable_options()->set_request_id(NewRequestId());
  put.mutable_options()->set_session_token(session_token_);
  const absl::Time sent = absl::Now();
  auto written = gateway.Put(put);
  if (!written.ok()) {
    ++(IsIndefinite(written.status()) ? result_.unknown : result_.failed);
    NoteError("write", written.status());
    MoveOn();
    return;
  }
  ++result_.writes;
  result_.slowest = std::max(result_.slowest, absl::Now() - sent);
  if (written->provenance().reason() == v1::ROUTE_REASON_FAILOVER) ++result_.failovers;
  session_token_ = written->session_token();
  result_.acknowledged[{name_space_, put.id(), put.key()}] = {
      put.value(), written->version().hybrid_time(), written->version().origin()};

  v1::GetRequest get;
  get.set_namespace_(name_space_);
  get.set_id(put.id());
  get.set_key(put.key());
  get.mutable_options()->set_session_token(session_token_);
  auto read = gateway.Get(get);
  if (!read.ok()) {
    ++result_.failed;
    NoteError("read", read.status());
    MoveOn();
    return;
  }
  session_token_ = read->session_token();
  ++(read->item().value() == put.value() ? result_.reads : result_.wrong);
}

LoadResult Sum(const std::vector<LoadResult>& results) {
  LoadResult sum;
  for (const LoadResult& r : results) {
    sum.writes += r.writes;
    sum.reads += r.reads;
    sum.failovers += r.failovers;
    sum.failed += r.failed;
    sum.unknown += r.unknown;
    sum.wrong += r.wrong;
    sum.moves += r.moves;
    sum.returns += r.returns;
    sum.slowest = std::max(sum.slowest, r.slowest);
    for (const std::string& error : r.errors) AddError(sum.errors, error);
    sum.acknowledged.insert(r.acknowledged.begin(), r.acknowledged.end());
  }
  return sum;
}

}  // namespace homeport
