#include "storage/replication/join_phase.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "storage/replication/identity.h"

namespace homeport {
namespace {

constexpr absl::string_view kPhaseKey = "join_phase";

std::string RegionOf(const ReplicaName& replica) {
  return replica.value().substr(0, replica.value().find('/'));
}

}  // namespace

absl::StatusOr<JoinState::Phase> LoadJoinPhase(KvEngine* engine, const std::string& cluster,
                                               const ReplicaName& replica, bool joining) {
  // With the identity, so that a start that ends in between begins as a new one again.
  WriteBatch first;
  if (joining) {
    first.Put(Table::kMeta, std::string(kPhaseKey),
              std::string(PhaseName(JoinState::Phase::kCatchingUp)));
  }
  auto claimed = ClaimIdentity(engine, cluster, replica, std::move(first));
  if (!claimed.ok()) return claimed;
  auto stored = engine->Get(Table::kMeta, kPhaseKey);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return JoinState::Phase::kServing;
  std::optional<JoinState::Phase> phase = ParsePhase(**stored);
  if (!phase) return absl::DataLossError("the stored phase of joining does not parse");
  return *phase;
}

absl::Status StoreJoinPhase(KvEngine* engine, JoinState::Phase phase) {
  WriteBatch batch;
  batch.Put(Table::kMeta, std::string(kPhaseKey), std::string(PhaseName(phase)));
  return engine->Write(batch, KvEngine::Durability::kSynced);
}

std::vector<ReplicaName> PeersToCatchUpWith(const Topology& topology, const ReplicaName& self) {
  std::vector<ReplicaName> peers;
  const std::optional<int> own = topology.FindRegion(RegionOf(self));
  if (!own) return peers;
  for (int region = 0; region < static_cast<int>(topology.regions().size()); ++region) {
    if (topology.proto().regions(region).joining()) continue;
    const bool shares = std::any_of(
        topology.namespaces().begin(), topology.namespaces().end(),
        [&](const NamespaceInfo& info) { return info.HeldBy(*own) && info.HeldBy(region); });
    if (!shares) continue;
    for (const ReplicaInfo& replica : topology.regions()[region].replicas) {
      if (replica.name != self) peers.push_back(replica.name);
    }
  }
  return peers;
}

}  // namespace homeport
