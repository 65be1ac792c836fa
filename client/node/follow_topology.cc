#include "client/node/follow_topology.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/store/validate.h"

namespace homeport {

absl::Status CanFollow(const std::string& region, const std::string& replica,
                       const Topology& in_force, const Topology& next) {
  if (!next.FindRegion(region)) {
    return absl::FailedPreconditionError(
        absl::StrCat("regions: this process' region '", region, "' is gone"));
  }
  if (!replica.empty() && next.FindReplica(ReplicaName(replica)) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("regions: this process' replica '", replica, "' is gone"));
  }
  for (const NamespaceInfo& before : in_force.namespaces()) {
    const NamespaceInfo* after = next.FindNamespace(before.name.value());
    if (after == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("namespaces: '", before.name.value(),
                       "' is gone; taking a namespace away is not supported"));
    }
    if (after->item_type != before.item_type) {
      return absl::FailedPreconditionError(
          absl::StrCat("namespaces: '", before.name.value(), "' would change its item_type from ",
                       ItemTypeName(before.item_type), " to ", ItemTypeName(after->item_type),
                       ", which is not possible while it has data"));
    }
    bool kept = before.regions.empty();
    for (const int i : before.regions) {
      const std::string& name = in_force.regions()[i].name.value();
      const std::optional<int> index = next.FindRegion(name);
      if (!index) {
        // It was drained before it was taken out of the file.
        if (in_force.proto().regions(i).leaving()) continue;
        return absl::FailedPreconditionError(
            absl::StrCat("regions: '", name, "' is gone, which holds namespace '",
                         before.name.value(), "'; what only it has would be lost"));
      }
      kept = kept || after->HeldBy(*index);
    }
    if (!kept) {
      return absl::FailedPreconditionError(
          absl::StrCat("namespaces: '", before.name.value(),
                       "' is taken from every region that holds it; give it to the new ones first, "
                       "and take it from the old ones when they have it"));
    }
  }
  return absl::OkStatus();
}

}  // namespace homeport
