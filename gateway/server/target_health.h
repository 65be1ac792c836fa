// What is known of a replica at a moment, whether or not the snapshot has it.
#pragma once

#include "gateway/route/plan.h"

namespace homeport {

// Of a replica that the snapshot lacks, that is "unknown" and the topology's round trip from
// `self_region`. Pure.
inline TargetHealth HealthOf(const Topology& topology, int self_region,
                             const HealthSnapshot& snapshot, Target target) {
  if (const TargetHealth* known = snapshot.Find(target)) return *known;
  TargetHealth unknown;
  unknown.round_trip = topology.RoundTrip(self_region, target.region);
  return unknown;
}

}  // namespace homeport
