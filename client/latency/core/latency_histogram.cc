#include "client/latency/core/latency_histogram.h"

#include <algorithm>
#include <cmath>

#include "absl/numeric/bits.h"
#include "common/base/check.h"

namespace homeport {
namespace {

// Of one power of two.
constexpr size_t kBuckets = 128;
// Bits of the values that are kept exactly.
constexpr int kExactBits = 8;
// Far above what a product of a quantile and a count is off by, far below one rank.
constexpr double kRankSlack = 1e-6;

size_t BucketOf(uint64_t us) {
  const int shift = std::max(0, static_cast<int>(absl::bit_width(us)) - kExactBits);
  return kBuckets * static_cast<size_t>(shift) + static_cast<size_t>(us >> shift);
}

// The largest value of a bucket.
int64_t EndOf(size_t bucket) {
  if (bucket < 2 * kBuckets) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kBuckets - 1;
  const size_t step = bucket - kBuckets * shift;
  return static_cast<int64_t>(((step + 1) << shift) - 1);
}

}  // namespace

void LatencyHistogram::Record(absl::Duration latency) {
  latency = std::clamp(latency, absl::ZeroDuration(), kLongest);
  const int64_t us = absl::ToInt64Microseconds(absl::Ceil(latency, absl::Microseconds(1)));
  const size_t bucket = BucketOf(static_cast<uint64_t>(us));
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  longest_us_ = std::max(longest_us_, us);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  longest_us_ = std::max(longest_us_, other.longest_us_);
}

absl::Duration LatencyHistogram::longest() const { return absl::Microseconds(longest_us_); }

std::optional<absl::Duration> LatencyHistogram::Quantile(double quantile) const {
  HP_CHECK(quantile >= 0 && quantile <= 1);
  if (count_ == 0) return std::nullopt;
  const double exact = std::ceil(quantile * static_cast<double>(count_) - kRankSlack);
  const uint64_t rank =
      std::clamp<uint64_t>(exact <= 1 ? 1 : static_cast<uint64_t>(exact), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return absl::Microseconds(std::min(EndOf(i), longest_us_));
  }
  return longest();
}

}  // namespace homeport
