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
                                               FreshnessTracker& tracker) {
  auto published = std::make_shared<Published>();
  published->region = RegionOf(*topology, self);
  for (const RegionInfo& region : topology->regions()) {
    std::vector<WriterMark>& writers = published->writers.emplace_back();
    for (const ReplicaInfo& replica : region.replicas) {
      if (replica.name == self) {
        writers.push_back({.mark = MarkOfSelf(*view, self)});
      } else {
        writers.push_back(
            tracker.Observe(replica.name, MarkOf(*view, replica.name), view->time, view->steady));
      }
    }
  }
  for (const NamespaceInfo& info : topology->namespaces()) {
    std::optional<std::pair<int, int>>& oldest = published->oldest.emplace_back();
    HybridTime least = kNothingMissing;
    for (const int region : info.regions) {
      for (size_t i = 0; i < published->writers[region].size(); ++i) {
        const HybridTime mark = published->writers[region][i].mark;
        if (mark >= least) continue;
        least = mark;
        oldest = std::pair(region, static_cast<int>(i));
      }
    }
  }
  published->view = std::move(view);
  published->topology = std::move(topology);
  return published;
}

ReadAge AgeOf(const Published& published, const NamespaceInfo& info, HybridTime clock) {
  const size_t index = static_cast<size_t>(&info - published.topology->namespaces().data());
  const std::optional<std::pair<int, int>>& oldest = published.oldest[index];
  if (!oldest) return {absl::ZeroDuration(), v1::AGE_SOURCE_ONLY_WRITER, nullptr};
  const auto [region, replica] = *oldest;
  const ReplicaName* writer = &published.topology->regions()[region].replicas[replica].name;
  const WriterMark& mark = published.writers[region][replica];
  if (mark.mark == HybridTime(0)) return {std::nullopt, v1::AGE_SOURCE_UNSPECIFIED, writer};
  return {AgeAt(mark.mark, clock), v1::AGE_SOURCE_WATERMARK, writer};
}

absl::Duration WaitOf(const Published& published, const NamespaceInfo& info,
                      absl::Duration max_staleness, HybridTime clock, SteadyTime now) {
  absl::Duration wait;
  for (const int region : info.regions) {
    for (const WriterMark& writer : published.writers[region]) {
      const WatermarkPace pace = PaceAt(writer, clock, now);
      wait = std::max(wait, PredictWait(pace, absl::ZeroDuration(), max_staleness));
    }
  }
  return wait;
}

std::shared_ptr<const StoreFreshness> FreshnessOf(const Published& published, SteadyTime now) {
  auto freshness = std::make_shared<StoreFreshness>();
  freshness->as_of = now;
  const HybridTime clock = published.view->TimeAt(now);
  for (size_t region = 0; region < published.writers.size(); ++region) {
    for (size_t i = 0; i < published.writers[region].size(); ++i) {
      freshness->writers.push_back({published.topology->regions()[region].replicas[i].name.value(),
                                    PaceAt(published.writers[region][i], clock, now)});
    }
  }
  return freshness;
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
