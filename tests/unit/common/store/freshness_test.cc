#include "common/store/freshness.h"

#include <gtest/gtest.h>

namespace homeport {
namespace {

constexpr absl::Duration kNow = absl::ZeroDuration();

absl::Duration Ms(int64_t count) { return absl::Milliseconds(count); }

// Comes 40 ms old, every 500 ms.
WatermarkPace Pace(absl::Duration age, bool advancing = true) {
  return {.age = age, .least_age = Ms(40), .interval = Ms(500), .advancing = advancing};
}

TEST(FreshnessTest, AnAgeWithinTheBoundNeedsNoWait) {
  EXPECT_EQ(PredictWait(Pace(Ms(300)), kNow, Ms(300)), kNow);
  EXPECT_EQ(PredictWait(Pace(Ms(300), false), kNow, Ms(300)), kNow);
  EXPECT_GT(PredictWait(Pace(Ms(301)), kNow, Ms(300)), kNow);
}

TEST(FreshnessTest, AWaitLastsUntilTheNextAdvance) {
  EXPECT_EQ(PredictWait(Pace(Ms(400)), kNow, Ms(100)), Ms(140));
  EXPECT_EQ(PredictWait(Pace(Ms(400)), Ms(100), Ms(100)), Ms(40));
}

TEST(FreshnessTest, NoWaitMeetsABoundBelowTheWayThatWatermarksCome) {
  EXPECT_EQ(PredictWait(Pace(Ms(400)), kNow, Ms(39)), absl::InfiniteDuration());
}

TEST(FreshnessTest, NothingIsExpectedOfASilentWriter) {
  EXPECT_EQ(PredictWait(Pace(Ms(400), false), kNow, Ms(100)), absl::InfiniteDuration());
  EXPECT_EQ(PredictWait(WatermarkPace(), kNow, absl::Hours(24)), absl::InfiniteDuration());
}

TEST(FreshnessTest, AnOverdueAdvanceIsNotTakenForOneThatHasCome) {
  EXPECT_EQ(PredictWait(Pace(Ms(700)), kNow, Ms(600)), Ms(500));
}

TEST(FreshnessTest, ALaterReadCountsOnTheAdvancesInBetween) {
  // The next ones come in 140 and 640 ms; at 700 ms the last is 40 + 60 ms old.
  EXPECT_EQ(PredictWait(Pace(Ms(400)), Ms(700), Ms(100)), kNow);
  EXPECT_EQ(PredictWait(Pace(Ms(400)), Ms(701), Ms(100)), Ms(439));
  EXPECT_EQ(PredictWait(Pace(Ms(400), false), Ms(700), Ms(1000)), absl::InfiniteDuration());
}

}  // namespace
}  // namespace homeport
