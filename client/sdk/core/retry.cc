#include "client/sdk/core/retry.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/error.h"
#include "google/rpc/error_details.pb.h"

namespace homeport::sdk {
namespace {

constexpr absl::string_view kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

// How an attempt ended, as far as a retry is concerned.
enum class End {
  kFinal,       // an answer, or a refusal that would be the same again
  kBusy,        // refused before anything was done; the same gateway may take it later
  kTurnedAway,  // refused before anything was done; another gateway may take it
  kNotSent,
  kUnanswered,  // the gateway broke off, or had no time
  kBroken,      // the server failed in the middle: a write may stand or not
};

End EndOf(const absl::Status& status, bool sent) {
  if (status.ok()) return End::kFinal;
  if (!sent) return End::kNotSent;
  const std::string reason = ReasonOf(status);
  if (reason == reason::kDraining || reason == reason::kNoRegion ||
      reason == reason::kUnreachable) {
    return End::kTurnedAway;
  }
  if (reason == reason::kOutcomeUnknown) return End::kBroken;
  if (reason == reason::kOverloaded) return End::kBusy;
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return RetryDelayOf(status) ? End::kBusy : End::kFinal;
    case absl::StatusCode::kUnavailable:
      if (RetryDelayOf(status)) return End::kBusy;
      return reason.empty() ? End::kUnanswered : End::kFinal;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return reason.empty() ? End::kUnanswered : End::kFinal;
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
      return reason == reason::kStorageFailed ? End::kFinal : End::kBroken;
    default:
      return End::kFinal;
  }
}

GatewayVerdict VerdictOf(const absl::Status& status, End end) {
  if (end == End::kNotSent) return GatewayVerdict::kFailed;
  if (end == End::kUnanswered) {
    return absl::IsDeadlineExceeded(status) ? GatewayVerdict::kTimedOut : GatewayVerdict::kFailed;
  }
  if (ReasonOf(status) == reason::kDraining) return GatewayVerdict::kFailed;
  return GatewayVerdict::kAnswers;
}

absl::Status Unknown(const absl::Status& last) {
  if (ReasonOf(last) == reason::kOutcomeUnknown) return last;
  return MakeError(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown,
                   absl::StrCat("the write was not answered, and may have been done; the last "
                                "attempt ended with: ",
                                last.ToString()));
}

Decision Return(absl::Status status, const CallFacts& facts, Decision decision) {
  decision.step = NextStep::kReturn;
  // NOT_YET_REPLICATED says that the write stands.
  const bool definite = status.ok() || ReasonOf(status) == reason::kNotYetReplicated;
  decision.status =
      facts.write && decision.maybe_done && !definite ? Unknown(status) : std::move(status);
  return decision;
}

}  // namespace

Decision Decide(const absl::Status& status, const CallFacts& facts, const RetryOptions& options,
                Chance chance) {
  const End end = EndOf(status, facts.sent);
  Decision decision;
  decision.verdict = VerdictOf(status, end);
  const bool open = end == End::kUnanswered || end == End::kBroken;
  decision.maybe_done = facts.write && (facts.maybe_done || open);

  if (end == End::kFinal) return Return(status, facts, decision);
  if (facts.write && decision.maybe_done) {
    // Only the replica that has the request id can say.
    if (!facts.local_only || end == End::kBroken) return Return(status, facts, decision);
    decision.step = NextStep::kSame;
  } else {
    decision.step = end == End::kBusy ? NextStep::kSame : NextStep::kElsewhere;
  }

  // What could not be asked for at one gateway is asked for at another at once, the first time.
  const bool at_once = decision.step == NextStep::kElsewhere && facts.attempts == 1;
  if (!at_once) decision.delay = Backoff(facts.attempts, options, chance);
  if (auto asked = RetryDelayOf(status)) decision.delay += *asked;
  if (facts.attempts >= options.attempts_max || decision.delay >= facts.left) {
    return Return(status, facts, decision);
  }
  return decision;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryInfoUrl);
  if (!payload) return std::nullopt;
  google::rpc::RetryInfo info;
  if (!info.ParseFromString(std::string(*payload))) return std::nullopt;
  const absl::Duration delay =
      absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
  return std::max(delay, absl::ZeroDuration());
}

absl::Duration Backoff(int attempts, const RetryOptions& options, Chance chance) {
  absl::Duration most = options.backoff_base;
  for (int i = 1; i < attempts && most < options.backoff_max; ++i) most *= 2;
  most = std::min(most, options.backoff_max);
  return most * (static_cast<double>(chance() >> 11) / static_cast<double>(uint64_t{1} << 53));
}

absl::Duration AttemptTime(const CallFacts& facts, bool others) {
  return others && !facts.write ? facts.left / 2 : facts.left;
}

std::string NewRequestId(Chance chance) {
  const uint64_t high = chance();
  return absl::StrFormat("%016x%016x", high, chance());
}

}  // namespace homeport::sdk
