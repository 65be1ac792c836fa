#include "common/store/freshness.h"

#include <algorithm>

namespace homeport {

absl::Duration PredictWait(const WatermarkPace& pace, absl::Duration later,
                           absl::Duration max_staleness) {
  // Whatever comes only makes it younger.
  if (pace.age + later <= max_staleness) return absl::ZeroDuration();
  if (!pace.advancing || max_staleness < pace.least_age) return absl::InfiniteDuration();
  const absl::Duration interval = std::max(pace.interval, absl::Microseconds(1));
  const absl::Duration next = pace.least_age + interval - pace.age;
  if (next > later) return next - later;
  // It is overdue. At once an advance can not be taken for certain, later some will have been.
  if (later <= absl::ZeroDuration()) return interval;
  absl::Duration since;
  absl::IDivDuration(later - next, interval, &since);
  return pace.least_age + since <= max_staleness ? absl::ZeroDuration() : interval - since;
}

}  // namespace homeport
