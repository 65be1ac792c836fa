#include "storage/replica/published.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace homeport {

int RegionOf(const Topology& topology, const ReplicaName& replica) {
  const std::string& name = replica.value();
  const std::optional<int> region = topology.FindRegion(name.substr(0, name.find('/')));
  HP_CHECK(region.has_value());
  return *region;
}

std::shared_ptr<const Published> MakePublished(const ReplicaName& self,
                                               std::shared_ptr<const ReplicaView> view,
                                               std::shared_ptr<const Topology> topology,
                                               absl::Time alone_at) {
  auto published = std::make_shared<Published>();
  published->region = RegionOf(*topology, self);
  std::vector<std::vector<HybridTime>> watermarks;
  for (const RegionInfo& region : topology->regions()) {
    std::vector<HybridTime>& marks = watermarks.emplace_back();
    for (const ReplicaInfo& replica : region.replicas) {
      marks.push_back(view->WatermarkOf(replica.name));
    }
  }
  for (const NamespaceInfo& info : topology->namespaces()) {
    std::optional<HybridTime> oldest = HybridTime(~uint64_t{0});
    for (int region : info.regions) {
      for (size_t i = 0; i < watermarks[region].size(); ++i) {
        if (topology->regions()[region].replicas[i].name == self) continue;
        const HybridTime mark = watermarks[region][i];
        if (mark == HybridTime(0)) oldest.reset();
        if (oldest) oldest = std::min(*oldest, mark);
      }
    }
    // Nobody else writes it: the only replica is never behind.
    if (oldest == HybridTime(~uint64_t{0})) oldest = FromWallTime(alone_at);
    published->oldest.push_back(oldest);
  }
  published->view = std::move(view);
  published->topology = std::move(topology);
  return published;
}

std::vector<std::string> OtherRegions(const Published& published, const NamespaceInfo& info) {
  std::vector<std::string> names;
  for (const int region : info.regions) {
    if (region == published.region) continue;
    names.push_back(published.topology->regions()[region].name.value());
  }
  return names;
}

}  // namespace homeport
