#include "storage/replication/membership.h"

#include <utility>

namespace homeport {

Membership::Membership(const Parts& parts)
    : parts_(parts),
      table_(parts.replica),
      starts_(parts.self, parts.origins, parts.staging),
      cleaner_({parts.staging, parts.items, parts.origins, &table_, parts.counters}) {}

void Membership::SetMembers(MemberSet members) {
  table_.SetMembers(std::move(members));
  changed_ = true;
}

bool Membership::Finished(Origin origin) const { return IsFinished(Known(), origin); }

absl::StatusOr<ClosingPlan> Membership::Tend(HybridTime now, bool may_clean,
                                             const std::set<Origin>& unheard) {
  if (auto status = starts_.StageLeft(table_.members()); !status.ok()) return status;
  if (may_clean) cleaner_.Begin(AppliedUpTo(Known()), now);
  return PlanClosing(Known(), starts_.lost(), unheard);
}

absl::Status Membership::Stage() {
  starts_.StageLost();
  return cleaner_.Step(kCleanMax);
}

void Membership::Show(ReplicaView& view) {
  changed_ = false;
  view.topology_fingerprint = table_.members().fingerprint;
  view.members = table_.reports();
  view.members_complete = !table_.members().members.empty() && table_.Complete();
  view.left = starts_.left();
}

}  // namespace homeport
