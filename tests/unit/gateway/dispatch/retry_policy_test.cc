// Every way an attempt can end, for each kind of operation.

#include "gateway/dispatch/retry_policy.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/dispatch/fleet.h"

namespace homeport {
namespace {

using Outcome = HealthTracker::Outcome;
using Code = absl::StatusCode;

constexpr RetryFacts kRead{};
constexpr RetryFacts kWrite{.write = true};
constexpr RetryFacts kWriteWithId{.write = true, .has_request_id = true};

struct Case {
  absl::Status status;
  NextStep read;
  NextStep write;
  NextStep write_with_id;
  std::optional<Outcome> outcome;
};

constexpr NextStep A = NextStep::kAnswer, N = NextStep::kNext, R = NextStep::kRepeat;

std::vector<Case> AllCases() {
  return {
      // Known not to have been done: everything goes on.
      {Unavailable(reason::kUnreachable), N, N, N, Outcome::kUnreachable},
      {Unavailable(reason::kDraining), N, N, N, Outcome::kUnreachable},
      {Error(Code::kResourceExhausted, reason::kOverloaded), N, N, N, Outcome::kFailure},
      {Error(Code::kResourceExhausted, reason::kDiskFull), N, N, N, Outcome::kAlive},
      {Error(Code::kUnavailable, reason::kTokenAhead), N, N, N, Outcome::kAlive},
      {Error(Code::kUnavailable, reason::kStaleLimit), N, N, N, Outcome::kAlive},
      {Error(Code::kFailedPrecondition, reason::kNotHere), N, N, N, Outcome::kAlive},
      {Error(Code::kNotFound, reason::kNamespaceUnknown), N, N, N, Outcome::kAlive},
      {Error(Code::kDeadlineExceeded, reason::kDeadline, {{"waited_for", "token"}}), N, N, N,
       Outcome::kAlive},
      {Unavailable(reason::kCatchingUp), N, N, N, Outcome::kAlive},
      {Unavailable(reason::kClockSuspect), N, N, N, Outcome::kAlive},
      {Unavailable(reason::kTwin), N, N, N, Outcome::kAlive},
      {Unavailable(reason::kRegionLeaving), N, N, N, Outcome::kAlive},
      // Done, but not yet in as many regions as was asked for: once more would not hurry them.
      {Error(Code::kDeadlineExceeded, reason::kNotYetReplicated), A, A, A, Outcome::kAlive},
      {Unavailable(reason::kNotYetReplicated), A, A, A, Outcome::kAlive},
      // May have been done: a write stays.
      {Unavailable(reason::kOutcomeUnknown), N, A, R, Outcome::kFailure},
      {Unavailable(reason::kStorageFailed), N, A, A, Outcome::kBroken},
      {Error(Code::kDeadlineExceeded, reason::kDeadline, {{"waited_for", "sync"}}), N, A, A,
       Outcome::kTimeout},
      {absl::DeadlineExceededError("no details"), N, A, A, Outcome::kTimeout},
      {absl::UnavailableError("no details"), N, A, A, Outcome::kFailure},
      {absl::InternalError(""), N, A, A, Outcome::kFailure},
      {absl::UnknownError(""), N, A, A, Outcome::kFailure},
      {absl::DataLossError(""), N, A, A, Outcome::kFailure},
      // The request's own: any replica would say the same.
      {Error(Code::kInvalidArgument, reason::kFieldInvalid), A, A, A, Outcome::kAlive},
      {Error(Code::kInvalidArgument, reason::kLimitExceeded), A, A, A, Outcome::kAlive},
      {Error(Code::kInvalidArgument, reason::kTokenInvalid), A, A, A, Outcome::kAlive},
      {Error(Code::kFailedPrecondition, reason::kTokenForeign), A, A, A, Outcome::kAlive},
      {Error(Code::kFailedPrecondition, reason::kLevelUnavailable), A, A, A, Outcome::kAlive},
      {Error(Code::kInvalidArgument, reason::kRequestIdReused), A, A, A, Outcome::kAlive},
      {absl::NotFoundError(""), A, A, A, Outcome::kAlive},
      {absl::AlreadyExistsError(""), A, A, A, Outcome::kAlive},
      {absl::AbortedError(""), A, A, A, Outcome::kAlive},
      {absl::OutOfRangeError(""), A, A, A, Outcome::kAlive},
      {absl::PermissionDeniedError(""), A, A, A, Outcome::kAlive},
      {absl::UnauthenticatedError(""), A, A, A, Outcome::kAlive},
      {absl::UnimplementedError(""), A, A, A, Outcome::kAlive},
      {absl::ResourceExhaustedError(""), A, A, A, Outcome::kAlive},
      {absl::CancelledError(""), A, A, A, std::nullopt},
  };
}

TEST(RetryPolicyTest, EachOutcomeOfEachOperationIsRetriedExactlyWhereThatIsSafe) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.status.ToString());
    EXPECT_EQ(Judge(c.status, kRead).step, c.read);
    EXPECT_EQ(Judge(c.status, kWrite).step, c.write);
    EXPECT_EQ(Judge(c.status, kWriteWithId).step, c.write_with_id);
  }
}

TEST(RetryPolicyTest, EachOutcomeTellsTheSameOfTheReplicaWhateverTheOperation) {
  for (const Case& c : AllCases()) {
    SCOPED_TRACE(c.status.ToString());
    for (const RetryFacts& facts : {kRead, kWrite, kWriteWithId}) {
      EXPECT_EQ(Judge(c.status, facts).outcome, c.outcome);
    }
  }
}

TEST(RetryPolicyTest, OnlyAnUnreachableReplicaWasSentNothing) {
  for (const Case& c : AllCases()) {
    EXPECT_EQ(Judge(c.status, kRead).unsent, ReasonOf(c.status) == reason::kUnreachable);
  }
}

TEST(RetryPolicyTest, OnlyReadsThatNeverWaitAreTimed) {
  const auto outcome = [](const RetryFacts& facts) {
    return *Judge(absl::OkStatus(), facts).outcome;
  };
  EXPECT_EQ(outcome(kRead), Outcome::kSuccess);
  EXPECT_EQ(outcome({.may_wait = true}), Outcome::kAlive);
  EXPECT_EQ(outcome({.scan = true}), Outcome::kAlive);
  EXPECT_EQ(outcome(kWrite), Outcome::kAlive);
}

TEST(RetryPolicyTest, FactsAreReadFromEachKindOfRequest) {
  internal::v1::StoreRequest request;
  request.mutable_mutate();
  EXPECT_TRUE(FactsOf(request).write);
  EXPECT_FALSE(FactsOf(request).has_request_id);
  request.mutable_mutate()->mutable_options()->set_request_id("id");
  EXPECT_TRUE(FactsOf(request).has_request_id);

  request.mutable_get()->mutable_options()->set_session_token("t");
  EXPECT_FALSE(FactsOf(request).write);
  EXPECT_TRUE(FactsOf(request).may_wait);
  request.mutable_batch_get()->mutable_options()->set_session_token("t");
  EXPECT_TRUE(FactsOf(request).may_wait);
  request.mutable_list_items()->mutable_options()->set_session_token("t");
  EXPECT_TRUE(FactsOf(request).may_wait);
  EXPECT_TRUE(FactsOf(request).scan);
  request.mutable_list_records();
  EXPECT_FALSE(FactsOf(request).may_wait);
  EXPECT_TRUE(FactsOf(request).scan);
  request.mutable_list_records()->mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
  EXPECT_TRUE(FactsOf(request).may_wait);
}

}  // namespace
}  // namespace homeport
