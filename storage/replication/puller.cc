#include "storage/replication/puller.h"

#include <algorithm>

namespace homeport {

std::vector<bool> PullerChoice::StandBy(const std::vector<PullCandidate>& candidates,
                                        const ReplicaView& view, SteadyTime now) {
  std::vector<bool> stand_by(candidates.size(), false);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].sibling) continue;
    for (const PullCandidate& other : candidates) {
      if (!other.sibling || !(other.peer < self_)) continue;
      if (Fit(other, candidates[i], view, now)) stand_by[i] = true;
    }
  }
  return stand_by;
}

bool PullerChoice::Fit(const PullCandidate& sibling, const PullCandidate& far,
                       const ReplicaView& view, SteadyTime now) {
  Watch& watch = watches_[{sibling.peer, far.peer}];
  if (!sibling.established) {
    watch.seen = false;
    return false;
  }
  // What the far peer has of its own starts, and what of that the sibling has, as both said last.
  uint64_t received = 0;
  bool behind = false;
  for (const auto& [origin, theirs] : far.receiver->peer_origins()) {
    if (theirs.replica != far.peer && theirs.replica != self_) continue;
    const auto& known = sibling.receiver->peer_origins();
    auto found = known.find(origin);
    const Sequence have = found == known.end() ? Sequence(0) : found->second.received;
    if (theirs.replica == self_) {
      if (have < theirs.received && view.ReceivedOf(origin) < theirs.received) return false;
      continue;
    }
    received += have.value();
    behind |= have < theirs.received;
    if (sibling.receiver->Withholds(origin)) return false;
  }
  if (!watch.seen || !behind || received > watch.received) watch.moved = now;
  watch.seen = true;
  watch.received = received;
  if (now < watch.unfit_until) return false;
  // It has kept up for as long again as it was passed over: what was wrong is over.
  if (!behind && now >= watch.unfit_until + watch.penalty) watch.penalty = kPenaltyMin;
  if (now - watch.moved <= stall_max_) return true;
  watch.unfit_until = now + watch.penalty;
  watch.penalty = std::min(watch.penalty * 2, kPenaltyMax);
  watch.moved = watch.unfit_until;
  return false;
}

}  // namespace homeport
