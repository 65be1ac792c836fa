#include "client/sdk/core/retry.h"

#include <set>
#include <string>

#include "common/status/error.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace homeport::sdk {
namespace {

uint64_t Most() { return ~uint64_t{0}; }
uint64_t Least() { return 0; }

const CallFacts kRead{.left = absl::Seconds(5)};
const CallFacts kWrite{.write = true, .left = absl::Seconds(5)};
const CallFacts kLocalWrite{.write = true, .local_only = true, .left = absl::Seconds(5)};

CallFacts With(CallFacts facts, int attempts) {
  facts.attempts = attempts;
  return facts;
}

absl::Status Error(absl::StatusCode code, absl::string_view reason) {
  return MakeError(code, reason, "test");
}

absl::Status WithRetryInfo(absl::Status status, int milliseconds) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_nanos(milliseconds * 1'000'000);
  status.SetPayload("type.googleapis.com/google.rpc.RetryInfo",
                    absl::Cord(info.SerializeAsString()));
  return status;
}

Decision After(const absl::Status& status, const CallFacts& facts) {
  return Decide(status, facts, RetryOptions(), Most);
}

TEST(SdkRetryTest, AnAnswerIsTheOutcome) {
  const Decision decision = After(absl::OkStatus(), kWrite);
  EXPECT_EQ(decision.step, NextStep::kReturn);
  EXPECT_TRUE(decision.status.ok());
  EXPECT_EQ(decision.verdict, GatewayVerdict::kAnswers);
}

TEST(SdkRetryTest, DefiniteErrorsAreReturnedAsTheyAre) {
  for (const absl::Status& status :
       {Error(absl::StatusCode::kInvalidArgument, reason::kLimitExceeded),
        Error(absl::StatusCode::kNotFound, reason::kNamespaceUnknown),
        Error(absl::StatusCode::kFailedPrecondition, reason::kTokenForeign),
        Error(absl::StatusCode::kResourceExhausted, reason::kDiskFull),
        Error(absl::StatusCode::kUnavailable, reason::kTokenAhead),
        Error(absl::StatusCode::kUnavailable, reason::kStaleLimit),
        Error(absl::StatusCode::kUnavailable, reason::kNoLocalReplica),
        absl::PermissionDeniedError("no")}) {
    for (const CallFacts& facts : {kRead, kWrite, kLocalWrite}) {
      const Decision decision = After(status, facts);
      EXPECT_EQ(decision.step, NextStep::kReturn) << status;
      EXPECT_EQ(decision.status, status);
      EXPECT_EQ(decision.verdict, GatewayVerdict::kAnswers);
    }
  }
}

TEST(SdkRetryTest, AnUnsentRequestGoesElsewhereAtOnce) {
  for (CallFacts facts : {kRead, kWrite, kLocalWrite}) {
    facts.sent = false;
    const Decision decision = After(absl::UnavailableError("refused"), facts);
    EXPECT_EQ(decision.step, NextStep::kElsewhere);
    EXPECT_EQ(decision.delay, absl::ZeroDuration());
    EXPECT_EQ(decision.verdict, GatewayVerdict::kFailed);
    EXPECT_FALSE(decision.maybe_done);
  }
}

TEST(SdkRetryTest, AReadGoesElsewhereAfterAnyFailureOfTheGateway) {
  for (const absl::Status& status :
       {absl::UnavailableError("reset"), absl::DeadlineExceededError("silent"),
        absl::CancelledError("stopped"), absl::InternalError("broken"),
        Error(absl::StatusCode::kUnavailable, reason::kDraining),
        Error(absl::StatusCode::kUnavailable, reason::kNoRegion)}) {
    EXPECT_EQ(After(status, kRead).step, NextStep::kElsewhere) << status;
  }
}

TEST(SdkRetryTest, AnUnansweredWriteIsRepeatedOnlyWhereOneReplicaCouldHaveTakenIt) {
  for (const absl::Status& status :
       {absl::UnavailableError("reset"), absl::DeadlineExceededError("silent"),
        absl::CancelledError("stopped")}) {
    const Decision local = After(status, kLocalWrite);
    EXPECT_EQ(local.step, NextStep::kSame) << status;
    EXPECT_TRUE(local.maybe_done);
    EXPECT_GT(local.delay, absl::ZeroDuration());
    const Decision free = After(status, kWrite);
    EXPECT_EQ(free.step, NextStep::kReturn) << status;
    EXPECT_EQ(free.status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(free.status), reason::kOutcomeUnknown);
  }
}

TEST(SdkRetryTest, AServerThatFailedInTheMiddleOfAWriteIsNotAskedAgain) {
  for (const absl::Status& status :
       {absl::InternalError("broken"), absl::UnknownError("what"),
        Error(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown)}) {
    for (const CallFacts& facts : {kWrite, kLocalWrite}) {
      const Decision decision = After(status, facts);
      EXPECT_EQ(decision.step, NextStep::kReturn) << status;
      EXPECT_EQ(ReasonOf(decision.status), reason::kOutcomeUnknown);
    }
  }
}

TEST(SdkRetryTest, ARefusalAfterAnUnansweredWriteDoesNotSayThatNothingHappened) {
  CallFacts facts = With(kLocalWrite, 2);
  facts.maybe_done = true;
  const Decision refused =
      After(Error(absl::StatusCode::kUnavailable, reason::kNoLocalReplica), facts);
  EXPECT_EQ(refused.step, NextStep::kReturn);
  EXPECT_EQ(ReasonOf(refused.status), reason::kOutcomeUnknown);
  // An unsent one and a busy replica leave it open as well, so it is asked again, there.
  EXPECT_EQ(After(Error(absl::StatusCode::kResourceExhausted, reason::kOverloaded), facts).step,
            NextStep::kSame);
  facts.sent = false;
  EXPECT_EQ(After(absl::UnavailableError("refused"), facts).step, NextStep::kSame);
  EXPECT_TRUE(After(absl::OkStatus(), facts).status.ok());
}

TEST(SdkRetryTest, AWriteThatStandsButIsNotYetReplicatedIsToldAsThat) {
  CallFacts facts = With(kLocalWrite, 2);
  facts.maybe_done = true;
  const absl::Status status = Error(absl::StatusCode::kDeadlineExceeded, reason::kNotYetReplicated);
  const Decision decision = After(status, facts);
  EXPECT_EQ(decision.step, NextStep::kReturn);
  EXPECT_EQ(decision.status, status);
}

TEST(SdkRetryTest, ABusyReplicaIsAskedAgainAfterWhatItAsksForAndSomeChance) {
  const absl::Status busy =
      WithRetryInfo(Error(absl::StatusCode::kResourceExhausted, reason::kOverloaded), 300);
  const Decision least = Decide(busy, kWrite, RetryOptions(), Least);
  EXPECT_EQ(least.step, NextStep::kSame);
  EXPECT_EQ(least.delay, absl::Milliseconds(300));
  EXPECT_FALSE(least.maybe_done);
  const Decision most = Decide(busy, kWrite, RetryOptions(), Most);
  EXPECT_GT(most.delay, absl::Milliseconds(319));
  EXPECT_LE(most.delay, absl::Milliseconds(320));
}

TEST(SdkRetryTest, UnavailableWithRetryInfoIsDefiniteAndAskedAgain) {
  const absl::Status status =
      WithRetryInfo(Error(absl::StatusCode::kUnavailable, reason::kCatchingUp), 10);
  EXPECT_EQ(After(status, kWrite).step, NextStep::kSame);
  EXPECT_FALSE(After(status, kWrite).maybe_done);
}

TEST(SdkRetryTest, AWaitThatTheDeadlineDoesNotAllowIsNotBegun) {
  CallFacts facts = kRead;
  facts.left = absl::Milliseconds(300);
  const absl::Status busy =
      WithRetryInfo(Error(absl::StatusCode::kResourceExhausted, reason::kOverloaded), 300);
  const Decision decision = After(busy, facts);
  EXPECT_EQ(decision.step, NextStep::kReturn);
  EXPECT_EQ(decision.status, busy);
}

TEST(SdkRetryTest, TheLastAttemptIsTheLast) {
  const int last = RetryOptions().attempts_max;
  EXPECT_EQ(After(absl::UnavailableError("reset"), With(kRead, last - 1)).step,
            NextStep::kElsewhere);
  EXPECT_EQ(After(absl::UnavailableError("reset"), With(kRead, last)).step, NextStep::kReturn);
}

TEST(SdkRetryTest, BackoffDoublesUpToItsCapAndHasFullJitter) {
  const RetryOptions options;
  EXPECT_EQ(Backoff(1, options, Least), absl::ZeroDuration());
  const auto about = [&](int attempts) {
    return absl::ToInt64Milliseconds(Backoff(attempts, options, Most) + absl::Microseconds(1));
  };
  EXPECT_EQ(about(1), 20);
  EXPECT_EQ(about(2), 40);
  EXPECT_EQ(about(4), 160);
  EXPECT_EQ(about(100), 2000);
}

TEST(SdkRetryTest, OnlyAReadLeavesTimeForAnotherGateway) {
  EXPECT_EQ(AttemptTime(kRead, true), absl::Milliseconds(2500));
  EXPECT_EQ(AttemptTime(kRead, false), absl::Seconds(5));
  EXPECT_EQ(AttemptTime(kLocalWrite, true), absl::Seconds(5));
}

TEST(SdkRetryTest, ARequestIdIsAHundredAndTwentyEightBitsOfTheChanceGiven) {
  uint64_t next = 0x0123456789abcdef;
  EXPECT_EQ(NewRequestId([&] { return next++; }), "0123456789abcdef0123456789abcdf0");
}

}  // namespace
}  // namespace homeport::sdk
