// Latencies of a run, counted in buckets that grow with the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace homeport {

// Microseconds below 256 are kept exactly; above, each power of two has 128 buckets of equal width.
// That is the layout of HdrHistogram (Gil Tene, https://hdrhistogram.org) at two digits. What it
// answers is never below the true value, and above it by less than 1/128, or than a microsecond.
// At most 27 KB. Thread-compatible.
class LatencyHistogram {
 public:
  // Longer ones count as this.
  static constexpr absl::Duration kLongest = absl::Hours(1);

  // Negative ones count as zero. Rounded up to whole microseconds.
  void Record(absl::Duration latency);
  // As if what the other one recorded had been recorded here.
  void Merge(const LatencyHistogram& other);

  uint64_t count() const { return count_; }
  // The longest, to the microsecond; zero if there is none.
  absl::Duration longest() const;
  // The smallest bucket's end that at least the share `quantile` of all latencies does not exceed
  // (nearest rank), and never more than longest(). `quantile` in 0 to 1; nullopt if nothing was
  // recorded.
  std::optional<absl::Duration> Quantile(double quantile) const;

 private:
  // Grows to what was needed.
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  int64_t longest_us_ = 0;
};

}  // namespace homeport
