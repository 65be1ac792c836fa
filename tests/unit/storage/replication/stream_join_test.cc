#include "storage/replication/stream_join.h"

#include <string>

#include "gtest/gtest.h"

namespace homeport {
namespace {

const Origin kOrigin(7);
const ReplicaName kC("c/a");
const ReplicaName kD("d/a");

StreamJoin::Piece PieceAt(uint64_t first, uint64_t last = 0, size_t bytes = 10) {
  return {Sequence(first), Sequence(last == 0 ? first : last), last != 0, std::string(bytes, 'x')};
}

class StreamJoinTest : public testing::Test {
 protected:
  StreamJoin::Answer Offer(const ReplicaName& peer, uint64_t at, uint64_t received,
                           size_t bytes = 10) {
    return join_.Offer(peer, kOrigin, PieceAt(at, 0, bytes), Sequence(received));
  }
  void Gap(const ReplicaName& peer, uint64_t first, uint64_t last, uint64_t received) {
    join_.AddGap(peer, kOrigin, Sequence(first), Sequence(last), Sequence(received));
  }
  uint64_t Seen(const ReplicaName& peer) {
    const auto view = join_.View();
    const JoinView::OfOrigin* joined = view == nullptr ? nullptr : view->Find(kOrigin);
    if (joined == nullptr || !joined->seen.contains(peer)) return 0;
    return joined->seen.at(peer).value();
  }
  uint64_t Take(uint64_t received) {
    auto piece = join_.Take(kOrigin, Sequence(received));
    return piece ? piece->last.value() : 0;
  }

  StreamJoin join_{{3 * (10 + StreamJoin::kPieceCost), 5 * (10 + StreamJoin::kPieceCost)}};
};

TEST_F(StreamJoinTest, WhatLiesBeyondAGapWaitsUntilTheGapIsFilled) {
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kKept);
  EXPECT_EQ(Take(1), 0u);
  EXPECT_EQ(Take(2), 3u);
  EXPECT_EQ(join_.bytes(), 0u);
}

TEST_F(StreamJoinTest, AJumpThatThePeerDidNotAnnounceIsUnexpected) {
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kUnexpected);
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 4, 1), StreamJoin::Answer::kUnexpected);
  EXPECT_EQ(Offer(kD, 3, 1), StreamJoin::Answer::kUnexpected);
}

TEST_F(StreamJoinTest, AGapThatDoesNotFollowThePeersStreamCountsForNothing) {
  Gap(kC, 4, 5, 1);
  EXPECT_TRUE(join_.empty());
  Gap(kC, 2, 2, 1);
  Gap(kC, 4, 5, 1);
  EXPECT_EQ(Seen(kC), 2u);
}

TEST_F(StreamJoinTest, TwoPeersFillEachOthersGaps) {
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kKept);
  Gap(kD, 2, 3, 1);
  EXPECT_EQ(Offer(kD, 4, 1), StreamJoin::Answer::kKept);
  EXPECT_EQ(Seen(kC), 3u);
  EXPECT_EQ(Seen(kD), 4u);
  EXPECT_EQ(Take(2), 3u);
  EXPECT_EQ(Take(3), 4u);
}

TEST_F(StreamJoinTest, WhatComesTwiceIsKeptOnce) {
  Gap(kC, 2, 2, 1);
  Gap(kD, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kKept);
  const size_t bytes = join_.bytes();
  EXPECT_EQ(Offer(kD, 3, 1), StreamJoin::Answer::kKept);
  EXPECT_EQ(join_.bytes(), bytes);
  EXPECT_EQ(Seen(kD), 3u);
}

TEST_F(StreamJoinTest, OfASkipThatIsPutTogetherDifferentlyTheLongerOneIsKept) {
  Gap(kC, 2, 2, 1);
  Gap(kD, 2, 2, 1);
  EXPECT_EQ(join_.Offer(kC, kOrigin, PieceAt(3, 4), Sequence(1)), StreamJoin::Answer::kKept);
  EXPECT_EQ(join_.Offer(kD, kOrigin, PieceAt(3, 6), Sequence(1)), StreamJoin::Answer::kKept);
  // What comes in the middle of it is passed by then.
  EXPECT_EQ(Offer(kC, 5, 1), StreamJoin::Answer::kKept);
  EXPECT_EQ(Take(2), 6u);
  EXPECT_EQ(Take(6), 0u);
  EXPECT_EQ(join_.bytes(), 0u);
}

TEST_F(StreamJoinTest, BeyondItsLimitAnOriginsPiecesAreDroppedAndThePeerIsToldOnce) {
  Gap(kC, 2, 2, 1);
  for (uint64_t at = 3; at <= 5; ++at) EXPECT_EQ(Offer(kC, at, 1), StreamJoin::Answer::kKept);
  EXPECT_EQ(Offer(kC, 6, 1), StreamJoin::Answer::kFull);
  EXPECT_EQ(Offer(kC, 7, 1), StreamJoin::Answer::kDropped);
  EXPECT_EQ(Seen(kC), 5u);  // from there it goes on
  EXPECT_TRUE(join_.View()->Find(kOrigin)->full.contains(kC));
  for (uint64_t at = 3; at <= 5; ++at) EXPECT_EQ(Take(at - 1), at);
  EXPECT_FALSE(join_.View()->Find(kOrigin)->full.contains(kC));
  // What was under way is still dropped, after the gap was passed too.
  join_.Prune([](Origin) { return std::optional<Sequence>(5); });
  EXPECT_EQ(Offer(kC, 8, 5), StreamJoin::Answer::kDropped);
  join_.OnTaken(kC, kOrigin, Sequence(6));
  EXPECT_EQ(Offer(kC, 8, 6), StreamJoin::Answer::kUnexpected);
}

TEST_F(StreamJoinTest, ForAPieceThatIsLargerThanTheLimitThereIsNeverRoom) {
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1, 1000), StreamJoin::Answer::kFull);
  EXPECT_TRUE(join_.View()->Find(kOrigin)->full.contains(kC));
  EXPECT_EQ(join_.bytes(), 0u);
}

TEST_F(StreamJoinTest, AllOriginsTogetherHaveALimitToo) {
  const Origin other(8);
  Gap(kC, 2, 2, 1);
  for (uint64_t at = 3; at <= 5; ++at) EXPECT_EQ(Offer(kC, at, 1), StreamJoin::Answer::kKept);
  join_.AddGap(kC, other, Sequence(1), Sequence(1), Sequence(0));
  for (uint64_t at = 2; at <= 3; ++at) {
    EXPECT_EQ(join_.Offer(kC, other, PieceAt(at), Sequence(0)), StreamJoin::Answer::kKept);
  }
  EXPECT_EQ(join_.Offer(kC, other, PieceAt(4), Sequence(0)), StreamJoin::Answer::kFull);
}

TEST_F(StreamJoinTest, AStreamThatBeginsAnewGoesByNoGapOfTheLastOne) {
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kKept);
  join_.Forget(kC);
  EXPECT_EQ(Seen(kC), 0u);
  EXPECT_EQ(Offer(kC, 4, 1), StreamJoin::Answer::kUnexpected);
  EXPECT_EQ(Take(2), 3u);  // what came is of use all the same
}

TEST_F(StreamJoinTest, WhatIsPassedIsForgotten) {
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kKept);
  join_.Prune([](Origin) { return std::optional<Sequence>(3); });
  EXPECT_TRUE(join_.empty());
  EXPECT_EQ(join_.bytes(), 0u);
  EXPECT_EQ(join_.View(), nullptr);
}

TEST_F(StreamJoinTest, AnOriginThatEndsKeepsNothingWaiting) {
  Gap(kC, 2, 2, 1);
  EXPECT_EQ(Offer(kC, 3, 1), StreamJoin::Answer::kKept);
  join_.Prune([](Origin) { return std::optional<Sequence>(); });
  EXPECT_TRUE(join_.empty());
  EXPECT_EQ(join_.bytes(), 0u);
}

TEST_F(StreamJoinTest, OriginsThatWaitAreBounded) {
  for (uint64_t origin = 1; origin <= StreamJoin::kOriginsMax + 1; ++origin) {
    join_.AddGap(kC, Origin(origin), Sequence(1), Sequence(1), Sequence(0));
  }
  EXPECT_EQ(join_.Origins().size(), StreamJoin::kOriginsMax);
}

}  // namespace
}  // namespace homeport
