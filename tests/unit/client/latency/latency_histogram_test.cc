#include "client/latency/core/latency_histogram.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(LatencyHistogramTest, NothingRecordedHasNoQuantiles) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.longest(), absl::ZeroDuration());
  EXPECT_FALSE(histogram.Quantile(0.5).has_value());
}

TEST(LatencyHistogramTest, QuantilesOfShortLatenciesAreNearestRanks) {
  LatencyHistogram histogram;
  for (int us = 1; us <= 100; ++us) histogram.Record(absl::Microseconds(us));
  for (int percent = 1; percent <= 100; ++percent) {
    EXPECT_EQ(histogram.Quantile(percent / 100.0), absl::Microseconds(percent)) << percent;
  }
  EXPECT_EQ(histogram.Quantile(0), absl::Microseconds(1));
}

TEST(LatencyHistogramTest, QuantilesAreNeverTooLowAndTooHighByLessThanAPartIn128) {
  std::mt19937_64 random(7);
  LatencyHistogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    const int bits = static_cast<int>(random() % 31);
    const int64_t us = static_cast<int64_t>(random() & ((uint64_t{1} << bits) - 1));
    all.push_back(us);
    histogram.Record(absl::Microseconds(us));
  }
  std::sort(all.begin(), all.end());
  for (int mille = 1; mille <= 1000; ++mille) {
    const size_t rank = static_cast<size_t>(mille) * all.size() / 1000;
    const int64_t exact = all[rank - 1];
    const int64_t told = absl::ToInt64Microseconds(*histogram.Quantile(mille / 1000.0));
    ASSERT_GE(told, exact);
    ASSERT_LE((told - exact) * 128, std::max<int64_t>(exact, 0));
  }
}

TEST(LatencyHistogramTest, EveryPowerOfTwoAndItsNeighboursAreToldWithinTheError) {
  for (int bits = 1; bits < 31; ++bits) {
    for (int64_t us : {(int64_t{1} << bits) - 1, int64_t{1} << bits, (int64_t{1} << bits) + 1}) {
      LatencyHistogram histogram;
      histogram.Record(absl::Microseconds(us));
      histogram.Record(absl::Hours(1));
      const int64_t told = absl::ToInt64Microseconds(*histogram.Quantile(0.5));
      EXPECT_GE(told, us);
      EXPECT_LE((told - us) * 128, us);
    }
  }
}

TEST(LatencyHistogramTest, PartsOfAMicrosecondCountAsAWholeOne) {
  LatencyHistogram histogram;
  histogram.Record(absl::Nanoseconds(1));
  EXPECT_EQ(histogram.longest(), absl::Microseconds(1));
}

TEST(LatencyHistogramTest, WhatIsOutOfRangeCountsAsTheEndOfTheRange) {
  LatencyHistogram histogram;
  histogram.Record(-absl::Seconds(1));
  histogram.Record(absl::InfiniteDuration());
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
  EXPECT_EQ(histogram.Quantile(1), LatencyHistogram::kLongest);
  EXPECT_EQ(histogram.longest(), LatencyHistogram::kLongest);
}

TEST(LatencyHistogramTest, MergedIsAsRecordedInOne) {
  LatencyHistogram one;
  LatencyHistogram parts[2];
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration latency = absl::Microseconds(i * i);
    one.Record(latency);
    parts[i % 3 == 0 ? 0 : 1].Record(latency);
  }
  LatencyHistogram merged;
  merged.Merge(parts[0]);
  merged.Merge(parts[1]);
  merged.Merge(LatencyHistogram());
  EXPECT_EQ(merged.count(), one.count());
  EXPECT_EQ(merged.longest(), one.longest());
  for (double quantile : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    EXPECT_EQ(merged.Quantile(quantile), one.Quantile(quantile)) << quantile;
  }
}

}  // namespace
}  // namespace homeport
