#include "storage/replication/relay_planner.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/replication/origin_table.h"

namespace homeport {
namespace {

std::optional<int> RegionOf(const Topology& topology, const ReplicaName& replica) {
  const absl::string_view name = replica.value();
  return topology.FindRegion(name.substr(0, name.find('/')));
}

bool HeldBy(const Topology& topology, const NamespaceInfo& info, const ReplicaName& replica) {
  const std::optional<int> region = RegionOf(topology, replica);
  return region && info.HeldBy(*region);
}

// A peer that can send an origin, or a part of it.
struct Giver {
  size_t candidate;
  Sequence received;
  // It has not said that it lacks the next entry.
  bool next = true;
  // Of the namespaces that are needed, those that it may give.
  std::vector<bool> gives;
};

class Planner {
 public:
  Planner(const ReplicaView& view, const ReplicaName& self, const Topology& topology,
          const std::vector<RelayCandidate>& candidates)
      : view_(view), self_(self), topology_(topology), candidates_(candidates) {
    plan_.relays.resize(candidates.size());
    plan_.waits.resize(candidates.size());
  }

  RelayPlan Run() {
    std::set<Origin> origins;
    for (const RelayCandidate& candidate : candidates_) {
      if (!candidate.established) continue;
      for (const auto& [origin, peer] : candidate.receiver->peer_origins()) origins.insert(origin);
    }
    for (const Origin origin : origins) {
      if (origin != view_.self) Plan(origin);
    }
    return std::move(plan_);
  }

 private:
  void Plan(Origin origin) {
    std::vector<size_t> able;
    ReplicaName replica;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (!candidates_[i].established) continue;
      const auto& origins = candidates_[i].receiver->peer_origins();
      auto found = origins.find(origin);
      if (found == origins.end()) continue;
      if (replica.empty()) replica = found->second.replica;
      if (MayRelay(i, origin, found->second)) able.push_back(i);
    }
    if (able.empty()) return;
    const std::vector<const NamespaceInfo*> needed = Needed(replica);
    std::vector<Giver> givers;
    for (const size_t i : able) givers.push_back(GiverOf(i, origin, needed));
    // Two that lack the same must not wait for each other while somebody has it.
    const auto has_more = [have = view_.ReceivedOf(origin)](const Giver& giver) {
      return giver.received > have;
    };
    if (std::any_of(givers.begin(), givers.end(),
                    [&](const Giver& giver) { return giver.next && has_more(giver); })) {
      std::erase_if(givers, [&](const Giver& giver) { return !has_more(giver); });
    }
    std::sort(givers.begin(), givers.end(), [this](const Giver& a, const Giver& b) {
      if (a.received != b.received) return a.received > b.received;
      return candidates_[a.candidate].peer < candidates_[b.candidate].peer;
    });
    for (const Giver& giver : givers) {
      const bool all =
          std::all_of(giver.gives.begin(), giver.gives.end(), [](bool g) { return g; });
      if (!giver.next || !all) continue;
      plan_.relays[giver.candidate][origin] = view_.ReceivedOf(origin);
      return;
    }
    AskSeveral(origin, std::move(givers), needed);
  }

  bool MayRelay(size_t at, Origin origin, const PeerOrigin& peer) const {
    const RelayCandidate& candidate = candidates_[at];
    const Sequence have = view_.ReceivedOf(origin);
    if (peer.received < have) return false;
    // A relay goes on while it has nothing new, unless the origin has ended.
    const OriginView* known = view_.Find(origin);
    const bool ended =
        peer.replica == self_ || (known != nullptr && known->covered_by != Origin(0));
    if (peer.received == have && ended) return false;
    if (candidate.receiver->seeds().TruncatedAt(origin, have)) return false;
    // What stopped there does not go on behind what it lacks.
    if (candidate.receiver->NotFromPeer(origin, have)) return false;
    // The origin's own replica sends it unasked.
    if (!peer.replica.empty() && peer.replica == candidate.peer) return false;
    if (peer.replica == self_ || peer.replica.empty()) return true;
    for (const RelayCandidate& direct : candidates_) {
      if (direct.peer != peer.replica || direct.down) continue;
      return direct.receiver->seeds().TruncatedAt(origin, have) || LacksNext(view_, direct, origin);
    }
    return true;
  }

  // Of which the origin may have entries that this region may hold.
  std::vector<const NamespaceInfo*> Needed(const ReplicaName& replica) const {
    std::vector<const NamespaceInfo*> needed;
    const bool listed = !replica.empty() && RegionOf(topology_, replica);
    for (const NamespaceInfo& info : topology_.namespaces()) {
      if (!HeldBy(topology_, info, self_)) continue;
      if (listed && !HeldBy(topology_, info, replica)) continue;
      needed.push_back(&info);
    }
    return needed;
  }

  Giver GiverOf(size_t at, Origin origin, const std::vector<const NamespaceInfo*>& needed) const {
    const RelayCandidate& candidate = candidates_[at];
    Giver giver{at,
                candidate.receiver->peer_origins().at(origin).received,
                !LacksNext(view_, candidate, origin),
                {}};
    const std::set<std::string> lacks = candidate.receiver->Gaps(origin, view_.ReceivedOf(origin));
    for (const NamespaceInfo* info : needed) {
      giver.gives.push_back(HeldBy(topology_, *info, candidate.peer) &&
                            !lacks.contains(info->name.value()));
    }
    return giver;
  }

  void AskSeveral(Origin origin, std::vector<Giver> givers,
                  const std::vector<const NamespaceInfo*>& needed) {
    std::vector<bool> covered(needed.size(), false);
    const auto adds = [&covered](const Giver& giver) {
      int count = 0;
      for (size_t n = 0; n < covered.size(); ++n) count += giver.gives[n] && !covered[n] ? 1 : 0;
      return count;
    };
    const bool goes_on =
        std::any_of(givers.begin(), givers.end(), [](const Giver& giver) { return giver.next; });
    std::vector<size_t> asked;
    while (!givers.empty() && asked.size() < kRelaysOfOriginMax) {
      // The first one has to give the next entry, whatever it may be.
      const bool for_next = goes_on && asked.empty();
      auto best = givers.end();
      for (auto it = givers.begin(); it != givers.end(); ++it) {
        if (for_next && !it->next) continue;
        if (best == givers.end() || adds(*it) > adds(*best)) best = it;
      }
      if (best == givers.end() || (!asked.empty() && adds(*best) == 0)) break;
      for (size_t n = 0; n < covered.size(); ++n) covered[n] = covered[n] || best->gives[n];
      asked.push_back(best->candidate);
      givers.erase(best);
    }
    for (const size_t at : asked) plan_.relays[at][origin] = view_.ReceivedOf(origin);
    if (!goes_on) Wait(origin, asked);
  }

  void Wait(Origin origin, const std::vector<size_t>& asked) {
    const Sequence have = view_.ReceivedOf(origin);
    std::set<std::string> lacking;
    std::set<std::string> peers;
    for (const size_t at : asked) {
      const std::set<std::string> names =
          candidates_[at].receiver->Gaps(origin, have, Sequence(have.value() + 1));
      lacking.insert(names.begin(), names.end());
      peers.insert(candidates_[at].peer.value());
    }
    std::set<std::string> could;
    for (const std::string& name : lacking) {
      const NamespaceInfo* info = topology_.FindNamespace(name);
      if (info == nullptr) continue;
      for (const RelayCandidate& candidate : candidates_) {
        if (peers.contains(candidate.peer.value())) continue;
        if (HeldBy(topology_, *info, candidate.peer)) could.insert(candidate.peer.value());
      }
    }
    const OriginView* known = view_.Find(origin);
    std::string text = absl::StrCat("origin ", OriginText(origin));
    if (known != nullptr && known->replica != nullptr) {
      absl::StrAppend(&text, " of ", known->replica->value());
    }
    absl::StrAppend(
        &text, " waits behind entry ", have.value(), ": what follows is of namespace ",
        absl::StrJoin(lacking, " or "), ", which ", absl::StrJoin(peers, " and "),
        " may not give; could be had of: ", could.empty() ? "nobody" : absl::StrJoin(could, ", "));
    for (const size_t at : asked) plan_.waits[at] = text;
  }

  const ReplicaView& view_;
  const ReplicaName& self_;
  const Topology& topology_;
  const std::vector<RelayCandidate>& candidates_;
  RelayPlan plan_;
};

}  // namespace

bool LacksNext(const ReplicaView& view, const RelayCandidate& candidate, Origin origin) {
  return candidate.established &&
         (candidate.receiver->NotFromPeer(origin, view.ReceivedOf(origin)) ||
          view.SeenOf(candidate.peer, origin) > view.ReceivedOf(origin));
}

RelayPlan PlanRelays(const ReplicaView& view, const ReplicaName& self, const Topology& topology,
                     const std::vector<RelayCandidate>& candidates) {
  return Planner(view, self, topology, candidates).Run();
}

}  // namespace homeport
