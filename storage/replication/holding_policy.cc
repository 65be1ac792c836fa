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
  return AskItems(change_class.namespace_());
}

HoldingPolicy::Answer HoldingPolicy::AskItems(absl::string_view name_space) const {
  const NamespaceInfo* info = topology_->FindNamespace(name_space);
  if (info == nullptr) return Answer::kUnknown;
  return info->HeldBy(region_) ? Answer::kHolds : Answer::kForbids;
}

bool HoldingPolicy::HeldElsewhere(absl::string_view name_space) const {
  const NamespaceInfo* info = topology_->FindNamespace(name_space);
  return info != nullptr && std::any_of(info->regions.begin(), info->regions.end(),
                                        [this](int region) { return region != region_; });
}

bool HoldingPolicy::NeverWrites(absl::string_view replica, absl::string_view name_space) const {
  const NamespaceInfo* info = topology_->FindNamespace(name_space);
  const std::optional<int> region = topology_->FindRegion(replica.substr(0, replica.find('/')));
  return info != nullptr && region && !info->HeldBy(*region);
}

std::vector<std::string> HoldingPolicy::Forbidden() const {
  std::vector<std::string> names;
  for (const NamespaceInfo& info : topology_->namespaces()) {
    if (!info.HeldBy(region_)) names.push_back(info.name.value());
  }
  return names;
}

}  // namespace homeport
