#include "storage/model/hybrid_clock.h"

#include <algorithm>

namespace homeport {
namespace {

// A slewed clock runs at 0.95 to 1.05 of the steady one.
constexpr double kSlewShare = 0.05;

}  // namespace

HybridClock::HybridClock(Options options, absl::Time wall, SteadyTime steady, HybridTime floor)
    : options_(options), physical_(wall), steady_(steady), last_(floor) {}

absl::Time HybridClock::Physical(absl::Time wall, SteadyTime steady) {
  const absl::Duration passed = std::max(absl::ZeroDuration(), steady - steady_);
  steady_ = std::max(steady_, steady);
  physical_ += passed;
  offset_ = wall - physical_;
  if (absl::AbsDuration(offset_) > options_.drift_max) {
    // Counted once a jump, not once a reading.
    if (!off_) ++jumps_ignored_;
    off_ = true;
    return physical_;
  }
  off_ = false;
  // Most readings are of the same moment as the one before.
  if (passed == absl::ZeroDuration()) return physical_;
  const absl::Duration slew_max = passed * kSlewShare;
  physical_ += std::clamp(offset_, -slew_max, slew_max);
  return physical_;
}

HybridTime HybridClock::Next(absl::Time wall, SteadyTime steady) {
  const HybridTime physical = FromWallTime(Physical(wall, steady));
  last_ = std::max(physical, HybridTime(last_.value() + 1));
  return last_;
}

bool HybridClock::TooFarAhead(HybridTime time, absl::Time wall, SteadyTime steady) {
  return ToWallTime(time) > Physical(wall, steady) + options_.drift_max;
}

void HybridClock::Observe(HybridTime time) { last_ = std::max(last_, time); }

}  // namespace homeport
