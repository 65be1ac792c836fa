// What a replica's readers look at, made anew after every commit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/replica_view.h"

namespace homeport {

struct Published {
  std::shared_ptr<const ReplicaView> view;
  std::shared_ptr<const Topology> topology;
  int region = 0;  // this replica's, in `topology`
  // By namespace of the topology: the oldest watermark of the other replicas that hold it; nullopt
  // if one of them was not heard of yet.
  std::vector<std::optional<HybridTime>> oldest;
};

// The region of a replica's name; the topology must have it.
int RegionOf(const Topology& topology, const ReplicaName& replica);

// `alone_at` is the watermark of namespaces that nobody but `self` holds.
std::shared_ptr<const Published> MakePublished(const ReplicaName& self,
                                               std::shared_ptr<const ReplicaView> view,
                                               std::shared_ptr<const Topology> topology,
                                               absl::Time alone_at);

// The names of the regions that hold a namespace, but for this replica's.
std::vector<std::string> OtherRegions(const Published& published, const NamespaceInfo& info);

}  // namespace homeport
