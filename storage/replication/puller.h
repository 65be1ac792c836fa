// Which replica of a region pulls from afar, so that far entries cross the distance once.
//
// Each replica decides for itself and for each far peer: the first by name that is fit pulls, and
// all others stand by on their own link and have the peer's entries relayed inside the region. A
// sibling is fit as long as its link is established and it keeps up with what the far peer says
// that it has; so one whose own far link is cut, which nobody else sees, is found out by what it
// lacks. Nor is one fit that does not give on what it has, as while the region is given a
// namespace: what it left out before, others still need; nor one that lacks what a far peer has of
// this replica's own starts, which nobody fetches but this replica. No agreement is needed: two
// that pull cost bytes, and nobody that pulls heals by itself.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/time/clock.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// What the choice looks at, of one link.
struct PullCandidate {
  ReplicaName peer;
  bool established = false;
  // The peer is of this replica's region.
  bool sibling = false;
  const LinkReceiver* receiver = nullptr;
};

// Thread-compatible.
class PullerChoice {
 public:
  // It is not asked again for so long, and twice as long each time.
  static constexpr absl::Duration kPenaltyMin = absl::Seconds(5);
  static constexpr absl::Duration kPenaltyMax = absl::Minutes(5);

  // A sibling that makes no progress for `stall_max` with what a far peer has is not fit for it:
  // several heartbeats, by which that is known.
  PullerChoice(ReplicaName self, absl::Duration stall_max)
      : self_(std::move(self)), stall_max_(stall_max) {}

  // For each candidate whether this replica stands by on the link to it; never for siblings.
  std::vector<bool> StandBy(const std::vector<PullCandidate>& candidates, const ReplicaView& view,
                            SteadyTime now);

 private:
  struct Watch {
    uint64_t received = 0;  // of the far peer's origins, by the sibling
    SteadyTime moved;       // when that last grew, or was all that there is
    SteadyTime unfit_until = -absl::InfiniteDuration();
    absl::Duration penalty = kPenaltyMin;
    bool seen = false;
  };
  bool Fit(const PullCandidate& sibling, const PullCandidate& far, const ReplicaView& view,
           SteadyTime now);

  const ReplicaName self_;
  const absl::Duration stall_max_;
  // By sibling and far peer.
  std::map<std::pair<ReplicaName, ReplicaName>, Watch> watches_;
};

}  // namespace homeport
