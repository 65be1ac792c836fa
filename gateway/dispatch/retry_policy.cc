#include "gateway/dispatch/retry_policy.h"

#include <string>

#include "common/status/error.h"

namespace homeport {
namespace {

using Outcome = HealthTracker::Outcome;

// A write that may have been done stays where it is, a read goes on.
NextStep IfRead(const RetryFacts& facts) {
  return facts.write ? NextStep::kAnswer : NextStep::kNext;
}

Judgement JudgeUnavailable(const std::string& reason, const RetryFacts& facts) {
  if (reason == reason::kUnreachable) return {NextStep::kNext, true, Outcome::kUnreachable};
  if (reason == reason::kDraining) return {NextStep::kNext, false, Outcome::kUnreachable};
  if (reason == reason::kStorageFailed) return {IfRead(facts), false, Outcome::kBroken};
  if (reason == reason::kOutcomeUnknown && facts.write && facts.has_request_id) {
    return {NextStep::kRepeat, false, Outcome::kFailure};
  }
  return {IfRead(facts), false, Outcome::kFailure};
}

}  // namespace

RetryFacts FactsOf(const internal::v1::StoreRequest& request) {
  using internal::v1::StoreRequest;
  const auto read = [](const v1::ReadOptions& options) {
    return RetryFacts{.may_wait = !options.session_token().empty() ||
                                  options.consistency() == v1::CONSISTENCY_LEVEL_BOUNDED};
  };
  const auto scan = [&read](const v1::ReadOptions& options) {
    RetryFacts facts = read(options);
    facts.scan = true;
    return facts;
  };
  switch (request.operation_case()) {
    case StoreRequest::kGet:
      return read(request.get().options());
    case StoreRequest::kBatchGet:
      return read(request.batch_get().options());
    case StoreRequest::kListItems:
      return scan(request.list_items().options());
    case StoreRequest::kListRecords:
      return scan(request.list_records().options());
    case StoreRequest::kMutate: {
      const v1::WriteOptions& options = request.mutate().options();
      return {.write = true,
              .has_request_id = !options.request_id().empty(),
              .may_wait = !options.session_token().empty()};
    }
    case StoreRequest::OPERATION_NOT_SET:
      break;
  }
  return {};
}

Judgement Judge(const absl::Status& status, const RetryFacts& facts) {
  if (status.ok()) {
    // Writes wait for a sync and for their token, reads for a token or for watermarks, and a scan
    // takes as long as there is data, so their time says little of the replica.
    const bool timed = !facts.write && !facts.may_wait && !facts.scan;
    return {NextStep::kAnswer, false, timed ? Outcome::kSuccess : Outcome::kAlive};
  }
  if (status.code() == absl::StatusCode::kCancelled) return {NextStep::kAnswer, false, {}};

  const std::string reason = ReasonOf(status);
  if (reason == reason::kTokenAhead || reason == reason::kStaleLimit ||
      reason == reason::kDiskFull || reason == reason::kNamespaceUnknown ||
      reason == reason::kNotHere || reason == reason::kClockSuspect || reason == reason::kTwin ||
      reason == reason::kCatchingUp || reason == reason::kRegionLeaving) {
    return {NextStep::kNext, false, Outcome::kAlive};
  }
  // Done, and asking again or elsewhere makes no region quicker.
  if (reason == reason::kNotYetReplicated) return {NextStep::kAnswer, false, Outcome::kAlive};
  if (reason == reason::kOverloaded) return {NextStep::kNext, false, Outcome::kFailure};

  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return JudgeUnavailable(reason, facts);
    case absl::StatusCode::kDeadlineExceeded:
      if (ErrorMetadataOf(status, "waited_for") == "token") {
        return {NextStep::kNext, false, Outcome::kAlive};
      }
      return {IfRead(facts), false, Outcome::kTimeout};
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return {IfRead(facts), false, Outcome::kFailure};
    default:
      return {NextStep::kAnswer, false, Outcome::kAlive};
  }
}

}  // namespace homeport
