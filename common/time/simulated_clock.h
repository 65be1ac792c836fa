// A clock that tests turn by hand.
#pragma once

#include "absl/synchronization/mutex.h"
#include "common/time/clock.h"

namespace homeport {

// Both clocks stand still until moved. Thread-safe.
class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(absl::Time wall = absl::FromUnixSeconds(1'700'000'000)) : wall_(wall) {}

  absl::Time WallNow() const override {
    absl::MutexLock lock(&mutex_);
    return wall_;
  }
  SteadyTime SteadyNow() const override {
    absl::MutexLock lock(&mutex_);
    return steady_;
  }
  // Moves both clocks forward.
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    wall_ += by;
    steady_ += by;
  }
  // Moves the wall clock alone, either way, as a bad time server would.
  void JumpWall(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    wall_ += by;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Time wall_ ABSL_GUARDED_BY(mutex_);
  SteadyTime steady_ ABSL_GUARDED_BY(mutex_) = absl::Hours(1);
};

}  // namespace homeport
