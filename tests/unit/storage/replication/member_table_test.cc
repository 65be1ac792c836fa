#include "storage/replication/member_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/replication/replica_view.h"

namespace homeport {
namespace {

using internal::v1::Heartbeat;
using internal::v1::MemberReport;
using ::testing::ElementsAre;

const ReplicaName kSelf("r0/a");
const ReplicaName kOne("r1/a");
const ReplicaName kTwo("r2/a");
const Origin kOrigin(50);

MemberReport ReportOf(const ReplicaName& name, uint64_t start, uint64_t as_of, uint64_t applied,
                      bool frozen = false) {
  MemberReport report;
  report.set_replica(name.value());
  report.set_start(start);
  report.set_as_of(as_of);
  auto* said = report.add_origins();
  said->set_origin(kOrigin.value());
  said->set_received(applied + 1);
  said->set_applied(applied);
  said->set_frozen(frozen);
  return report;
}

class MemberTableTest : public ::testing::Test {
 protected:
  MemberTableTest() {
    table_.SetMembers({"f", {{kSelf, {"all"}}, {kOne, {"all", "some"}}, {kTwo, {"all"}}}});
  }
  MemberTable table_{kSelf};
};

TEST_F(MemberTableTest, NothingIsKnownBeforeEveryMemberHasReported) {
  EXPECT_THAT(table_.Missing(), ElementsAre(kOne, kTwo));
  EXPECT_TRUE(table_.Observe(ReportOf(kOne, 1, 10, 5), kOne));
  EXPECT_EQ(table_.MinApplied(kOrigin), Sequence(0));
  EXPECT_FALSE(table_.AppliedByAll(kOrigin, Sequence(1), "all"));
  EXPECT_TRUE(table_.Observe(ReportOf(kTwo, 2, 10, 3), kTwo));
  EXPECT_TRUE(table_.Complete());
  EXPECT_EQ(table_.MinApplied(kOrigin), Sequence(3));
  EXPECT_EQ(table_.MaxReceived(kOrigin), Sequence(6));
  EXPECT_TRUE(table_.AppliedByAll(kOrigin, Sequence(3), "all"));
  EXPECT_FALSE(table_.AppliedByAll(kOrigin, Sequence(4), "all"));
}

TEST_F(MemberTableTest, OnlyMembersThatMayHoldANamespaceAreAskedAboutIt) {
  table_.Observe(ReportOf(kOne, 1, 10, 5), kOne);
  EXPECT_TRUE(table_.AppliedByAll(kOrigin, Sequence(5), "some"));
}

TEST_F(MemberTableTest, HearsayOfTheSameTimeTakesBackNothingThatAMemberSaysItself) {
  MemberReport own = ReportOf(kOne, 1, 10, 5);
  own.set_topology_fingerprint("new");
  own.add_kept_namespaces("some");
  EXPECT_TRUE(table_.Observe(own, kOne));
  table_.Observe(ReportOf(kOne, 1, 10, 4), kTwo);
  EXPECT_EQ(table_.Find(kOne)->fingerprint, "new");
  EXPECT_TRUE(table_.Find(kOne)->kept.contains("some"));
  table_.Observe(ReportOf(kOne, 1, 11, 5), kTwo);
  EXPECT_FALSE(table_.Find(kOne)->kept.contains("some"));
}

TEST_F(MemberTableTest, AStartThatBeginsAStreamIsNotPastWhateverOthersThought) {
  EXPECT_TRUE(table_.Observe(ReportOf(kOne, 2, 10, 5), kOne));
  // An earlier start whose clock was ahead.
  EXPECT_TRUE(table_.Observe(ReportOf(kOne, 1, 5000, 5), kTwo));
  EXPECT_FALSE(table_.Observe(ReportOf(kOne, 2, 6000, 6), kTwo));
  table_.TakeBackPast(kOne, Origin(2));
  EXPECT_TRUE(table_.Observe(ReportOf(kOne, 2, 11, 6), kOne));
  EXPECT_EQ(table_.Find(kOne)->start, Origin(2));
  EXPECT_FALSE(table_.Observe(ReportOf(kOne, 1, 9000, 7), kTwo));
  EXPECT_FALSE(table_.Observe(ReportOf(kOne, 1, 9000, 7), kOne)) << "a process that was replaced";
  EXPECT_EQ(table_.Find(kOne)->start, Origin(2));
}

TEST_F(MemberTableTest, ANamespaceThatIsNotWholeCountsAsNotApplied) {
  MemberReport report = ReportOf(kOne, 1, 10, 5);
  report.add_partial_namespaces("some");
  table_.Observe(report, kOne);
  EXPECT_FALSE(table_.AppliedByAll(kOrigin, Sequence(1), "some"));
  table_.Observe(ReportOf(kOne, 1, 11, 5), kOne);
  EXPECT_TRUE(table_.AppliedByAll(kOrigin, Sequence(1), "some"));
}

TEST_F(MemberTableTest, WithinOneStartPositionsOnlyGrow) {
  table_.Observe(ReportOf(kOne, 1, 10, 5, true), kOne);
  table_.Observe(ReportOf(kOne, 1, 9, 3), kTwo);
  EXPECT_EQ(table_.Find(kOne)->Of(kOrigin).applied, Sequence(5));
  EXPECT_TRUE(table_.Find(kOne)->Of(kOrigin).frozen);
}

TEST(LeftReplicaTest, WhatCameFromOthersSinceAnEmptyStartIsNotHeldAgainstAReplica) {
  const LeftReplicas left{{kOne, {kOrigin}}};
  internal::v1::Hello hello;
  hello.add_origins()->set_origin(kOrigin.value());
  EXPECT_EQ(OriginOfLeft(&left, kOne, hello.origins()), kOrigin);
  EXPECT_EQ(OriginOfLeft(&left, kTwo, hello.origins()), Origin(0));
  hello.mutable_origins(0)->set_came_since_start(true);
  EXPECT_EQ(OriginOfLeft(&left, kOne, hello.origins()), Origin(0));
}

TEST_F(MemberTableTest, ALaterStartReplacesWhatWasKnown) {
  table_.Observe(ReportOf(kOne, 1, 10, 5), kOne);
  EXPECT_TRUE(table_.Observe(ReportOf(kOne, 7, 11, 2), kTwo));
  EXPECT_EQ(table_.Find(kOne)->Of(kOrigin).applied, Sequence(2));
  EXPECT_FALSE(table_.Observe(ReportOf(kOne, 1, 12, 9), kOne)) << "of the start before";
  EXPECT_EQ(table_.Find(kOne)->start, Origin(7));
}

TEST_F(MemberTableTest, AMembersOwnWordOfItsStartBeatsAClockThatWasAhead) {
  table_.Observe(ReportOf(kOne, 1, 10, 5), kOne);
  EXPECT_FALSE(table_.Observe(ReportOf(kOne, 7, 3, 2), kTwo));
  EXPECT_TRUE(table_.Observe(ReportOf(kOne, 7, 3, 2), kOne));
  EXPECT_EQ(table_.Find(kOne)->start, Origin(7));
}

TEST_F(MemberTableTest, StrangersAndThisReplicaAreNotTakenNoteOf) {
  EXPECT_FALSE(table_.Observe(ReportOf(ReplicaName("r9/a"), 1, 10, 5), kOne));
  EXPECT_FALSE(table_.Observe(ReportOf(kSelf, 1, 10, 5), kOne));
  table_.Observe(ReportOf(kOne, 1, 10, 5), kOne);
  table_.SetMembers({"g", {{kSelf, {"all"}}, {kTwo, {"all"}}}});
  EXPECT_EQ(table_.Find(kOne), nullptr);
}

TEST_F(MemberTableTest, MembersKnowEachOtherOnceEachHasAppliedEverybodysStart) {
  const auto whole = [](const ReplicaName& name, uint64_t start) {
    MemberReport report = ReportOf(name, start, 10, 1);
    for (const uint64_t origin : {1, 2, 9}) {
      auto* said = report.add_origins();
      said->set_origin(origin);
      said->set_received(1);
      said->set_applied(1);
    }
    return report;
  };
  table_.Observe(whole(kOne, 1), kOne);
  EXPECT_FALSE(table_.KnowEachOther(Origin(9)));
  table_.Observe(whole(kTwo, 2), kTwo);
  EXPECT_TRUE(table_.KnowEachOther(Origin(9)));
  table_.Observe(whole(kTwo, 3), kTwo);  // of which nobody has heard
  EXPECT_FALSE(table_.KnowEachOther(Origin(9)));
}

TEST(ReportSenderTest, OnlyWhatHasChangedIsSentAgain) {
  MemberTable table(kSelf);
  table.SetMembers({"f", {{kSelf, {}}, {kOne, {}}, {kTwo, {}}}});
  table.Observe(ReportOf(kOne, 1, 10, 5), kOne);
  ReplicaView view;
  view.self = Origin(9);
  view.members = table.reports();
  OriginView own;
  own.origin = view.self;
  own.received = own.applied = Sequence(1);
  view.origins.push_back(own);

  ReportSender sender;
  Heartbeat first;
  sender.AddTo(first, kSelf, kTwo, view);
  ASSERT_EQ(first.members_size(), 2);
  EXPECT_EQ(first.members(0).replica(), kSelf.value());
  EXPECT_EQ(first.members(1).replica(), kOne.value());
  Heartbeat second;
  sender.AddTo(second, kSelf, kTwo, view);
  EXPECT_EQ(second.members_size(), 0);

  MemberReport other;
  other.set_replica(kOne.value());
  other.set_start(1);
  other.set_as_of(11);
  auto* said = other.add_origins();
  said->set_origin(51);
  said->set_received(1);
  table.Observe(other, kOne);
  view.members = table.reports();
  Heartbeat third;
  sender.AddTo(third, kSelf, kTwo, view);
  ASSERT_EQ(third.members_size(), 1);
  ASSERT_EQ(third.members(0).origins_size(), 1);
  EXPECT_EQ(third.members(0).origins(0).origin(), 51u);
}

TEST(ReportSenderTest, ALaterStartIsSentWholeAndNobodyIsToldOfItself) {
  MemberTable table(kSelf);
  table.SetMembers({"f", {{kSelf, {}}, {kOne, {}}, {kTwo, {}}}});
  table.Observe(ReportOf(kOne, 1, 10, 5), kOne);
  table.Observe(ReportOf(kTwo, 2, 10, 5), kTwo);
  ReplicaView view;
  view.self = Origin(9);
  view.members = table.reports();
  ReportSender sender;
  Heartbeat first;
  sender.AddTo(first, kSelf, kTwo, view);
  EXPECT_EQ(first.members_size(), 2);
  table.Observe(ReportOf(kOne, 3, 11, 5), kOne);
  view.members = table.reports();
  Heartbeat second;
  sender.AddTo(second, kSelf, kTwo, view);
  ASSERT_EQ(second.members_size(), 1);
  EXPECT_EQ(second.members(0).start(), 3u);
  EXPECT_EQ(second.members(0).origins_size(), 1);
}

}  // namespace
}  // namespace homeport
