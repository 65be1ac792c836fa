// How far behind the other replicas a store is, and how far it is going to be. Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/time/clock.h"

namespace homeport {

// How a watermark moves at a replica: it advances about every `interval`, and is then `least_age`
// old, which is the way that it has come.
struct WatermarkPace {
  absl::Duration age = absl::InfiniteDuration();  // infinite: the writer was not heard of
  absl::Duration least_age = absl::ZeroDuration();
  absl::Duration interval = absl::ZeroDuration();
  // False when the writer has been silent: nothing is to be expected of it.
  bool advancing = false;
};

// After so long without an advance a writer is silent. Idle writers send a watermark every 500 ms.
inline constexpr absl::Duration kWriterSilence = absl::Seconds(2);

// How long a read that comes `later` has to wait for the watermark to be at most `max_staleness`
// old. Zero: it has not to; with `later` zero that is so exactly if the age is within the bound.
// Infinite: waiting is not expected to help.
absl::Duration PredictWait(const WatermarkPace& pace, absl::Duration later,
                           absl::Duration max_staleness);

// What a store has of one writer.
struct WriterFreshness {
  std::string replica;
  WatermarkPace pace;
};

// What a store has of the other replicas, at a moment. Immutable, shared.
struct StoreFreshness {
  SteadyTime as_of;
  std::vector<WriterFreshness> writers;

  // Null if nothing was said of the replica.
  const WriterFreshness* Find(const std::string& replica) const {
    for (const WriterFreshness& writer : writers) {
      if (writer.replica == replica) return &writer;
    }
    return nullptr;
  }
};

}  // namespace homeport
