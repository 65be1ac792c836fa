#include "client/latency/core/poisson_arrivals.h"

#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(PoissonArrivalsTest, TheSameSeedGivesTheSameTimes) {
  PoissonArrivals a(3, 50);
  PoissonArrivals b(3, 50);
  PoissonArrivals other(4, 50);
  EXPECT_NE(PoissonArrivals(3, 50).Next(), other.Next());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(a.Next(), b.Next());
}

TEST(PoissonArrivalsTest, TimesNeverDecreaseAndKeepTheRate) {
  PoissonArrivals arrivals(1, 100);
  absl::Duration last;
  for (int i = 0; i < 10'000; ++i) {
    const absl::Duration due = arrivals.Next();
    EXPECT_GE(due, last);
    last = due;
  }
  // 10,000 gaps of 10 ms: the sum's standard deviation is 1 s.
  EXPECT_GT(last, absl::Seconds(95));
  EXPECT_LT(last, absl::Seconds(105));
}

TEST(PoissonArrivalsTest, GapsAreNotEven) {
  PoissonArrivals arrivals(1, 100);
  int short_gaps = 0;
  absl::Duration last;
  for (int i = 0; i < 10'000; ++i) {
    const absl::Duration due = arrivals.Next();
    if (due - last < absl::Milliseconds(1)) ++short_gaps;
    last = due;
  }
  // 1 - exp(-0.1) of them: 952, with a standard deviation of 29.
  EXPECT_GT(short_gaps, 800);
  EXPECT_LT(short_gaps, 1100);
}

}  // namespace
}  // namespace homeport
