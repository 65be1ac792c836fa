// When the requests of an open-loop client are due.
#pragma once

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace homeport {

// A Poisson process: what many users who know nothing of each other do. Times depend on the seed
// and the rate alone, never on answers; a latency that is measured from the due time counts the
// waiting that a slow answer causes to those after it (no coordinated omission). Thread-compatible.
class PoissonArrivals {
 public:
  // `per_second` above 0, at most 1,000,000.
  PoissonArrivals(uint64_t seed, double per_second);

  // The next due time, since the start of the run. Never decreases.
  absl::Duration Next();

 private:
  std::mt19937_64 random_;
  const double per_second_;
  absl::Duration due_ = absl::ZeroDuration();
};

}  // namespace homeport
