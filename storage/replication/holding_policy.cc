#include "storage/replication/holding_policy.h"

#include <algorithm>

namespace homeport {

HoldingPolicy::HoldingPolicy(std::shared_ptr<const Topology> topology, int region)
    : topology_(std::move(topology)),
      region_(region),
      holds_everything_(
          std::all_of(topology_->namespaces().begin(), topology_->namespaces().end(),
                      [region](const NamespaceInfo& info) { return info.HeldBy(region); })) {}

HoldingPolicy::Answer HoldingPolicy::Ask(const internal::v1::ChangeClass& change_class) const {
  if (change_class.kind() != internal::v1::CLASS_KIND_GENERAL ||
      !change_class.residency_group().empty()) {
    return Answer::kUnknown;
  }
  const NamespaceInfo* info = topology_->FindNamespace(change_class.namespace_());
  if (info == nullptr) return Answer::kUnknown;
  return info->HeldBy(region_) ? Answer::kHolds : Answer::kForbids;
}

}  // namespace homeport
