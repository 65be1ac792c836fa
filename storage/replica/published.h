// What a replica's readers look at, made anew after every commit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "homeport/v1/consistency.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/replica/freshness_tracker.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// How old a read of a namespace may be.
struct ReadAge {
  // nullopt: some writer was not heard of yet.
  std::optional<absl::Duration> age;
  v1::AgeSource source = v1::AGE_SOURCE_UNSPECIFIED;
  // The replica that is the furthest behind here, or was not heard of; null: nobody is.
  const ReplicaName* writer = nullptr;
};

struct Published {
  std::shared_ptr<const ReplicaView> view;
  std::shared_ptr<const Topology> topology;
  int region = 0;  // this replica's, in `topology`
  // By region and replica of the topology. This replica's own is what it has of its earlier starts.
  std::vector<std::vector<WriterMark>> writers;
  // By namespace of the topology: of those that hold it, the region and replica whose mark is the
  // oldest; nullopt if nobody else holds it, and nothing of what was written here is missing.
  std::vector<std::optional<std::pair<int, int>>> oldest;
};

// The region of a replica's name; the topology must have it.
int RegionOf(const Topology& topology, const ReplicaName& replica);

// `tracker` gets the view's watermarks.
std::shared_ptr<const Published> MakePublished(const ReplicaName& self,
                                               std::shared_ptr<const ReplicaView> view,
                                               std::shared_ptr<const Topology> topology,
                                               FreshnessTracker& tracker);

// How old a read is that is made when the replica's clock is at `clock`, of a namespace of the
// published topology. Points into `published`.
ReadAge AgeOf(const Published& published, const NamespaceInfo& info, HybridTime clock);
// How long a read has to wait until it is at most `max_staleness` old; zero if it is now, infinite
// if waiting is not expected to help. `clock` is the replica's clock at `now`.
absl::Duration WaitOf(const Published& published, const NamespaceInfo& info,
                      absl::Duration max_staleness, HybridTime clock, SteadyTime now);
// How the replica stands to all others, for gateways elsewhere.
std::shared_ptr<const StoreFreshness> FreshnessOf(const Published& published, SteadyTime now);

// The names of the regions that hold a namespace, but for this replica's.
std::vector<std::string> OtherRegions(const Published& published, const NamespaceInfo& info);

}  // namespace homeport
