// The clock that names writes.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

// A hybrid logical clock over the monotonic clock. Its physical part advances with steady time and
// is slewed towards the wall clock, by at most a twentieth of the time that passed; a wall clock
// that is further off than the drift limit is not followed, whichever way it jumped. Readings never
// repeat or go back. Thread-compatible; all time is passed in.
class HybridClock {
 public:
  struct Options {
    // Wall clocks and peers further off than this are not followed.
    absl::Duration drift_max = absl::Milliseconds(500);
  };

  // Starts at `wall`, or right after `floor` if that is later: `floor` is the greatest time that
  // the replica's disk knows.
  HybridClock(Options options, absl::Time wall, SteadyTime steady, HybridTime floor);

  // A reading for a new event: greater than every reading returned or observed before.
  HybridTime Next(absl::Time wall, SteadyTime steady);
  // True if `time` is too far ahead of this clock to be accepted now.
  bool TooFarAhead(HybridTime time, absl::Time wall, SteadyTime steady);
  // Makes all later readings greater than `time`. The caller has asked TooFarAhead().
  void Observe(HybridTime time);

  // The greatest reading returned, observed or known to the disk: all later ones are greater.
  HybridTime last() const { return last_; }
  // The physical part by itself: what the replica takes for the time of day.
  absl::Time Physical(absl::Time wall, SteadyTime steady);
  // Readings of the wall clock that were too far off to follow.
  uint64_t jumps_ignored() const { return jumps_ignored_; }
  // Wall clock less physical part at the last reading.
  absl::Duration offset() const { return offset_; }

 private:
  Options options_;
  absl::Time physical_;
  SteadyTime steady_;
  HybridTime last_;
  absl::Duration offset_;
  uint64_t jumps_ignored_ = 0;
  bool off_ = false;
};

}  // namespace homeport
