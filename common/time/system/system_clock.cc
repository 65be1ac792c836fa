#include "common/time/system/system_clock.h"

#include <time.h>

namespace homeport {
namespace {

timespec Read(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now;
}

}  // namespace

// Not absl::Now(), which goes by the processor's cycles between its looks at the clock, and so sees
// a jump seconds late.
absl::Time SystemClock::WallNow() const { return absl::TimeFromTimespec(Read(CLOCK_REALTIME)); }

SteadyTime SystemClock::SteadyNow() const {
  return absl::DurationFromTimespec(Read(CLOCK_MONOTONIC));
}

}  // namespace homeport
