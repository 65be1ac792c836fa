// What keeps a replica from taking writes that it should not: its clock, a twin, and being new.
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "storage/replication/clock_guard.h"
#include "storage/replication/join_state.h"
#include "storage/replication/seed_view.h"
#include "storage/replication/twin.h"

namespace homeport {
namespace {

using Verdict = ClockGuard::Verdict;
using Phase = JoinState::Phase;

const absl::Time kWall = absl::FromUnixSeconds(1'700'000'000);
const ReplicaName kA("r1/a");
const ReplicaName kB("r2/a");
const ReplicaName kC("r3/a");

ClockBounds Exactly(absl::Duration offset) { return {offset, offset}; }

TEST(ClockGuardTest, BoundsHoldWhateverTheWayTook) {
  const ClockBounds bounds = BoundsOf(kWall, kWall - absl::Seconds(3), kWall + absl::Seconds(1));
  EXPECT_EQ(bounds.at_least, -absl::Seconds(1));
  EXPECT_EQ(bounds.at_most, absl::Seconds(3));
  EXPECT_EQ(BoundsOf(kWall, absl::InfinitePast(), kWall).at_most, absl::InfiniteDuration());
}

TEST(ClockGuardTest, WithoutPeersNothingIsDecided) {
  EXPECT_EQ(ClockGuard(absl::Seconds(1), false).verdict(), Verdict::kUndecided);
}

TEST(ClockGuardTest, AClockThatIsAheadOfMostPeersIsSuspectAndSaysByHowMuch) {
  ClockGuard guard(absl::Seconds(1), false);
  guard.Observe(kA, Exactly(-absl::Seconds(60)));
  EXPECT_EQ(guard.verdict(), Verdict::kSuspect);
  guard.Observe(kB, Exactly(-absl::Seconds(61)));
  EXPECT_EQ(guard.verdict(), Verdict::kSuspect);
  EXPECT_EQ(guard.ahead(), absl::Seconds(61));
}

TEST(ClockGuardTest, APeerThatAgreesWithASuspectClearsItWhenItIsNotOutvoted) {
  ClockGuard guard(absl::Seconds(1), false);
  guard.Observe(kA, Exactly(-absl::Seconds(60)));
  guard.Observe(kB, Exactly(-absl::Seconds(60)));
  guard.Observe(kC, Exactly(absl::ZeroDuration()));
  EXPECT_EQ(guard.verdict(), Verdict::kSuspect);
  guard.Observe(kB, Exactly(-absl::Milliseconds(900)));
  EXPECT_EQ(guard.verdict(), Verdict::kTrusted);
  // From then on clocks are slewed, and a peer's clock that is put back proves nothing.
  guard.Observe(kA, Exactly(-absl::Seconds(60)));
  guard.Observe(kB, Exactly(-absl::Seconds(60)));
  EXPECT_EQ(guard.verdict(), Verdict::kTrusted);
}

TEST(ClockGuardTest, AMessageThatWasLongUnderWayProvesNothing) {
  ClockGuard guard(absl::Seconds(1), false);
  guard.Observe(kA, BoundsOf(kWall, absl::InfinitePast(), kWall + absl::Seconds(60)));
  guard.Observe(kB, BoundsOf(kWall, kWall - absl::Seconds(5), kWall + absl::Seconds(60)));
  EXPECT_EQ(guard.verdict(), Verdict::kUndecided);
}

TEST(ClockGuardTest, AClockThatIsBehindIsTrustedForItsWritesLoseAndDoNotWin) {
  ClockGuard guard(absl::Seconds(1), false);
  guard.Observe(kA, Exactly(absl::Seconds(60)));
  EXPECT_EQ(guard.verdict(), Verdict::kTrusted);
}

TEST(ClockGuardTest, WhatTheOperatorConfirmedIsTrusted) {
  ClockGuard guard(absl::Seconds(1), true);
  guard.Observe(kA, Exactly(-absl::Seconds(60)));
  EXPECT_EQ(guard.verdict(), Verdict::kTrusted);
}

class TwinTest : public testing::Test {
 protected:
  TwinTest() {
    view_.self = Origin(5);
    Add(Origin(5), "r0/a");
  }
  OriginView& Add(Origin origin, const std::string& replica) {
    OriginView view{};
    view.origin = origin;
    view.replica = std::make_shared<const ReplicaName>(replica);
    view.applied_time = view.watermark = started_;
    return view_.origins.emplace_back(view);
  }
  std::optional<Origin> Find() {
    return FindTwin(view_, ReplicaName("r0/a"), started_, absl::Seconds(2));
  }
  const HybridTime started_ = FromWallTime(kWall);
  ReplicaView view_;
};

TEST_F(TwinTest, StartsBeforeThisOneAndOtherReplicasAreNoTwins) {
  Add(Origin(6), "r0/a").applied_time = FromWallTime(kWall + absl::Milliseconds(800));
  Add(Origin(7), "r1/a").applied_time = FromWallTime(kWall + absl::Hours(1));
  view_.origins[0].applied_time = FromWallTime(kWall + absl::Hours(1));  // this start itself
  EXPECT_EQ(Find(), std::nullopt);
}

TEST_F(TwinTest, AStartOfThisNameThatWritesAfterThisOneBeganIsATwin) {
  Add(Origin(6), "r0/a").applied_time = FromWallTime(kWall + absl::Seconds(3));
  EXPECT_EQ(Find(), Origin(6));
}

TEST_F(TwinTest, AStartOfThisNameThatIsAliveAndIdleIsATwin) {
  Add(Origin(6), "r0/a").watermark = FromWallTime(kWall + absl::Seconds(3));
  EXPECT_EQ(Find(), Origin(6));
}

class JoinTest : public testing::Test {
 protected:
  JoinTest() { join_.SetPeers({kA, kB}); }
  void Hear(const ReplicaName& peer, uint64_t applied) {
    internal::v1::Hello hello;
    hello.set_replica(peer.value());
    hello.add_origins()->set_origin(7);
    hello.mutable_origins(0)->set_applied(applied);
    join_.OnPeer(hello, now_);
  }
  void Applied(uint64_t sequence) {
    view_.origins.resize(1);
    view_.origins[0].origin = Origin(7);
    view_.origins[0].applied = Sequence(sequence);
  }
  bool Update() { return join_.Update(view_, now_); }

  SteadyTime now_ = absl::Hours(1);
  ReplicaView view_;
  JoinState join_{Phase::kCatchingUp};
};

TEST_F(JoinTest, ReadsOpenOnceEverythingThatPeersHadWhenTheyWereFirstHeardIsApplied) {
  EXPECT_FALSE(Update());
  EXPECT_EQ(join_.Describe(view_), "no peer was heard yet");
  Hear(kA, 10);
  Hear(kB, 20);
  Hear(kB, 9000);  // the second time does not count
  EXPECT_FALSE(Update());
  Applied(5);
  EXPECT_FALSE(Update());
  EXPECT_EQ(join_.Progress(view_), 0.25);
  now_ += absl::Seconds(3);
  EXPECT_EQ(join_.Remaining(view_, now_), absl::Seconds(9));
  Applied(20);
  EXPECT_TRUE(Update());
  EXPECT_EQ(join_.phase(), Phase::kComparing);
  EXPECT_FALSE(Update());
}

TEST_F(JoinTest, WhatAPeerLostWithItsDiskIsNotWaitedFor) {
  Hear(kA, 10);
  Hear(kB, 20);
  Applied(10);
  EXPECT_FALSE(Update());
  Hear(kB, 8);
  EXPECT_TRUE(Update());
}

TEST_F(JoinTest, APeerThatCanNotBeHeardIsWaitedForForATime) {
  Hear(kA, 10);
  Applied(10);
  EXPECT_FALSE(Update());
  EXPECT_TRUE(absl::StrContains(join_.Describe(view_), "not heard yet: r2/a"));
  now_ += JoinState::kHearMax;
  EXPECT_TRUE(Update());
}

TEST_F(JoinTest, WhileItIsSeededItIsNotCaughtUpAndTheSeedingIsTheProgress) {
  Hear(kA, 10);
  Hear(kB, 10);
  Applied(10);
  auto seeding = std::make_shared<SeedView>();
  seeding->namespaces.resize(2);
  seeding->namespaces[0].place.part = SeedPlace::Part::kEnd;
  seeding->namespaces[1].items = 25;
  seeding->namespaces[1].items_total = 100;
  view_.seeding = seeding;
  EXPECT_FALSE(Update());
  EXPECT_EQ(join_.Progress(view_), (1 + 0.25) / 2);
  view_.seeding.reset();
  EXPECT_TRUE(Update());
}

TEST_F(JoinTest, WritesOpenAfterACleanComparisonThatBeganWhenItHadCaughtUp) {
  EXPECT_FALSE(join_.OnCompared(now_));
  Hear(kA, 0);
  Hear(kB, 0);
  ASSERT_TRUE(Update());
  EXPECT_FALSE(join_.OnCompared(now_ - absl::Seconds(1)));
  EXPECT_TRUE(join_.OnCompared(now_ + absl::Seconds(1)));
  EXPECT_EQ(join_.phase(), Phase::kServing);
}

TEST_F(JoinTest, WhereNobodyElseHoldsAnythingThereIsNothingToWaitFor) {
  join_.SetPeers({});
  EXPECT_TRUE(Update());
  EXPECT_EQ(join_.phase(), Phase::kServing);
}

TEST_F(JoinTest, PhasesAreStoredByName) {
  for (const Phase phase : {Phase::kCatchingUp, Phase::kComparing, Phase::kServing}) {
    EXPECT_EQ(ParsePhase(PhaseName(phase)), phase);
  }
  EXPECT_EQ(ParsePhase("else"), std::nullopt);
}

}  // namespace
}  // namespace homeport
