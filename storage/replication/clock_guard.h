// Tells a replica whose clock runs ahead from one whose peers' clocks run behind.
//
// A clock too far ahead is the one fault that last-writer-wins does not survive: its writes beat
// everybody's until the others' clocks get there. So a replica that starts too far ahead of its
// peers takes no writes, nor does one that has just started before it was compared, if it can be.
// What is compared is the hybrid clock, not the wall clock: what stands on the disk may be ahead,
// too.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/ids.h"

namespace homeport {

// A peer's clock less this one's lies between these. The peer read its clock at some time between
// two readings of this one, so the bounds hold whatever the way there and back took.
struct ClockBounds {
  absl::Duration at_least = -absl::InfiniteDuration();
  absl::Duration at_most = absl::InfiniteDuration();
};

// From the peer's reading, and this clock's before (InfinitePast: not known) and after it.
ClockBounds BoundsOf(absl::Time peer, absl::Time before, absl::Time after);

// Thread-compatible.
class ClockGuard {
 public:
  enum class Verdict {
    kUndecided,  // no peer has said enough
    kTrusted,    // at least half of those that did agree, or the operator does; for good
    kSuspect,    // most of them are surely more than the limit behind this clock
  };

  ClockGuard(absl::Duration drift_max, bool confirmed)
      : drift_max_(drift_max), verdict_(confirmed ? Verdict::kTrusted : Verdict::kUndecided) {}

  // The peers that there are.
  void Expect(std::set<ReplicaName> peers) { peers_ = std::move(peers); }
  // A peer can not be asked.
  void OnUnreachable(const ReplicaName& peer) { answered_.insert(peer); }
  // True while nothing is decided, and some peer may still say something.
  bool Hears() const;

  // A peer's clock was read. Bounds that prove nothing change nothing.
  void Observe(const ReplicaName& peer, const ClockBounds& bounds);

  Verdict verdict() const { return verdict_; }
  // How far this clock is ahead of the median of those peers that it is surely ahead of, at least.
  absl::Duration ahead() const;

 private:
  const absl::Duration drift_max_;
  Verdict verdict_;
  // By peer: how far this clock is surely ahead of its; zero: not beyond the limit.
  std::map<ReplicaName, absl::Duration> ahead_;
  std::set<ReplicaName> peers_;
  // Those whose clock was read, or that can not be asked.
  std::set<ReplicaName> answered_;
};

}  // namespace homeport
