// Whether a replica has to be seeded, and from whom.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "storage/replication/relay_planner.h"
#include "storage/replication/replica_view.h"

namespace homeport {

struct SeedPlan {
  // The whole replica is to be seeded, with these namespaces; nullopt: nothing is to begin.
  std::optional<std::vector<std::string>> seed_all;
  // The candidate that is to be asked for a namespace, which may be empty (SeedRequest); nullopt:
  // nobody, all others anyway.
  struct Ask {
    size_t candidate;
    std::string name_space;
  };
  std::optional<Ask> ask;
};

// The whole replica is to be seeded when some origin goes on elsewhere, no established peer's log
// has what follows here, and some peer has applied what is missing; not before every link is
// established or has been down for long, as the next one may still have it.
//
// It is seeded with what somebody else has: of a namespace that no other member may hold or
// keeps, as all of them say who go by the same topology, there is nothing to be had.
//
// One namespace is asked for at a time, of a peer that holds it whole, has applied what is needed
// and has not declined lately; if there is none, of one that keeps what it had when it held it
// whole, or if that one has applied more of what is missing. Of several: the one that is asked
// already, then the one that has applied what is missing of the most origins, then the one that has
// applied the most, then by name. Pure.
SeedPlan PlanSeeding(const ReplicaView& view, const ReplicaName& self, const Topology& topology,
                     const std::vector<RelayCandidate>& candidates);

}  // namespace homeport
