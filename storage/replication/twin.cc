#include "storage/replication/twin.h"

#include <algorithm>

namespace homeport {

std::optional<Origin> FindTwin(const ReplicaView& view, const ReplicaName& self, HybridTime started,
                               absl::Duration margin) {
  const HybridTime limit = FromWallTime(ToWallTime(started) + margin);
  for (const OriginView& origin : view.origins) {
    if (origin.origin == view.self || origin.replica == nullptr || *origin.replica != self) {
      continue;
    }
    if (std::max(origin.applied_time, origin.watermark) > limit) return origin.origin;
  }
  return std::nullopt;
}

}  // namespace homeport
