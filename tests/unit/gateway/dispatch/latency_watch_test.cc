#include "gateway/dispatch/latency_watch.h"

#include <gtest/gtest.h>

#include <random>

namespace homeport {
namespace {

absl::Duration Ms(double count) { return absl::Milliseconds(count); }

// A watch that has seen `each` every 10 ms for ten seconds.
class LatencyWatchTest : public testing::Test {
 protected:
  void Add(absl::Duration latency, absl::Duration step = Ms(10)) {
    now_ += step;
    watch_.Add(latency, now_);
  }
  void Usual(absl::Duration latency = Ms(20)) {
    for (int i = 0; i < 1000; ++i) Add(latency);
  }
  // How long it takes until latencies of `latency` that end every `step` are called slow.
  absl::Duration UntilSlow(absl::Duration latency, absl::Duration step) {
    const SteadyTime began = now_;
    while (!watch_.IsSlow() && now_ < began + absl::Seconds(60)) Add(latency, step);
    return now_ - began;
  }

  SteadyTime now_ = absl::Hours(1);
  LatencyWatch watch_{LatencyWatchOptions{}};
};

TEST_F(LatencyWatchTest, TenTimesSlowIsSeenWithinTwoSlotsOfManySamples) {
  Usual();
  EXPECT_NEAR(absl::ToDoubleMilliseconds(watch_.usual()), 20, 0.1);
  EXPECT_LE(UntilSlow(Ms(200), Ms(10)), Ms(1010));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(watch_.recent()), 200, 0.1);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(watch_.usual()), 20, 2);
}

TEST_F(LatencyWatchTest, OneCallerAfterTheOtherSeesItInThreeAnswers) {
  Usual(Ms(80));
  EXPECT_EQ(UntilSlow(Ms(800), Ms(800)), Ms(2400));
}

TEST_F(LatencyWatchTest, NothingIsSlowBeforeMuchWasSeen) {
  for (int i = 0; i < 19; ++i) Add(Ms(1), absl::Seconds(1));
  EXPECT_FALSE(watch_.WouldBeSlow(absl::Seconds(10)));
  Add(Ms(1), absl::Seconds(1));
  EXPECT_TRUE(watch_.WouldBeSlow(absl::Seconds(10)));
}

TEST_F(LatencyWatchTest, AFactorUnderTheFloorIsNotSlow) {
  Usual(Ms(1));
  EXPECT_EQ(UntilSlow(Ms(50), Ms(10)), absl::Seconds(60));
}

TEST_F(LatencyWatchTest, OutliersAndStallsAreNotSlow) {
  std::mt19937_64 random(11);
  std::lognormal_distribution<double> jitter(3, 0.5);  // 20 ms in the middle
  Usual();
  for (int i = 0; i < 360'000; ++i) {  // an hour
    double ms = jitter(random);
    if (random() % 20 == 0) ms *= 30;
    // Twice a minute all that comes for 600 ms is answered at one moment.
    const int stalled = i % 3000;
    if (stalled < 60) ms += 10 * (60 - stalled);
    Add(Ms(ms), stalled == 0 ? Ms(600) : stalled < 60 ? absl::ZeroDuration() : Ms(10));
    ASSERT_FALSE(watch_.IsSlow()) << i;
  }
}

TEST_F(LatencyWatchTest, WhatIsSlowForGoodBecomesUsualSlowly) {
  Usual();
  EXPECT_LE(UntilSlow(Ms(150), Ms(10)), Ms(1010));
  const SteadyTime began = now_;
  while (watch_.IsSlow()) Add(Ms(150));
  EXPECT_GT(now_ - began, absl::Seconds(5));
  EXPECT_LT(now_ - began, absl::Minutes(5));
}

TEST_F(LatencyWatchTest, ForgivenItIsSeenAnew) {
  Usual();
  UntilSlow(Ms(200), Ms(10));
  watch_.Forgive();
  EXPECT_FALSE(watch_.IsSlow());
  EXPECT_FALSE(watch_.IsSuspect());
  EXPECT_LE(UntilSlow(Ms(200), Ms(10)), Ms(1010));
}

}  // namespace
}  // namespace homeport
