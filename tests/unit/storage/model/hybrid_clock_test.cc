#include "storage/model/hybrid_clock.h"

#include "gtest/gtest.h"

namespace homeport {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(HybridClockTest, ReadingsNeverRepeatThoughTimeStandsStill) {
  HybridClock clock({}, kStart, absl::ZeroDuration(), HybridTime());
  HybridTime last;
  for (int i = 0; i < 10000; ++i) {
    const HybridTime next = clock.Next(kStart, absl::ZeroDuration());
    ASSERT_GT(next, last);
    last = next;
  }
}

TEST(HybridClockTest, BeginsAfterItsFloor) {
  const HybridTime floor = FromWallTime(kStart + absl::Hours(1));
  HybridClock clock({}, kStart, absl::ZeroDuration(), floor);
  EXPECT_GT(clock.Next(kStart, absl::ZeroDuration()), floor);
}

TEST(HybridClockTest, ASmallOffsetIsSlewedByATwentiethOfTheTimePassed) {
  HybridClock clock({}, kStart, absl::ZeroDuration(), HybridTime());
  const absl::Duration off = absl::Milliseconds(100);
  EXPECT_EQ(clock.Physical(kStart + absl::Seconds(1) + off, absl::Seconds(1)),
            kStart + absl::Seconds(1) + absl::Milliseconds(50));
  EXPECT_EQ(clock.Physical(kStart + absl::Seconds(10) + off, absl::Seconds(10)),
            kStart + absl::Seconds(10) + off);
}

TEST(HybridClockTest, AJumpBeyondTheLimitIsNotFollowedEitherWayAndCountedOnce) {
  for (const int sign : {-1, 1}) {
    HybridClock clock({}, kStart, absl::ZeroDuration(), HybridTime());
    for (int second = 1; second <= 5; ++second) {
      const absl::Duration passed = absl::Seconds(second);
      EXPECT_EQ(clock.Physical(kStart + passed + sign * absl::Hours(1), passed), kStart + passed);
    }
    EXPECT_EQ(clock.jumps_ignored(), 1u);
    EXPECT_EQ(clock.offset(), sign * absl::Hours(1));
  }
}

TEST(HybridClockTest, ASteadyClockThatWentBackDoesNotTurnTimeBack) {
  HybridClock clock({}, kStart, absl::Seconds(10), HybridTime());
  EXPECT_EQ(clock.Physical(kStart, absl::Seconds(5)), kStart);
}

TEST(HybridClockTest, LaterReadingsAreGreaterThanWhatWasObserved) {
  HybridClock clock({}, kStart, absl::ZeroDuration(), HybridTime());
  const HybridTime other = FromWallTime(kStart + absl::Milliseconds(400));
  clock.Observe(other);
  EXPECT_GT(clock.Next(kStart, absl::ZeroDuration()), other);
}

TEST(HybridClockTest, TheDriftLimitIsTheEdgeOfTooFarAhead) {
  HybridClock clock({}, kStart, absl::ZeroDuration(), HybridTime());
  const HybridTime edge = FromWallTime(kStart + absl::Milliseconds(500));
  EXPECT_FALSE(clock.TooFarAhead(edge, kStart, absl::ZeroDuration()));
  EXPECT_TRUE(clock.TooFarAhead(HybridTime(edge.value() + kHybridTicksPerMicro), kStart,
                                absl::ZeroDuration()));
}

}  // namespace
}  // namespace homeport
