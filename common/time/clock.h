// Time as an input.
#pragma once

#include "absl/time/time.h"

namespace homeport {

// A point on a clock that never jumps; its zero means nothing, differences do.
using SteadyTime = absl::Duration;

// Reads time. Wall time is for showing and for versions; steady time is for intervals.
// Implementations are thread-safe. Waiting is not done here: what decides is given the time and
// says when it wants to be called again.
class Clock {
 public:
  virtual ~Clock() = default;
  // The time of day. May jump, either way.
  virtual absl::Time WallNow() const = 0;
  // Never goes back.
  virtual SteadyTime SteadyNow() const = 0;
};

}  // namespace homeport
