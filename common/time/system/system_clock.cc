#include "common/time/system/system_clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace homeport {

absl::Time SystemClock::WallNow() const { return absl::Now(); }

SteadyTime SystemClock::SteadyNow() const {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return absl::DurationFromTimespec(ts);
}

}  // namespace homeport
