#include "storage/replication/seed_planner.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/string_view.h"
#include "storage/replication/seed_view.h"

namespace homeport {
namespace {

std::optional<int> RegionOf(const Topology& topology, const ReplicaName& replica) {
  const absl::string_view name = replica.value();
  return topology.FindRegion(name.substr(0, name.find('/')));
}

bool MayHold(const Topology& topology, const ReplicaName& replica, absl::string_view name_space) {
  if (name_space.empty()) return true;
  const NamespaceInfo* info = topology.FindNamespace(name_space);
  const std::optional<int> region = RegionOf(topology, replica);
  return info != nullptr && region && info->HeldBy(*region);
}

// Origins that go on elsewhere and can be had from no log, with what must be applied at a peer for
// it to bring them on.
std::map<Origin, Sequence> OutOfLogs(const ReplicaView& view,
                                     const std::vector<RelayCandidate>& candidates) {
  std::map<Origin, Sequence> needed;
  for (const RelayCandidate& candidate : candidates) {
    if (!candidate.established) continue;
    for (const auto& [origin, peer] : candidate.receiver->peer_origins()) {
      const Sequence have = view.ReceivedOf(origin);
      if (origin == view.self || peer.received <= have) continue;
      const std::optional<Sequence> truncated =
          candidate.receiver->seeds().TruncatedAt(origin, have);
      if (!truncated) continue;
      auto [at, added] = needed.try_emplace(origin, *truncated);
      if (!added) at->second = std::min(at->second, *truncated);
    }
  }
  for (const RelayCandidate& candidate : candidates) {
    if (!candidate.established) continue;
    for (const auto& [origin, peer] : candidate.receiver->peer_origins()) {
      const Sequence have = view.ReceivedOf(origin);
      if (peer.received <= have || candidate.receiver->seeds().TruncatedAt(origin, have) ||
          LacksNext(view, candidate, origin)) {
        continue;
      }
      needed.erase(origin);
    }
  }
  return needed;
}

// What is compared of two peers; more is better, but for the name.
struct Merit {
  bool whole = true;
  bool asked = false;
  size_t brings = 0;
  uint64_t applied = 0;
  ReplicaName peer;

  bool BetterThan(const Merit& other) const {
    // Who keeps it may have what nobody has who holds it whole.
    if (whole != other.whole) return whole ? brings >= other.brings : brings > other.brings;
    if (asked != other.asked) return asked;
    if (brings != other.brings) return brings > other.brings;
    if (applied != other.applied) return applied > other.applied;
    return peer < other.peer;
  }
};

Merit MeritOf(const RelayCandidate& candidate, absl::string_view name_space,
              const std::map<Origin, Sequence>& needed) {
  Merit merit;
  merit.peer = candidate.peer;
  merit.asked = candidate.receiver->seeds().wanted() == name_space;
  for (const auto& [origin, peer] : candidate.receiver->peer_origins()) {
    merit.applied += peer.applied.value();
    auto found = needed.find(origin);
    if (found != needed.end() && peer.applied >= found->second) ++merit.brings;
  }
  return merit;
}

bool HoldsWhole(const RelayCandidate& candidate, const std::string& name_space,
                const Topology& topology) {
  return MayHold(topology, candidate.peer, name_space) &&
         !candidate.receiver->seeds().PeerIsPartial(name_space);
}

bool CanGive(const RelayCandidate& candidate, const NamespaceSeeding& seeding,
             const Topology& topology) {
  if (!candidate.established) return false;
  const LinkReceiver& receiver = *candidate.receiver;
  if (!HoldsWhole(candidate, seeding.name, topology) && !receiver.seeds().PeerKeeps(seeding.name)) {
    return false;
  }
  if (receiver.seeds().DeclinedLately(seeding.name)) return false;
  return std::all_of(seeding.at_least.begin(), seeding.at_least.end(), [&](const auto& at_least) {
    auto found = receiver.peer_origins().find(at_least.first);
    return found != receiver.peer_origins().end() && found->second.applied >= at_least.second;
  });
}

// True if the member is known to have nothing of a namespace that somebody else could lack: its
// region may not hold it, and it keeps nothing of what it had before. By another topology it may.
// That it does not hold it whole is no reason: it may since.
bool HasNothing(const ReplicaView& view, const Topology& topology, const ReplicaName& replica,
                const std::string& name_space) {
  if (view.members == nullptr) return false;
  auto found = view.members->find(replica);
  if (found == view.members->end()) return false;
  const Member& member = *found->second;
  return member.fingerprint == view.topology_fingerprint && !member.kept.contains(name_space) &&
         !MayHold(topology, replica, name_space);
}

std::vector<std::string> NamespacesElsewhere(const ReplicaView& view, const Topology& topology,
                                             const ReplicaName& self) {
  std::vector<std::string> names;
  for (const NamespaceInfo& info : topology.namespaces()) {
    const std::string& name = info.name.value();
    if (!MayHold(topology, self, name)) continue;
    bool elsewhere = !view.HoldsWhole(name);
    for (const RegionInfo& region : topology.regions()) {
      for (const ReplicaInfo& replica : region.replicas) {
        elsewhere =
            elsewhere || (replica.name != self && !HasNothing(view, topology, replica.name, name));
      }
    }
    if (elsewhere) names.push_back(name);
  }
  // A region that holds nothing has positions all the same.
  if (names.empty()) names.emplace_back();
  return names;
}

}  // namespace

SeedPlan PlanSeeding(const ReplicaView& view, const ReplicaName& self, const Topology& topology,
                     const std::vector<RelayCandidate>& candidates) {
  SeedPlan plan;
  const std::map<Origin, Sequence> needed = OutOfLogs(view, candidates);
  const bool settled = std::all_of(candidates.begin(), candidates.end(),
                                   [](const auto& c) { return c.established || c.down; });
  if (!needed.empty() && settled && (view.seeding == nullptr || !view.seeding->whole_replica)) {
    const bool helps = std::any_of(candidates.begin(), candidates.end(), [&needed](const auto& c) {
      return c.established && MeritOf(c, absl::string_view(), needed).brings > 0;
    });
    if (helps) plan.seed_all = NamespacesElsewhere(view, topology, self);
  }
  if (view.seeding == nullptr) return plan;
  if (view.seeding->whole_replica) {
    // What nobody else has any more, nobody gives.
    std::vector<std::string> elsewhere = NamespacesElsewhere(view, topology, self);
    const auto& seeded = view.seeding->namespaces;
    const bool waits = std::any_of(seeded.begin(), seeded.end(), [&](const auto& seeding) {
      return !seeding.done() && !seeding.name.empty() &&
             std::find(elsewhere.begin(), elsewhere.end(), seeding.name) == elsewhere.end();
    });
    if (waits) plan.seed_all = std::move(elsewhere);
  }
  for (const NamespaceSeeding& seeding : view.seeding->namespaces) {
    if (seeding.done()) continue;
    std::optional<Merit> best;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (!CanGive(candidates[i], seeding, topology)) continue;
      Merit merit = MeritOf(candidates[i], seeding.name, needed);
      merit.whole = HoldsWhole(candidates[i], seeding.name, topology);
      if (best && !merit.BetterThan(*best)) continue;
      best = std::move(merit);
      plan.ask = SeedPlan::Ask{i, seeding.name};
    }
    if (best) return plan;
  }
  return plan;
}

}  // namespace homeport
