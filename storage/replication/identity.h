// Whose data an engine holds.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

// Checks that the engine belongs to the replica, or marks an empty one as its own, synced; then
// what `first` holds is written with it.
// FAILED_PRECONDITION, naming both, if it belongs to another replica or cluster, or is of a format
// that this version does not know; DATA_LOSS if what it says of itself is damaged.
absl::Status ClaimIdentity(KvEngine* engine, const std::string& cluster, const ReplicaName& replica,
                           WriteBatch first = {});

}  // namespace homeport
