#include "gateway/dispatch/health_tracker.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/unit/gateway/dispatch/fleet.h"

namespace homeport {
namespace {

using Outcome = HealthTracker::Outcome;

class HealthTrackerTest : public testing::Test {
 protected:
  SteadyTime Now() const { return clock_.SteadyNow(); }
  HealthState StateOf(Target target) { return tracker_.Snapshot(Now())->Find(target)->state; }
  std::string ReasonFor(Target target) { return tracker_.Snapshot(Now())->Find(target)->reason; }
  void Report(Target target, Outcome outcome, int times = 1,
              absl::Duration latency = absl::Milliseconds(10)) {
    for (int i = 0; i < times; ++i) {
      clock_.Advance(latency);
      tracker_.OnOutcome(target, outcome, latency, Now());
    }
  }
  // Reports slow answers until the replica is out, at most `times`.
  void ReportSlow(Target target, absl::Duration latency, int times) {
    for (int i = 0; i < times && StateOf(target) == HealthState::kHealthy; ++i) {
      Report(target, Outcome::kSuccess, 1, latency);
    }
  }
  // Ejects a replica that is in.
  void Eject(Target target) { Report(target, Outcome::kFailure, 5, absl::ZeroDuration()); }

  SimulatedClock clock_;
  std::shared_ptr<const Topology> topology_ = ThreeRegions();
  HealthTracker tracker_{topology_, GatewayFacts{0, 0}, HealthOptions{}};
};

TEST_F(HealthTrackerTest, EveryReplicaStartsUnknownWithTheTopologysRoundTrip) {
  const auto snapshot = tracker_.Snapshot(Now());
  for (Target target : {kEuA, kEuB, kUs, kAp}) {
    EXPECT_EQ(snapshot->Find(target)->state, HealthState::kUnknown);
  }
  EXPECT_EQ(snapshot->Find(kAp)->round_trip, absl::Milliseconds(200));
  EXPECT_FALSE(snapshot->Find(kAp)->round_trip_measured);
}

TEST_F(HealthTrackerTest, TheReplicaInThisProcessHasNoWayToGo) {
  EXPECT_EQ(tracker_.Snapshot(Now())->Find(kEuA)->round_trip, absl::ZeroDuration());
  EXPECT_TRUE(tracker_.Snapshot(Now())->Find(kEuA)->round_trip_measured);
}

TEST_F(HealthTrackerTest, FailuresInARowEjectAtTheLimitAndNotBefore) {
  Report(kUs, Outcome::kFailure, 4);
  EXPECT_EQ(StateOf(kUs), HealthState::kUnknown);
  Report(kUs, Outcome::kFailure);
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
  EXPECT_EQ(ReasonFor(kUs), "5 failures in a row");
}

TEST_F(HealthTrackerTest, AnAnswerStartsTheCountOver) {
  for (int i = 0; i < 10; ++i) {
    Report(kUs, Outcome::kFailure, 4);
    Report(kUs, i % 2 == 0 ? Outcome::kSuccess : Outcome::kAlive);
  }
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, AfterItsTimeOutAReplicaGetsOneProbeAtATime) {
  Eject(kUs);
  EXPECT_FALSE(tracker_.TakeProbe(kUs, Now()));
  clock_.Advance(absl::Seconds(1) - absl::Nanoseconds(1));
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(StateOf(kUs), HealthState::kProbing);
  EXPECT_TRUE(tracker_.TakeProbe(kUs, Now()));
  EXPECT_FALSE(tracker_.TakeProbe(kUs, Now()));
  Report(kUs, Outcome::kSuccess);
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
  EXPECT_EQ(ReasonFor(kUs), "");
  EXPECT_FALSE(tracker_.TakeProbe(kUs, Now()));
}

TEST_F(HealthTrackerTest, AProbeWhoseEndNobodyReportsGivesUpItsTurn) {
  Eject(kUs);
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(tracker_.TakeProbe(kUs, Now()));
  clock_.Advance(HealthOptions().probe_turn);
  EXPECT_TRUE(tracker_.TakeProbe(kUs, Now()));
}

TEST_F(HealthTrackerTest, AWriteProbesOnlyWhereNoReadDid) {
  Eject(kUs);
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(tracker_.TakeProbe(kUs, Now(), v1::OPERATION_WRITE));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(tracker_.TakeProbe(kUs, Now(), v1::OPERATION_WRITE));
}

TEST_F(HealthTrackerTest, TheTimeOutDoublesWithEachFailedProbeUpToTheFactor) {
  Eject(kUs);
  for (int seconds : {1, 2, 4, 8, 10, 10}) {
    clock_.Advance(absl::Seconds(seconds) - absl::Nanoseconds(1));
    EXPECT_EQ(StateOf(kUs), HealthState::kEjected) << seconds;
    clock_.Advance(absl::Nanoseconds(1));
    EXPECT_EQ(StateOf(kUs), HealthState::kProbing) << seconds;
    tracker_.OnOutcome(kUs, Outcome::kFailure, absl::ZeroDuration(), Now());
  }
}

TEST_F(HealthTrackerTest, AReplicaThatStaysInForTheLongestTimeOutStartsOver) {
  Eject(kUs);
  clock_.Advance(absl::Seconds(1));
  Report(kUs, Outcome::kSuccess, 1, absl::ZeroDuration());
  Eject(kUs);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);  // doubled: it had only just come back
  clock_.Advance(absl::Seconds(1));
  Report(kUs, Outcome::kSuccess, 1, absl::ZeroDuration());
  clock_.Advance(absl::Seconds(11));
  Eject(kUs);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(StateOf(kUs), HealthState::kProbing);
}

TEST_F(HealthTrackerTest, CallsThatBeganBeforeTheEjectionChangeNothing) {
  Eject(kUs);
  clock_.Advance(absl::Milliseconds(10));
  tracker_.OnOutcome(kUs, Outcome::kSuccess, absl::Milliseconds(20), Now());
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
  clock_.Advance(absl::Seconds(1));
  tracker_.OnOutcome(kUs, Outcome::kFailure, absl::Seconds(2), Now());
  EXPECT_EQ(StateOf(kUs), HealthState::kProbing);
}

TEST_F(HealthTrackerTest, AnEjectedReplicaThatAnswersAsALastResortIsBack) {
  Eject(kUs);
  Report(kUs, Outcome::kSuccess);
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, TheLastReplicaIsNeverEjected) {
  Eject(kUs);
  Eject(kAp);
  tracker_.OnConnectionLost(kEuB, "reset", Now());
  Report(kEuA, Outcome::kFailure, 100);
  Report(kEuA, Outcome::kBroken);
  tracker_.OnConnectionLost(kEuA, "reset", Now());
  EXPECT_EQ(StateOf(kEuA), HealthState::kUnknown);
  EXPECT_NE(StateOf(kEuB), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, ALostConnectionEjectsAtOnceAndSaysWhy) {
  tracker_.OnConnectionLost(kUs, "ping not answered in 2s", Now());
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
  EXPECT_EQ(ReasonFor(kUs), "connection lost: ping not answered in 2s");
}

TEST_F(HealthTrackerTest, AnAnsweredPingBringsBackWhatCouldNotBeReachedHoweverLongItsTimeOut) {
  tracker_.OnConnectionLost(kUs, "reset", Now());
  for (int i = 0; i < 6; ++i) {  // failed probes while it is away
    clock_.Advance(absl::Seconds(10));
    ASSERT_EQ(StateOf(kUs), HealthState::kProbing);
    Report(kUs, Outcome::kUnreachable, 1, absl::ZeroDuration());
  }
  clock_.Advance(absl::Milliseconds(999));
  tracker_.OnRoundTrip(kUs, absl::Milliseconds(90), Now());
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);  // it could be one that comes and goes
  clock_.Advance(absl::Milliseconds(1));
  tracker_.OnRoundTrip(kUs, absl::Milliseconds(90), Now());
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, PingsDoNotBringBackWhatWasReachedAndFailed) {
  Eject(kUs);
  clock_.Advance(absl::Seconds(5));
  tracker_.OnRoundTrip(kUs, absl::Milliseconds(90), Now());
  EXPECT_EQ(StateOf(kUs), HealthState::kProbing);
}

TEST_F(HealthTrackerTest, AFailedDiskEjectsAtOnce) {
  Report(kUs, Outcome::kBroken);
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
  EXPECT_EQ(ReasonFor(kUs), "its storage failed");
}

TEST_F(HealthTrackerTest, CallersInAHurryEjectNobody) {
  Report(kUs, Outcome::kTimeout, 100, absl::Milliseconds(150));  // its round trip is 100 ms
  EXPECT_EQ(StateOf(kUs), HealthState::kUnknown);
  Report(kUs, Outcome::kTimeout, 5, absl::Milliseconds(200));
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
}

TEST_F(HealthTrackerTest, AReplicaMuchSlowerThanItsOwnPastIsEjected) {
  Report(kUs, Outcome::kSuccess, 200, absl::Milliseconds(20));
  Report(kUs, Outcome::kSuccess, 100, absl::Milliseconds(60));  // slower, but not five times
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
  ReportSlow(kUs, absl::Milliseconds(400), 40);
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
  EXPECT_EQ(ReasonFor(kUs).substr(0, 6), "slow: ");
}

TEST_F(HealthTrackerTest, AnAnswerIsNoNewsOfAReplicaThatIsOutForSlowness) {
  Report(kUs, Outcome::kSuccess, 200, absl::Milliseconds(20));
  ReportSlow(kUs, absl::Milliseconds(800), 10);
  Report(kUs, Outcome::kSuccess);
  EXPECT_EQ(StateOf(kUs), HealthState::kEjected);
}

TEST_F(HealthTrackerTest, SlownessUnderTheFloorIsNoReason) {
  Report(kUs, Outcome::kSuccess, 200, absl::Microseconds(100));
  Report(kUs, Outcome::kSuccess, 200, absl::Milliseconds(40));
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, AReplicaThatWasSlowAndIsNotAnyMoreStaysIn) {
  Report(kUs, Outcome::kSuccess, 200, absl::Milliseconds(20));
  ReportSlow(kUs, absl::Milliseconds(800), 10);
  ASSERT_EQ(StateOf(kUs), HealthState::kEjected);
  clock_.Advance(absl::Seconds(1));
  Report(kUs, Outcome::kSuccess, 50, absl::Milliseconds(20));
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, LatenciesThatAreNotTheReplicasDoNotCount) {
  Report(kUs, Outcome::kSuccess, 200, absl::Milliseconds(20));
  Report(kUs, Outcome::kAlive, 100, absl::Seconds(2));
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
}

TEST_F(HealthTrackerTest, RoundTripsAreSmoothed) {
  tracker_.OnRoundTrip(kUs, absl::Milliseconds(80), Now());
  EXPECT_EQ(tracker_.Snapshot(Now())->Find(kUs)->round_trip, absl::Milliseconds(80));
  EXPECT_TRUE(tracker_.Snapshot(Now())->Find(kUs)->round_trip_measured);
  EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
  tracker_.OnRoundTrip(kUs, absl::Milliseconds(880), Now());
  EXPECT_EQ(tracker_.Snapshot(Now())->Find(kUs)->round_trip, absl::Milliseconds(180));
}

TEST_F(HealthTrackerTest, TheSnapshotIsTheSameObjectUntilSomethingChanges) {
  Report(kUs, Outcome::kSuccess);
  const auto before = tracker_.Snapshot(Now());
  Report(kUs, Outcome::kSuccess, 10);
  EXPECT_EQ(tracker_.Snapshot(Now()), before);
  Eject(kUs);
  const auto ejected = tracker_.Snapshot(Now());
  EXPECT_NE(ejected, before);
  EXPECT_EQ(before->Find(kUs)->state, HealthState::kHealthy);
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_EQ(tracker_.Snapshot(Now()), ejected);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_NE(tracker_.Snapshot(Now()), ejected);
}

TEST_F(HealthTrackerTest, WhateverHappensOneReplicaIsInAndTimeBringsProbesToTheOthers) {
  std::mt19937_64 random(7);
  const Target targets[] = {kEuA, kEuB, kUs, kAp};
  for (int i = 0; i < 50'000; ++i) {
    const Target target = targets[random() % 4];
    clock_.Advance(absl::Milliseconds(random() % 300));
    switch (random() % 8) {
      case 0:
        tracker_.OnConnectionLost(target, "reset", Now());
        break;
      case 1:
        tracker_.OnRoundTrip(target, absl::Milliseconds(random() % 300), Now());
        break;
      case 2:
        tracker_.TakeProbe(target, Now());
        break;
      default:
        // More failures than successes, or nothing would ever be ejected.
        tracker_.OnOutcome(target,
                           random() % 3 ? Outcome::kFailure : static_cast<Outcome>(random() % 6),
                           absl::Milliseconds(random() % 1000), Now());
    }
    int in = 0;
    const auto snapshot = tracker_.Snapshot(Now());
    for (Target each : targets) {
      const TargetHealth& health = *snapshot->Find(each);
      const bool is_in =
          health.state == HealthState::kHealthy || health.state == HealthState::kUnknown;
      in += is_in;
      ASSERT_EQ(health.reason.empty(), is_in);
    }
    ASSERT_GE(in, 1) << "step " << i;
    if (i % 1000 == 0) {
      const auto later = tracker_.Snapshot(Now() + absl::Seconds(10));
      for (Target each : targets) {
        ASSERT_NE(later->Find(each)->state, HealthState::kEjected);
      }
    }
  }
}

}  // namespace
}  // namespace homeport
