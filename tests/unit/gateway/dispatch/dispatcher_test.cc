#include "gateway/dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/gateway/dispatch/fleet.h"

namespace homeport {
namespace {

using Code = absl::StatusCode;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

StoreRequest Read() {
  StoreRequest request;
  request.mutable_get()->set_id("x");
  return request;
}
StoreRequest Write(const std::string& request_id = "") {
  StoreRequest request;
  request.mutable_mutate()->mutable_options()->set_request_id(request_id);
  return request;
}

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    for (Target target : {kEuA, kEuB, kUs, kAp}) {
      stores_[target] = std::make_shared<ScriptedStore>(&clock_, health_.NameOf(target).value());
    }
    context_.deadline = clock_.SteadyNow() + absl::Seconds(4);
  }

  struct Ended {
    int times = 0;
    absl::Status status;
    DispatchResult result;
    StoreResponse response;
  };

  // A plan over targets in order, of which the first one's region is preferred.
  static Plan Over(const std::vector<Target>& targets) {
    Plan plan;
    plan.preferred_region = targets.front().region;
    for (Target target : targets) {
      plan.attempts.push_back({.target = target,
                               .reason = target.region == plan.preferred_region
                                             ? v1::ROUTE_REASON_NEAREST
                                             : v1::ROUTE_REASON_FAILOVER,
                               .rank = static_cast<uint16_t>(plan.attempts.size())});
    }
    return plan;
  }

  std::shared_ptr<Ended> Start(Plan plan, const StoreRequest& request,
                               DispatchOptions options = {}) {
    requests_.push_back(std::make_unique<StoreRequest>(request));
    auto ended = std::make_shared<Ended>();
    Dispatcher dispatcher(
        &clock_, [this](Target target) -> std::shared_ptr<RecordStore> { return stores_[target]; },
        &health_, options);
    dispatcher.Dispatch(std::move(plan), context_, *requests_.back(), &ended->response,
                        [ended](absl::Status status, const DispatchResult& result) {
                          ++ended->times;
                          ended->status = std::move(status);
                          ended->result = result;
                        });
    return ended;
  }
  // As Start, of a request that ends at once.
  Ended Run(const std::vector<Target>& targets, const StoreRequest& request,
            DispatchOptions options = {}) {
    const auto ended = Start(Over(targets), request, options);
    EXPECT_EQ(ended->times, 1);
    return *ended;
  }
  ScriptedStore& Store(Target target) { return *stores_[target]; }
  void Script(Target target, std::deque<absl::Status> script) {
    Store(target).script = std::move(script);
  }
  static std::string Tried(const Ended& ended) {
    return ErrorMetadataOf(ended.status, "tried").value_or("none");
  }
  int Asked() {
    int asked = 0;
    for (auto& [target, store] : stores_) asked += store ? store->asked : 0;
    return asked;
  }

  SimulatedClock clock_;
  HealthTracker health_{ThreeRegions(), GatewayFacts{0, 0}, HealthOptions{}};
  std::map<Target, std::shared_ptr<ScriptedStore>> stores_;
  std::vector<std::unique_ptr<StoreRequest>> requests_;
  CallContext context_;
};

TEST_F(DispatcherTest, AnAnswerOfTheFirstReplicaIsTheAnswer) {
  const Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_TRUE(ended.status.ok());
  EXPECT_EQ(ended.result.target, kEuA);
  EXPECT_EQ(ended.result.reason, v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(ended.result.attempts, 1);
  EXPECT_EQ(ended.response.get().provenance().replica(), "eu/a");
  EXPECT_EQ(Asked(), 1);
}

TEST_F(DispatcherTest, AReadGoesOnAfterAFailureAndSaysThatItFailedOver) {
  Script(kEuA, {OutcomeUnknown()});
  const Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_TRUE(ended.status.ok());
  EXPECT_EQ(ended.result.target, kUs);
  EXPECT_EQ(ended.result.reason, v1::ROUTE_REASON_FAILOVER);
  EXPECT_EQ(ended.result.attempts, 2);
  EXPECT_EQ(ended.response.get().provenance().replica(), "us/a");
}

TEST_F(DispatcherTest, EachAttemptGetsAnEmptyResponse) {
  Script(kEuA, {OutcomeUnknown()});
  Run({kEuA, kUs}, Read());
  EXPECT_TRUE(Store(kUs).response_was_empty);
}

TEST_F(DispatcherTest, AnErrorOfTheRequestItselfIsReturnedAtOnceAndUnchanged) {
  const absl::Status error = Error(Code::kInvalidArgument, reason::kFieldInvalid);
  Script(kEuA, {error});
  const Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_EQ(ended.status, error);
  EXPECT_EQ(Asked(), 1);
}

TEST_F(DispatcherTest, AWriteGoesOnWhenItIsKnownNotToHaveBeenDone) {
  for (const absl::Status& not_done :
       {Unreachable(), Unavailable(reason::kDraining),
        Error(Code::kResourceExhausted, reason::kOverloaded),
        Error(Code::kResourceExhausted, reason::kDiskFull),
        Error(Code::kUnavailable, reason::kTokenAhead),
        Error(Code::kDeadlineExceeded, reason::kDeadline, {{"waited_for", "token"}})}) {
    for (const char* id : {"", "id"}) {
      SCOPED_TRACE(not_done.ToString());
      Script(kEuA, {not_done});
      const Ended ended = Run({kEuA, kUs}, Write(id));
      EXPECT_TRUE(ended.status.ok());
      EXPECT_EQ(ended.result.target, kUs);
    }
  }
}

TEST_F(DispatcherTest, AWriteThatMayHaveBeenDoneIsAskedForNowhereElse) {
  for (const absl::Status& unclear :
       {OutcomeUnknown(), Unavailable(reason::kStorageFailed), absl::UnavailableError(""),
        Error(Code::kDeadlineExceeded, reason::kDeadline, {{"waited_for", "sync"}}),
        absl::InternalError(""), absl::UnknownError(""), absl::CancelledError("")}) {
    SCOPED_TRACE(unclear.ToString());
    Script(kEuA, {unclear});
    const Ended ended = Run({kEuA, kUs}, Write());
    EXPECT_EQ(ended.status.code(), unclear.code());
    EXPECT_EQ(ReasonOf(ended.status), ReasonOf(unclear));
    EXPECT_EQ(Tried(ended).substr(0, 5), "eu/a ");
    EXPECT_EQ(Store(kUs).asked, 0);
  }
}

TEST_F(DispatcherTest, AWriteWithAnIdThatWasNotAnsweredIsAskedForOnceMoreAtTheSameReplica) {
  Script(kEuA, {OutcomeUnknown()});
  const Ended ended = Run({kEuA, kUs}, Write("id"));
  EXPECT_TRUE(ended.status.ok());
  EXPECT_EQ(ended.result.target, kEuA);
  EXPECT_EQ(ended.result.attempts, 2);
  EXPECT_EQ(Store(kEuA).asked, 2);
  EXPECT_EQ(Store(kUs).asked, 0);
}

TEST_F(DispatcherTest, TheRepeatedWritesErrorSpeaksForBothOnlyIfTheStoreAnswered) {
  // The store's answer to the id is the write's answer.
  const absl::Status answer = Error(Code::kInvalidArgument, reason::kRequestIdReused);
  Script(kEuA, {OutcomeUnknown(), answer});
  EXPECT_EQ(Run({kEuA, kUs}, Write("id")).status, answer);

  // These prove that the second one was not done. The first may have been.
  for (const absl::Status& no_answer :
       {Unreachable(), Unavailable(reason::kDraining), OutcomeUnknown(),
        Error(Code::kResourceExhausted, reason::kOverloaded),
        Error(Code::kResourceExhausted, reason::kDiskFull),
        Error(Code::kUnavailable, reason::kTokenAhead), absl::InternalError(""),
        absl::DeadlineExceededError(""), absl::CancelledError("")}) {
    SCOPED_TRACE(no_answer.ToString());
    Script(kEuA, {OutcomeUnknown(), no_answer});
    const Ended ended = Run({kEuA, kUs}, Write("id"));
    EXPECT_EQ(ended.status.code(), Code::kUnavailable);
    EXPECT_EQ(ReasonOf(ended.status), reason::kOutcomeUnknown);
    EXPECT_EQ(Store(kUs).asked, 0);
  }
}

TEST_F(DispatcherTest, AnUnansweredWriteIsNotRepeatedWhenNoTimeOrNobodyIsLeft) {
  Script(kEuA, {OutcomeUnknown(), OutcomeUnknown()});
  Store(kEuA).takes = absl::Seconds(4);
  EXPECT_EQ(ReasonOf(Run({kEuA, kUs}, Write("id")).status), reason::kOutcomeUnknown);
  EXPECT_EQ(Asked(), 1);

  Store(kEuA).takes = absl::ZeroDuration();
  context_.deadline = absl::InfiniteDuration();
  context_.cancellation = std::make_shared<Cancellation>();
  Store(kEuA).during = [this] { context_.cancellation->Cancel(); };
  EXPECT_EQ(ReasonOf(Run({kEuA, kUs}, Write("id")).status), reason::kOutcomeUnknown);
  EXPECT_EQ(Asked(), 2);
}

TEST_F(DispatcherTest, WhenNoReplicaCanBeReachedTheErrorNamesAllThatWereTried) {
  for (Target target : {kEuA, kEuB, kUs, kAp}) Script(target, {Unreachable()});
  const Ended ended = Run({kEuA, kEuB, kUs, kAp}, Write());
  EXPECT_EQ(ended.status.code(), Code::kUnavailable);
  EXPECT_EQ(ReasonOf(ended.status), reason::kNoRegion);
  EXPECT_EQ(Tried(ended),
            "eu/a REGION_UNREACHABLE, eu/b REGION_UNREACHABLE, us/a REGION_UNREACHABLE, ap/a "
            "REGION_UNREACHABLE");
  EXPECT_EQ(ended.result.attempts, 4);
}

TEST_F(DispatcherTest, TheErrorOfAReplicaThatWasReachedSaysMoreThanOneThatWasNot) {
  Script(kEuA, {Error(Code::kUnavailable, reason::kTokenAhead)});
  Script(kUs, {Unreachable()});
  const Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_EQ(ReasonOf(ended.status), reason::kTokenAhead);
  EXPECT_EQ(Tried(ended), "eu/a TOKEN_AHEAD, us/a REGION_UNREACHABLE");
}

TEST_F(DispatcherTest, OfReplicasThatAreAllTooFarBehindTheFreshestIsNamed) {
  const auto stale = [](const char* age_ms) {
    return Error(Code::kUnavailable, reason::kStaleLimit, {{"age_ms", age_ms}});
  };
  Script(kEuA, {stale("900")});
  Script(kUs, {stale("8000")});
  Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_EQ(ErrorMetadataOf(ended.status, "age_ms"), "900");
  EXPECT_EQ(Tried(ended), "eu/a STALE_LIMIT, us/a STALE_LIMIT");
  Script(kEuA, {Error(Code::kUnavailable, reason::kStaleLimit)});
  Script(kUs, {stale("8000")});
  ended = Run({kEuA, kUs}, Read());
  EXPECT_EQ(ErrorMetadataOf(ended.status, "age_ms"), "8000");
}

TEST_F(DispatcherTest, HowFarBehindAReplicaIsSaysMoreThanThatAnotherDidNotAnswer) {
  for (const absl::Status& silent : {OutcomeUnknown(), absl::InternalError(""), Unreachable()}) {
    SCOPED_TRACE(silent.ToString());
    const absl::Status stale = Error(Code::kUnavailable, reason::kStaleLimit, {{"age_ms", "900"}});
    Script(kEuA, {stale});
    Script(kUs, {silent});
    EXPECT_EQ(ReasonOf(Run({kEuA, kUs}, Read()).status), reason::kStaleLimit);
    Script(kEuA, {silent});
    Script(kUs, {stale});
    EXPECT_EQ(ReasonOf(Run({kEuA, kUs}, Read()).status), reason::kStaleLimit);
  }
}

TEST_F(DispatcherTest, ARequestIsSentToAsManyReplicasAsAreAllowedAndNoMore) {
  for (Target target : {kEuA, kEuB, kUs, kAp}) Script(target, {OutcomeUnknown()});
  EXPECT_FALSE(Run({kEuA, kUs, kAp, kEuB}, Read(), {.attempts_max = 2}).status.ok());
  EXPECT_EQ(Asked(), 2);
  EXPECT_FALSE(Run({kAp, kEuB}, Read(), {.attempts_max = 1}).status.ok());
  EXPECT_EQ(Asked(), 3);
}

TEST_F(DispatcherTest, ReplicasThatCanNotBeReachedDoNotUseUpTheAttempts) {
  for (Target target : {kEuA, kEuB, kUs}) Script(target, {Unreachable()});
  const Ended ended = Run({kEuA, kEuB, kUs, kAp}, Read(), {.attempts_max = 1});
  EXPECT_TRUE(ended.status.ok());
  EXPECT_EQ(ended.result.target, kAp);
  EXPECT_EQ(ended.result.attempts, 4);
}

TEST_F(DispatcherTest, TheLastAttemptGoesToARegionThatWasNotTried) {
  Script(kEuA, {OutcomeUnknown()});
  const Ended ended = Run({kEuA, kEuB, kUs, kAp}, Read(), {.attempts_max = 2});
  EXPECT_EQ(ended.result.target, kUs);
  EXPECT_EQ(Store(kEuB).asked, 0);
}

TEST_F(DispatcherTest, AReplicaThatFailedIsNotTriedAgainEvenIfThePlanHasItTwice) {
  Script(kEuA, {OutcomeUnknown()});
  EXPECT_EQ(ReasonOf(Run({kEuA, kEuA, kEuA}, Read()).status), reason::kOutcomeUnknown);
  EXPECT_EQ(Store(kEuA).asked, 1);
}

TEST_F(DispatcherTest, AReplicaThatIsNotThereAnyMoreIsPassedOver) {
  stores_[kEuA] = nullptr;
  const Ended ended = Run({kEuA, kUs}, Write());
  EXPECT_TRUE(ended.status.ok());
  EXPECT_EQ(ended.result.target, kUs);
}

TEST_F(DispatcherTest, AReadLeavesTimeForTheNextReplicaAndTheLastOneGetsAll) {
  const SteadyTime start = clock_.SteadyNow();
  Script(kEuA, {absl::DeadlineExceededError("")});
  Script(kUs, {absl::DeadlineExceededError("")});
  Store(kEuA).takes = absl::Seconds(2);
  Store(kUs).takes = absl::Seconds(1);
  EXPECT_TRUE(Run({kEuA, kUs, kAp}, Read()).status.ok());
  EXPECT_EQ(Store(kEuA).deadlines[0], start + absl::Seconds(2));
  EXPECT_EQ(Store(kUs).deadlines[0], start + absl::Seconds(3));
  EXPECT_EQ(Store(kAp).deadlines[0], start + absl::Seconds(4));
}

TEST_F(DispatcherTest, AWriteGetsTheWholeDeadline) {
  Run({kEuA, kUs}, Write());
  EXPECT_EQ(Store(kEuA).deadlines[0], context_.deadline);
}

TEST_F(DispatcherTest, WithoutADeadlineAttemptsHaveNone) {
  context_.deadline = absl::InfiniteDuration();
  Run({kEuA, kUs}, Read());
  EXPECT_EQ(Store(kEuA).deadlines[0], absl::InfiniteDuration());
}

TEST_F(DispatcherTest, NothingIsSentWhenTheDeadlineIsOver) {
  clock_.Advance(absl::Seconds(4));
  const Ended ended = Run({kEuA}, Write());
  EXPECT_EQ(ended.status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(ErrorMetadataOf(ended.status, "waited_for"), "gateway");
  EXPECT_EQ(ended.result.attempts, 0);
  EXPECT_EQ(Asked(), 0);
}

TEST_F(DispatcherTest, NoFurtherReplicaIsAskedAfterTheDeadline) {
  Script(kEuA, {OutcomeUnknown()});
  Store(kEuA).takes = absl::Seconds(4);
  const Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_EQ(ReasonOf(ended.status), reason::kOutcomeUnknown);
  EXPECT_EQ(Tried(ended), "eu/a OUTCOME_UNKNOWN");
  EXPECT_EQ(Asked(), 1);
}

TEST_F(DispatcherTest, CancellationStopsFurtherAttempts) {
  context_.cancellation = std::make_shared<Cancellation>();
  Script(kEuA, {OutcomeUnknown()});
  Store(kEuA).during = [this] { context_.cancellation->Cancel(); };
  const Ended ended = Run({kEuA, kUs}, Read());
  EXPECT_EQ(ended.status.code(), Code::kCancelled);
  EXPECT_EQ(Tried(ended), "eu/a OUTCOME_UNKNOWN");
  EXPECT_EQ(Asked(), 1);
}

TEST_F(DispatcherTest, AnswersThatComeLaterGoOnTheSameWay) {
  for (Target target : {kEuA, kUs, kAp}) Store(target).hold = true;
  Script(kEuA, {OutcomeUnknown()});
  Script(kUs, {Unavailable(reason::kDraining)});
  const auto ended = Start(Over({kEuA, kUs, kAp}), Read());
  EXPECT_EQ(ended->times, 0);
  Store(kEuA).Release();
  Store(kUs).Release();
  EXPECT_EQ(ended->times, 0);
  Store(kAp).Release();
  EXPECT_EQ(ended->times, 1);
  EXPECT_TRUE(ended->status.ok());
  EXPECT_EQ(ended->result.target, kAp);
}

TEST_F(DispatcherTest, AnswersAtOnceNeverNestHoweverManyThereAre) {
  int depth = 0, depth_max = 0;
  struct Nesting final : RecordStore {
    Nesting(int* depth, int* depth_max) : depth(depth), depth_max(depth_max) {}
    void Execute(const CallContext&, const StoreRequest&, StoreResponse*, Done done) override {
      *depth_max = std::max(*depth_max, ++*depth);
      done(OutcomeUnknown());
      --*depth;
    }
    int *depth, *depth_max;
  };
  auto store = std::make_shared<Nesting>(&depth, &depth_max);
  Dispatcher dispatcher(&clock_, [&](Target) { return store; }, &health_, {.attempts_max = 4});
  StoreResponse response;
  const StoreRequest request = Read();
  int done = 0;
  dispatcher.Dispatch(Over({kEuA, kEuB, kUs, kAp}), context_, request, &response,
                      [&done](absl::Status, const DispatchResult&) { ++done; });
  EXPECT_EQ(done, 1);
  EXPECT_EQ(depth_max, 1);
}

TEST_F(DispatcherTest, OutcomesReachTheHealthTracker) {
  for (int i = 0; i < 5; ++i) {
    Script(kEuA, {OutcomeUnknown()});
    Run({kEuA, kUs}, Read());
  }
  const auto snapshot = health_.Snapshot(clock_.SteadyNow());
  EXPECT_EQ(snapshot->Find(kEuA)->state, HealthState::kEjected);
  EXPECT_EQ(snapshot->Find(kUs)->state, HealthState::kHealthy);
}

TEST_F(DispatcherTest, ErrorsOfTheRequestItselfEjectNobody) {
  for (int i = 0; i < 20; ++i) {
    Script(kEuA, {Error(Code::kInvalidArgument, reason::kFieldInvalid)});
    Run({kEuA, kUs}, Read());
  }
  EXPECT_EQ(health_.Snapshot(clock_.SteadyNow())->Find(kEuA)->state, HealthState::kHealthy);
}

// The plan of a client of `eu` while eu/a is probing: the others first, eu/a behind them with its
// rank.
class ProbeTest : public DispatcherTest {
 protected:
  ProbeTest() {
    for (int i = 0; i < 5; ++i) {
      health_.OnOutcome(kEuA, HealthTracker::Outcome::kFailure, absl::ZeroDuration(),
                        clock_.SteadyNow());
    }
    clock_.Advance(absl::Seconds(1));
    context_.deadline = clock_.SteadyNow() + absl::Seconds(4);
  }
  Plan Probing() const {
    Plan plan = Over({kEuA, kUs, kAp});
    plan.attempts[0].health = HealthState::kProbing;
    std::rotate(plan.attempts.begin(), plan.attempts.begin() + 1, plan.attempts.end());
    return plan;
  }
  HealthState State() { return health_.Snapshot(clock_.SteadyNow())->Find(kEuA)->state; }
};

TEST_F(ProbeTest, OneReadAtATimeProbesAReplicaThatWouldComeFirst) {
  Store(kEuA).hold = true;
  const auto probe = Start(Probing(), Read());
  const auto other = Start(Probing(), Read());
  EXPECT_EQ(probe->times, 0);
  EXPECT_EQ(other->result.target, kUs);
  Store(kEuA).Release();
  EXPECT_EQ(probe->result.target, kEuA);
  EXPECT_EQ(probe->result.reason, v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(State(), HealthState::kHealthy);
}

TEST_F(ProbeTest, AFailedProbeEjectsAgainAndTheReadGoesOn) {
  Script(kEuA, {OutcomeUnknown()});
  const auto probe = Start(Probing(), Read());
  EXPECT_TRUE(probe->status.ok());
  EXPECT_EQ(probe->result.target, kUs);
  EXPECT_EQ(State(), HealthState::kEjected);
}

TEST_F(ProbeTest, AProbeCostsAReadNoMoreThanItsTime) {
  Run({kUs}, Read());
  Start(Probing(), Read(), {.probe_time_max = absl::Milliseconds(300)});
  EXPECT_EQ(Store(kEuA).deadlines[0], clock_.SteadyNow() + absl::Milliseconds(300));
}

TEST_F(ProbeTest, AWriteLeavesTheProbeToReadsAtFirst) {
  EXPECT_EQ(Start(Probing(), Write())->result.target, kUs);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Start(Probing(), Write())->result.target, kEuA);
  EXPECT_EQ(State(), HealthState::kHealthy);
}

TEST_F(ProbeTest, AReplicaThatWouldNotComeEarlierIsNotProbed) {
  Plan plan = Over({kUs, kEuA});
  plan.attempts[1].health = HealthState::kProbing;
  EXPECT_EQ(Start(plan, Read())->result.target, kUs);
  EXPECT_EQ(Store(kEuA).asked, 0);
}

TEST_F(ProbeTest, WithNothingHealthyAProbingReplicaTakesEveryRequest) {
  Plan plan = Over({kEuA});
  plan.attempts[0].health = HealthState::kProbing;
  Store(kEuA).hold = true;
  Start(plan, Read());
  Start(plan, Write());
  EXPECT_EQ(Store(kEuA).asked, 2);
  Store(kEuA).Release();
  Store(kEuA).Release();
}

// Whether an error of a store leaves open that a write was done.
bool MayHaveBeenDone(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return status.ok() || reason == reason::kOutcomeUnknown || reason == reason::kStorageFailed ||
         status.code() == Code::kInternal;
}

TEST_F(DispatcherTest, OverRandomScriptsEveryRequestEndsOnceAndNoWriteIsDoneAtTwoReplicas) {
  const std::vector<absl::Status> endings = {
      absl::OkStatus(),
      Unreachable(),
      Unavailable(reason::kDraining),
      OutcomeUnknown(),
      Unavailable(reason::kStorageFailed),
      absl::InternalError(""),
      Error(Code::kResourceExhausted, reason::kOverloaded),
      Error(Code::kResourceExhausted, reason::kDiskFull),
      Error(Code::kUnavailable, reason::kTokenAhead),
      Error(Code::kInvalidArgument, reason::kFieldInvalid),
  };
  std::mt19937_64 random(11);
  const std::vector<Target> all = {kEuA, kEuB, kUs, kAp};
  for (int i = 0; i < 5000; ++i) {
    SCOPED_TRACE(i);
    context_.deadline = clock_.SteadyNow() + absl::Seconds(1 + random() % 4);
    std::map<Target, std::vector<absl::Status>> scripts;
    for (Target target : all) {
      ScriptedStore& store = Store(target);
      store.asked = 0;
      store.hold = random() % 2;
      store.takes = absl::Milliseconds(random() % 900);
      for (int k = 0; k < 2; ++k) scripts[target].push_back(endings[random() % endings.size()]);
      store.script.assign(scripts[target].begin(), scripts[target].end());
    }
    std::vector<Target> order = all;
    std::shuffle(order.begin(), order.end(), random);
    const bool write = random() % 2, with_id = random() % 2;
    const int attempts_max = 1 + random() % 4;
    const auto ended = Start(Over(order), write ? Write(with_id ? "id" : "") : Read(),
                             {.attempts_max = attempts_max});
    for (int released = 1; released > 0;) {
      released = 0;
      for (Target target : all) {
        for (; !Store(target).held.empty(); ++released) Store(target).Release();
      }
    }
    ASSERT_EQ(ended->times, 1);

    int sent = 0, maybe_done = 0;
    bool done = false;
    for (Target target : all) {
      bool here = false;
      ASSERT_LE(Store(target).asked, write && with_id ? 2 : 1);
      for (int k = 0; k < Store(target).asked; ++k) {
        sent += k == 0 && ReasonOf(scripts[target][k]) != reason::kUnreachable;
        here |= MayHaveBeenDone(scripts[target][k]);
        done |= scripts[target][k].ok();
      }
      maybe_done += here;
    }
    ASSERT_LE(sent, attempts_max);
    ASSERT_EQ(ended->status.ok(), done);
    if (!write) continue;
    ASSERT_LE(maybe_done, 1);
    // A definite error is a promise that nothing happened.
    if (maybe_done == 1) {
      ASSERT_TRUE(done || MayHaveBeenDone(ended->status) ||
                  ended->status.code() == Code::kInvalidArgument);
    }
  }
}

TEST_F(DispatcherTest, RetriesEndWithTheirBudget) {
  DispatchOptions options;
  options.retries = {.share = 0.1, .each_second = 0, .most = 10, .first = 0};
  Script(kEuA, {Unavailable(reason::kStorageFailed)});
  const Ended ended = Run({kEuA, kUs}, Read(), options);
  EXPECT_EQ(ReasonOf(ended.status), reason::kStorageFailed);
  EXPECT_EQ(ErrorMetadataOf(ended.status, "retry"), "denied");
  EXPECT_EQ(ErrorMetadataOf(ended.status, "tried"), "eu/a STORAGE_FAILED");
  EXPECT_TRUE(ended.result.retry_denied);
  EXPECT_EQ(Store(kUs).asked, 0);
}

TEST_F(DispatcherTest, GoingOnFromAReplicaThatIsBehindOrNotReachedCostsNoBudget) {
  DispatchOptions options;
  options.retries = {.share = 0, .each_second = 0, .most = 10, .first = 0};
  Script(kEuA, {Unavailable(reason::kTokenAhead)});
  Script(kEuB, {Unreachable()});
  const Ended ended = Run({kEuA, kEuB, kUs}, Read(), options);
  EXPECT_EQ(ended.status, absl::OkStatus());
  EXPECT_EQ(ended.result.retries, 0);
}

TEST_F(DispatcherTest, ARepeatedWriteIsPaidFor) {
  DispatchOptions options;
  options.retries = {.share = 0, .each_second = 0, .most = 10, .first = 1};
  Script(kEuA, {OutcomeUnknown()});
  const Ended ended = Run({kEuA}, Write("id"), options);
  EXPECT_EQ(ended.status, absl::OkStatus());
  EXPECT_EQ(ended.result.retries, 1);
  options.retries.first = 0;
  Script(kEuA, {OutcomeUnknown()});
  const Ended denied = Run({kEuA}, Write("id"), options);
  EXPECT_EQ(ReasonOf(denied.status), reason::kOutcomeUnknown);
  EXPECT_EQ(ErrorMetadataOf(denied.status, "retry"), "denied");
}

}  // namespace
}  // namespace homeport
