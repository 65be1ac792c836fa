// The phase of joining (join_state.h) as it is kept on a disk, and the peers that it asks for.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/join_state.h"

namespace homeport {

// The phase that an engine's replica is in. An empty engine is claimed for the replica, in phase
// kCatchingUp if its region is joining. To be called before the replica is opened. Errors as
// ClaimIdentity(); DATA_LOSS also if the stored phase does not parse.
absl::StatusOr<JoinState::Phase> LoadJoinPhase(KvEngine* engine, const std::string& cluster,
                                               const ReplicaName& replica, bool joining);
// Writes it, synced. The engine's errors.
absl::Status StoreJoinPhase(KvEngine* engine, JoinState::Phase phase);

// Replicas that hold something that the region of `self` holds, and that are not new themselves.
std::vector<ReplicaName> PeersToCatchUpWith(const Topology& topology, const ReplicaName& self);

}  // namespace homeport
