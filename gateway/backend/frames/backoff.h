// How long to wait before trying again.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace homeport {

// Waits that double from `first` to `max`, each with up to half of it taken away at random, so that
// those who lost the same peer do not come back together. Thread-compatible.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration max) : first_(first), max_(max), next_(first) {}

  // The next wait. `random` is uniform in [0, 1).
  absl::Duration Next(double random) {
    const absl::Duration wait = next_ * (1 - random / 2);
    next_ = std::min(next_ * 2, max_);
    return wait;
  }
  // The next wait is `first` again.
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration max_;
  absl::Duration next_;
};

}  // namespace homeport
