#include "storage/replication/relay_planner.h"

#include <algorithm>

namespace homeport {

std::vector<std::map<Origin, Sequence>> PlanRelays(const ReplicaView& view, const ReplicaName& self,
                                                   const std::vector<RelayCandidate>& candidates) {
  std::vector<std::map<Origin, Sequence>> plan(candidates.size());
  struct Best {
    size_t candidate;
    Sequence received;
  };
  std::map<Origin, Best> best;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].established) continue;
    for (const auto& [origin, peer] : candidates[i].receiver->peer_origins()) {
      const Sequence have = view.ReceivedOf(origin);
      if (origin == view.self || peer.received < have) continue;
      // A relay goes on while it has nothing new, unless the origin has ended.
      const OriginView* known = view.Find(origin);
      const bool ended =
          peer.replica == self || (known != nullptr && known->covered_by != Origin(0));
      if (peer.received == have && ended) continue;
      if (candidates[i].receiver->NotFromPeer(origin, have) ||
          candidates[i].receiver->seeds().TruncatedAt(origin, have)) {
        continue;
      }
      // The origin's own replica sends it unasked.
      if (!peer.replica.empty() && peer.replica == candidates[i].peer) continue;
      // Named anew, because clang 14 captures no structured binding.
      const auto direct = std::find_if(candidates.begin(), candidates.end(),
                                       [&replica = peer.replica](const RelayCandidate& c) {
                                         return !replica.empty() && c.peer == replica;
                                       });
      if (peer.replica != self && direct != candidates.end() && !direct->down &&
          !direct->receiver->seeds().TruncatedAt(origin, have)) {
        continue;
      }
      auto [at, added] = best.try_emplace(origin, Best{i, peer.received});
      if (!added && (peer.received > at->second.received ||
                     (peer.received == at->second.received &&
                      candidates[i].peer < candidates[at->second.candidate].peer))) {
        at->second = {i, peer.received};
      }
    }
  }
  for (const auto& [origin, choice] : best) {
    plan[choice.candidate][origin] = view.ReceivedOf(origin);
  }
  return plan;
}

}  // namespace homeport
