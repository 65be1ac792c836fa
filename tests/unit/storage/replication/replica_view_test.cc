#include "storage/replication/replica_view.h"

#include "gtest/gtest.h"

namespace homeport {
namespace {

SessionToken TokenOf(std::initializer_list<SessionToken::Position> positions) {
  SessionToken token;
  for (const SessionToken::Position& position : positions) {
    token.Advance(position.origin, position.sequence);
  }
  return token;
}

// Origin 10 has 5 received and 3 applied; 20 is covered up to 7 by entry 1 of 30.
ReplicaView MakeView() {
  ReplicaView view;
  view.origins.resize(3);
  view.origins[0].origin = Origin(10);
  view.origins[0].received = Sequence(5);
  view.origins[0].applied = Sequence(3);
  view.origins[1].origin = Origin(20);
  view.origins[1].received = view.origins[1].applied = Sequence(7);
  view.origins[1].covered_by = Origin(30);
  view.origins[1].covered_at = Sequence(1);
  view.origins[1].covered_end = Sequence(7);
  view.origins[2].origin = Origin(30);
  view.origins[2].received = view.origins[2].applied = Sequence(4);
  return view;
}

TEST(ReplicaViewTest, ATokenIsCoveredByWhatIsAppliedNotByWhatIsReceived) {
  const ReplicaView view = MakeView();
  EXPECT_TRUE(view.Covers(SessionToken()));
  EXPECT_TRUE(view.Covers(TokenOf({{Origin(10), Sequence(3)}, {Origin(20), Sequence(7)}})));
  EXPECT_FALSE(view.Covers(TokenOf({{Origin(10), Sequence(4)}})));
}

TEST(ReplicaViewTest, WhatIsMissingIsNamed) {
  const ReplicaView view = MakeView();
  SessionToken::Position missing;
  EXPECT_FALSE(
      view.Covers(TokenOf({{Origin(10), Sequence(3)}, {Origin(20), Sequence(8)}}), &missing));
  EXPECT_EQ(missing, (SessionToken::Position{Origin(20), Sequence(8)}));
  // Of an origin that was never heard of nothing is applied.
  EXPECT_FALSE(view.Covers(TokenOf({{Origin(99), Sequence(1)}}), &missing));
  EXPECT_EQ(missing, (SessionToken::Position{Origin(99), Sequence(1)}));
}

TEST(ReplicaViewTest, ACoveredPositionBecomesTheChainEntrys) {
  SessionToken token = TokenOf({{Origin(10), Sequence(2)}, {Origin(20), Sequence(7)}});
  MakeView().Normalize(token);
  EXPECT_EQ(token, TokenOf({{Origin(10), Sequence(2)}, {Origin(30), Sequence(1)}}));
}

TEST(ReplicaViewTest, ACoveredPositionTakesNothingFromALaterOne) {
  SessionToken token = TokenOf({{Origin(20), Sequence(2)}, {Origin(30), Sequence(3)}});
  MakeView().Normalize(token);
  EXPECT_EQ(token, TokenOf({{Origin(30), Sequence(3)}}));
}

TEST(ReplicaViewTest, APositionPastTheCoveredEndIsKept) {
  SessionToken token = TokenOf({{Origin(20), Sequence(8)}, {Origin(99), Sequence(1)}});
  MakeView().Normalize(token);
  EXPECT_EQ(token, TokenOf({{Origin(20), Sequence(8)}, {Origin(99), Sequence(1)}}));
  EXPECT_FALSE(MakeView().Covers(token));
}

TEST(ReplicaViewTest, AReplicasWatermarkIsTheLatestOfItsStarts) {
  ReplicaView view = MakeView();
  const auto replica = std::make_shared<const ReplicaName>("eu-west/a");
  view.origins[1].replica = view.origins[2].replica = replica;
  view.origins[0].watermark = HybridTime(900);
  view.origins[1].watermark = HybridTime(100);
  view.origins[2].watermark = HybridTime(200);
  EXPECT_EQ(view.WatermarkOf(*replica), HybridTime(200));
  EXPECT_EQ(view.WatermarkOf(ReplicaName("us-east/a")), HybridTime(0));
}

TEST(ReplicaViewTest, APositionBeyondAClosedEndIsLostAndCanBeDropped) {
  ReplicaView view = MakeView();
  view.origins[0].closed_end = Sequence(5);
  SessionToken token = TokenOf({{Origin(10), Sequence(5)}, {Origin(20), Sequence(8)}});
  EXPECT_FALSE(view.FindLost(token).has_value());
  token.Advance(Origin(10), Sequence(6));
  const auto lost = view.FindLost(token);
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(*lost, (SessionToken::Position{Origin(10), Sequence(6)}));
  view.DropLost(token);
  EXPECT_EQ(token, TokenOf({{Origin(10), Sequence(5)}, {Origin(20), Sequence(8)}}));
}

// A disk that was put back to an old copy, and what it lost was on no other disk: no peer shows
// more than the copy, so the origin is never closed.
TEST(ReplicaViewTest, APositionBeyondACoveredEndIsLostOnceNoMemberHasMore) {
  ReplicaView view = MakeView();
  OriginView& earlier = view.origins[1];
  ASSERT_NE(earlier.covered_by, Origin(0));
  SessionToken token = TokenOf({{earlier.origin, Sequence(8)}});
  EXPECT_FALSE(view.FindLost(token).has_value());

  auto peer = std::make_shared<Member>();
  peer->origins[earlier.covered_by].applied = earlier.covered_at;
  peer->origins[earlier.origin].received = earlier.covered_end;
  const auto see = [&view](const Member& member) {
    view.members = std::make_shared<MemberReports>(
        MemberReports{{ReplicaName("eu-west/b"), std::make_shared<Member>(member)}});
  };
  see(*peer);
  EXPECT_FALSE(view.FindLost(token).has_value()) << "another member may have it";
  view.members_complete = true;
  ASSERT_TRUE(view.FindLost(token).has_value());

  peer->origins[earlier.origin].received = Sequence(8);
  see(*peer);
  EXPECT_FALSE(view.FindLost(token).has_value()) << "it is still to be had";
  peer->origins[earlier.origin].received = earlier.covered_end;
  peer->origins[earlier.covered_by].applied = Sequence(earlier.covered_at.value() - 1);
  see(*peer);
  EXPECT_FALSE(view.FindLost(token).has_value()) << "it said so before it knew of the end";

  peer->origins[earlier.covered_by].applied = earlier.covered_at;
  see(*peer);
  view.DropLost(token);
  EXPECT_EQ(token, TokenOf({{earlier.origin, earlier.covered_end}}));
}

}  // namespace
}  // namespace homeport
