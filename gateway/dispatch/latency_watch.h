// Whether what usually takes some time has begun to take much longer. Pure: time comes with each
// sample.
//
// Time is cut into slots. A slot is slow when more than half of its samples are above a factor
// times what is usual, which is the mean over past slots: a few outliers, and a stall that delays
// many samples at one moment, make no slot slow that follows. Slow slots in a row are a run; slots
// without a sample do not end it. So the detection needs a factor, not a distribution, and its
// delay is known: a run of two slots and of three samples that is as long as two slots. A factor
// of the own past with a count of consecutive intervals is the success-rate outlier detection of
// Envoy, put on latency; the median in a slot in place of a mean follows "The Tail at Scale" (Dean
// and Barroso, 2013): one answer in a hundred is slow everywhere.
//
// What is usual follows a lasting change with a time constant of a hundred slots, so that what is
// slow for a minute does not become usual meanwhile.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/time/clock.h"

namespace homeport {

struct LatencyWatchOptions {
  absl::Duration slot = absl::Milliseconds(500);
  // A latency above this factor times the usual one, and above the floor, is slow.
  double factor = 5;
  absl::Duration floor = absl::Milliseconds(50);
  // Nothing is judged before so much was seen.
  int samples_min = 20;
  int slots_min = 4;
};

// Thread-compatible.
class LatencyWatch {
 public:
  explicit LatencyWatch(const LatencyWatchOptions& options) : options_(options) {}

  // A sample that ended at `now`, which does not go back.
  void Add(absl::Duration latency, SteadyTime now);
  // The run is long enough.
  bool IsSlow() const;
  // The last sample's slot is slow as far as it goes, however long the run.
  bool IsSuspect() const { return OpenIsSlow(); }
  // Whether one sample would count as slow.
  bool WouldBeSlow(absl::Duration latency) const;
  // Ends the run: what comes is judged anew, against what was usual.
  void Forgive();

  // Zero before the first slot is over.
  absl::Duration usual() const { return usual_; }
  // The mean of the slow samples of the run; of the open slot if there is no run.
  absl::Duration recent() const;
  SteadyTime last() const { return last_; }

 private:
  bool OpenIsSlow() const { return open_slow_ * 2 > open_samples_; }
  void CloseSlot();

  LatencyWatchOptions options_;
  int64_t samples_ = 0;
  int64_t slots_ = 0;
  absl::Duration usual_ = absl::ZeroDuration();
  SteadyTime last_ = -absl::InfiniteDuration();

  // The slot that the last sample is in.
  int64_t open_slot_ = 0;
  int64_t open_samples_ = 0;
  int64_t open_slow_ = 0;
  absl::Duration open_sum_ = absl::ZeroDuration();
  absl::Duration open_slow_sum_ = absl::ZeroDuration();
  SteadyTime open_since_ = absl::ZeroDuration();

  // Slow slots in a row before the open one.
  int64_t run_slots_ = 0;
  int64_t run_slow_ = 0;
  absl::Duration run_slow_sum_ = absl::ZeroDuration();
  SteadyTime run_since_ = absl::ZeroDuration();
};

}  // namespace homeport
