#include "storage/replication/closing.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using internal::v1::MemberReport;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const ReplicaName kSelf("r0/a");
const ReplicaName kOne("r1/a");
const ReplicaName kTwo("r2/a");
const ReplicaName kLeft("r9/a");
const Origin kStart(100);   // of this replica
const Origin kBefore(101);  // an earlier start of it
const Origin kPeer(102);    // the start of kOne
const Origin kOther(103);   // the start of kTwo
const Origin kGone(104);    // of kLeft

struct Has {
  Origin origin;
  uint64_t received;
  bool frozen = false;
};

class ClosingTest : public ::testing::Test {
 protected:
  ClosingTest() {
    table_.SetMembers({"f", {{kSelf, {}}, {kOne, {}}, {kTwo, {}}}});
    AddOrigin(kStart, kSelf, 1, 1000);
    AddOrigin(kPeer, kOne, 1, 1000);
    AddOrigin(kOther, kTwo, 1, 1000);
  }
  OriginState& AddOrigin(Origin origin, const ReplicaName& replica, uint64_t applied,
                         uint64_t time) {
    OriginState& state = origins_.At(origin);
    state.replica = std::make_shared<const ReplicaName>(replica);
    state.received = state.applied = Sequence(applied);
    state.first_time = state.watermark = state.received_time = HybridTime(time);
    return state;
  }
  void Report(const ReplicaName& name, Origin start, const std::vector<Has>& has,
              const std::string& fingerprint = "f") {
    MemberReport report;
    report.set_replica(name.value());
    report.set_start(start.value());
    report.set_as_of(++as_of_);
    report.set_topology_fingerprint(fingerprint);
    for (const Has& item : has) {
      auto* said = report.add_origins();
      said->set_origin(item.origin.value());
      said->set_received(item.received);
      said->set_applied(item.received);
      said->set_frozen(item.frozen);
    }
    table_.Observe(report, name);
  }
  // Both members have everybody's start, and so much of one more origin.
  void ReportBoth(Origin origin, uint64_t received, bool frozen = false) {
    for (const auto& [name, start] : {std::pair(kOne, kPeer), std::pair(kTwo, kOther)}) {
      Report(name, start, {{kStart, 1}, {kPeer, 1}, {kOther, 1}, {origin, received, frozen}});
    }
  }
  // The peer's next entry rests on that.
  void Await(Origin origin, uint64_t sequence) {
    origins_.At(kPeer).block =
        OriginBlock{OriginBlock::Kind::kDependency, origin, Sequence(sequence), HybridTime()};
  }
  KnownCluster Known() const { return {kSelf, kStart, origins_, table_}; }

  OriginTable origins_{kSelf};
  MemberTable table_{kSelf};
  uint64_t as_of_ = 0;
};

TEST_F(ClosingTest, WhatALaterStartCoversIsFinishedWhoeverClaimsToRunIt) {
  AddOrigin(kGone, kOne, 5, 900).covered_by = kPeer;
  Report(kOne, kGone, {{kGone, 5}});
  EXPECT_TRUE(IsFinished(Known(), kGone));
}

TEST_F(ClosingTest, AnOwnEarlierStartIsFinishedAndThePresentOneIsNot) {
  AddOrigin(kBefore, kSelf, 5, 900);
  EXPECT_TRUE(IsFinished(Known(), kBefore));
  EXPECT_FALSE(IsFinished(Known(), kStart));
  EXPECT_FALSE(IsFinished(Known(), Origin(999)));
}

TEST_F(ClosingTest, APeersStartIsFinishedOnceALaterOneIsApplied) {
  EXPECT_FALSE(IsFinished(Known(), kPeer));
  AddOrigin(Origin(110), kOne, 1, 2000);
  EXPECT_TRUE(IsFinished(Known(), kPeer));
  EXPECT_FALSE(IsFinished(Known(), Origin(110)));
}

TEST_F(ClosingTest, TheStartThatAPeerSaysIsItsOwnIsNotFinishedWhateverItsClock) {
  AddOrigin(Origin(110), kOne, 1, 500);  // the clock was set back
  Report(kOne, Origin(110), {{Origin(110), 1}});
  EXPECT_FALSE(IsFinished(Known(), Origin(110)));
}

TEST_F(ClosingTest, WhatAReplicaThatLeftHadIsFinished) {
  AddOrigin(kGone, kLeft, 5, 900);
  EXPECT_TRUE(IsFinished(Known(), kGone));
}

TEST_F(ClosingTest, AnOriginThatADiskLostIsAnnouncedOnceAllHaveTheSameOfIt) {
  AddOrigin(kBefore, kSelf, 5, 900);
  ReportBoth(kBefore, 5);
  EXPECT_TRUE(PlanClosing(Known(), {}, {}).empty()) << "its disk had everything";
  const ClosingPlan plan = PlanClosing(Known(), {kBefore}, {});
  EXPECT_THAT(plan.closing, ElementsAre(kBefore));
  EXPECT_THAT(plan.closed, IsEmpty());
}

TEST_F(ClosingTest, AnOriginWhoseDiskHadAllThatAnybodyHasIsAnnouncedIfEntriesWaitForMore) {
  AddOrigin(kBefore, kSelf, 5, 900);
  ReportBoth(kBefore, 5);
  Await(kBefore, 5);
  EXPECT_TRUE(PlanClosing(Known(), {}, {}).empty());
  Await(kBefore, 6);
  EXPECT_THAT(PlanClosing(Known(), {}, {}).closing, ElementsAre(kBefore));
}

TEST_F(ClosingTest, WhatEntriesWaitForOfAStartThatEverybodyDeniesIsClosedByTheFirstMember) {
  ReportBoth(kGone, 0);
  Await(kGone, 7);
  EXPECT_TRUE(PlanClosing(Known(), {}, {}).empty()) << "somebody may have it";
  EXPECT_THAT(PlanClosing(Known(), {}, {kGone}).closing, ElementsAre(kGone));
  MemberTable second(kOne);
  second.SetMembers({"f", {{kSelf, {}}, {kOne, {}}, {kTwo, {}}}});
  EXPECT_TRUE(PlanClosing({kOne, kPeer, origins_, second}, {}, {kGone}).empty());

  origins_.At(kGone).frozen = true;
  EXPECT_TRUE(PlanClosing(Known(), {}, {kGone}).empty()) << "others may still take it";
  ReportBoth(kGone, 0, true);
  EXPECT_THAT(PlanClosing(Known(), {}, {kGone}).closed, ElementsAre(Pair(kGone, Sequence(0))));
  origins_.At(kGone).closed_end = Sequence(0);
  EXPECT_TRUE(PlanClosing(Known(), {}, {kGone}).empty());
}

TEST_F(ClosingTest, NothingIsAnnouncedWhileAMemberHasNotReportedOrHasMore) {
  AddOrigin(kBefore, kSelf, 5, 900);
  Report(kOne, kPeer, {{kStart, 1}, {kBefore, 5}});
  EXPECT_TRUE(PlanClosing(Known(), {kBefore}, {}).empty());
  Report(kTwo, kOther, {{kStart, 1}, {kBefore, 6}});
  EXPECT_TRUE(PlanClosing(Known(), {kBefore}, {}).empty());
  origins_.At(kBefore).received = Sequence(6);
  EXPECT_TRUE(PlanClosing(Known(), {kBefore}, {}).empty()) << "one member has less";
  Report(kOne, kPeer, {{kBefore, 6}});
  EXPECT_THAT(PlanClosing(Known(), {kBefore}, {}).closing, ElementsAre(kBefore));
}

TEST_F(ClosingTest, NothingIsAnnouncedToWhoMayStillListenToTheOrigin) {
  AddOrigin(kBefore, kSelf, 5, 900);
  Report(kOne, kPeer, {{kStart, 1}, {kBefore, 5}});
  Report(kTwo, kOther, {{kBefore, 5}});
  EXPECT_TRUE(PlanClosing(Known(), {kBefore}, {}).empty());
}

TEST_F(ClosingTest, AnOriginIsClosedAtTheGreatestPositionOnceAllAreFrozen) {
  AddOrigin(kBefore, kSelf, 5, 900).frozen = true;
  Report(kOne, kPeer, {{kStart, 1}, {kBefore, 5, true}});
  Report(kTwo, kOther, {{kStart, 1}, {kBefore, 7}});
  EXPECT_TRUE(PlanClosing(Known(), {kBefore}, {}).empty());
  Report(kTwo, kOther, {{kBefore, 7, true}});
  EXPECT_THAT(PlanClosing(Known(), {kBefore}, {}).closed, ElementsAre(Pair(kBefore, Sequence(7))));
  origins_.At(kBefore).closed_end = Sequence(7);
  EXPECT_TRUE(PlanClosing(Known(), {kBefore}, {}).empty());
}

TEST_F(ClosingTest, TheFirstMemberByNameClosesForAReplicaThatLeft) {
  AddOrigin(kGone, kLeft, 5, 900);
  ReportBoth(kGone, 5);
  EXPECT_THAT(PlanClosing(Known(), {}, {}).closing, ElementsAre(kGone));
  table_.SetMembers({"f", {{ReplicaName("a/a"), {}}, {kSelf, {}}, {kOne, {}}, {kTwo, {}}}});
  EXPECT_TRUE(PlanClosing(Known(), {}, {}).empty());
}

TEST_F(ClosingTest, AReplicaHasLeftOnceEveryMemberHasTheTopologyThatSaysSo) {
  AddOrigin(kGone, kLeft, 5, 900);
  Report(kOne, kPeer, {{kStart, 1}, {kGone, 5}});
  Report(kTwo, kOther, {{kStart, 1}, {kGone, 5}}, "older");
  EXPECT_TRUE(PlanClosing(Known(), {}, {}).empty());
}

TEST_F(ClosingTest, WhatAChainEntryEndsIsNotClosedBesides) {
  OriginState& gone = AddOrigin(kGone, kLeft, 5, 900);
  gone.covered_by = Origin(105);
  gone.covered_end = Sequence(5);
  ReportBoth(kGone, 5);
  EXPECT_TRUE(PlanClosing(Known(), {}, {}).empty());
}

TEST_F(ClosingTest, EverythingIsAppliedUpToTheLeastWatermarkOfALiveOrigin) {
  origins_.At(kPeer).watermark = HybridTime(3000);
  origins_.At(kOther).watermark = HybridTime(2500);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(0)) << "nobody has reported";
  ReportBoth(kStart, 1);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(2500));
  // An earlier origin holds it up until it ends.
  OriginState& before = AddOrigin(kBefore, kSelf, 5, 900);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(900));
  before.closed_end = Sequence(6);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(900));
  before.closed_end = Sequence(5);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(2500));
}

TEST_F(ClosingTest, ACoveredOriginOfWhichAMemberHasMoreHoldsUpWhatWouldGo) {
  ReportBoth(kBefore, 5);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(0)) << "of which nothing is here";
  OriginState& before = AddOrigin(kBefore, kSelf, 5, 900);
  before.covered_by = kStart;
  before.covered_end = Sequence(5);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(1000));
  ReportBoth(kBefore, 6);
  EXPECT_EQ(AppliedUpTo(Known()), HybridTime(900));
}

}  // namespace
}  // namespace homeport
