#include "client/node/follow_topology.h"

#include <optional>

#include "absl/strings/str_cat.h"

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
    for (size_t i = 0; i < in_force.regions().size(); ++i) {
      const std::string& name = in_force.regions()[i].name.value();
      const std::optional<int> index = next.FindRegion(name);
      const bool held = before.HeldBy(static_cast<int>(i));
      if (!index) {
        if (!held) continue;
        return absl::FailedPreconditionError(
            absl::StrCat("regions: '", name, "' is gone, which holds namespace '",
                         before.name.value(), "'; what only it has would be lost"));
      }
      if (held != after->HeldBy(*index)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "namespaces: '", before.name.value(), "' ", held ? "is taken from" : "is given to",
            " region '", name, "'; moving a namespace's data is not supported"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace homeport
