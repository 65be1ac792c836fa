// The machine's clocks.
#pragma once

#include "common/time/clock.h"

namespace homeport {

// CLOCK_REALTIME and CLOCK_MONOTONIC. Thread-safe, stateless.
class SystemClock final : public Clock {
 public:
  absl::Time WallNow() const override;
  SteadyTime SteadyNow() const override;
};

}  // namespace homeport
