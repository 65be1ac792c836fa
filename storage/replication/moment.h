// A moment, as code is told it that reads no clock.
#pragma once

#include "absl/time/time.h"
#include "common/time/clock.h"

namespace homeport {

// Both clocks at one moment.
struct Moment {
  absl::Time wall;
  SteadyTime steady;
};

}  // namespace homeport
