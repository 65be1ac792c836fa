// How the watermarks of a replica's peers move here.
#pragma once

#include <cstdint>
#include <limits>
#include <map>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/store/freshness.h"
#include "common/time/clock.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// What is known of one writer's watermark as of a commit.
struct WriterMark {
  // Up to here everything that the writer has written or will write is applied; 0: it was not heard
  // of.
  HybridTime mark;
  // As in WatermarkPace.
  absl::Duration least_age = absl::ZeroDuration();
  absl::Duration interval = absl::ZeroDuration();
  SteadyTime advanced_at = -absl::InfiniteDuration();
};

// The mark of a writer of which nothing can be missing.
inline const HybridTime kNothingMissing(std::numeric_limits<uint64_t>::max());

// How old what is known up to `mark` is when the replica's clock is at `clock`. Pure.
absl::Duration AgeAt(HybridTime mark, HybridTime clock);
// `clock` is the replica's clock at `now`. Pure.
WatermarkPace PaceAt(const WriterMark& writer, HybridTime clock, SteadyTime now);

// Up to where everything is applied that a replica has written, whichever of its starts; 0: it was
// not heard of. An earlier start counts while no later one is known to cover it and some member is
// known to have more of it than is applied here. Pure.
HybridTime MarkOf(const ReplicaView& view, const ReplicaName& replica);
// The same for the earlier starts of the replica whose view it is; what it writes now is never
// missing here, so without any the result is kNothingMissing.
HybridTime MarkOfSelf(const ReplicaView& view, const ReplicaName& self);

// Measures how often watermarks advance, and how old they then are. Thread-compatible.
class FreshnessTracker {
 public:
  // `mark` is `replica`'s as of a commit at `now`, when the replica's clock was `clock`.
  WriterMark Observe(const ReplicaName& replica, HybridTime mark, HybridTime clock, SteadyTime now);

 private:
  std::map<ReplicaName, WriterMark> writers_;
};

}  // namespace homeport
