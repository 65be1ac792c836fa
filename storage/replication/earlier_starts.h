// Which earlier origins of this replica its disk had lost something of, and which replicas have
// left with which origins. Kept on the disk.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/member_table.h"
#include "storage/replication/member_view.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/staging.h"

namespace homeport {

// Thread-compatible. Staging and origins must outlive it.
class EarlierStarts {
 public:
  EarlierStarts(Origin self, const OriginTable* origins, Staging* staging)
      : self_(self),
        origins_(origins),
        staging_(staging),
        left_(std::make_shared<const LeftReplicas>()) {}

  // Takes what the engine has; to be called once the origins are loaded. DATA_LOSS if something
  // does not parse; otherwise the engine's errors.
  absl::Status Load(KvEngine* engine);
  // Stages what has changed: an origin of this replica turned out to have had more than its disk,
  // or another start of this replica was closing it, or it was closed.
  void StageLost();
  // Stages which replicas have left by `members`, and which have come back with an empty disk.
  // The engine's errors.
  absl::Status StageLeft(const MemberSet& members);

  // Own origins to be closed.
  const std::set<Origin>& lost() const { return lost_; }
  // Replicas that have left and did not come back. Never null.
  const std::shared_ptr<const LeftReplicas>& left() const { return left_; }

 private:
  absl::StatusOr<bool> CameBackEmpty(const ReplicaName& replica, const std::set<Origin>& left);

  Origin self_;
  const OriginTable* origins_;
  Staging* staging_;
  // What this disk had of earlier origins when this start began.
  std::map<Origin, Sequence> at_start_;
  std::set<Origin> lost_;
  std::shared_ptr<const LeftReplicas> left_;
};

}  // namespace homeport
