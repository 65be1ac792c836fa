// The store of a process' replica: opened, and if it is damaged moved aside and begun anew, to be
// filled from the peers as after the loss of a disk.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/topology/topology.h"
#include "storage/engine/damage/damage_watch.h"
#include "storage/engine/kv_engine.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/engine/rocksdb/scrub.h"

namespace homeport {

// OK if peers can give a replica of `region` everything that its store may hold. Else
// FAILED_PRECONDITION with what is to be done about a damaged store: it is kept
// (`keep_damaged`), or nobody else holds some namespace.
absl::Status MayRebuild(const Topology& topology, int region, bool keep_damaged);

struct ReplicaStore {
  std::unique_ptr<KvEngine> engine;
  // Notes what damage `engine` meets.
  std::shared_ptr<DamageWatch> watch;
  // Looks for damage in what `engine` does not read, which `watch` notes as well.
  std::shared_ptr<Scrub> scrub;
  // Why the store that was there before was moved aside, and where to; empty if it was not.
  std::string moved_aside;
};

// Opens the store. One that is damaged, or marked so (quarantine.h), is moved aside if
// `may_rebuild` is OK, which is logged, and an empty one is begun. Errors as OpenRocksdbEngine and
// Quarantine; DATA_LOSS only if `may_rebuild` is not OK, with both messages.
absl::StatusOr<ReplicaStore> OpenReplicaStore(RocksdbOptions options,
                                              const absl::Status& may_rebuild);

}  // namespace homeport
