// Which changes of a topology a running process can follow.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/topology/topology.h"

namespace homeport {

// OK if a process of `region`, with `replica` ("region/replica", or empty), can go from `in_force`
// to `next` without a restart. FAILED_PRECONDITION, naming the field, if its region or replica is
// gone, a namespace is gone, a region that holds one is gone and was not leaving, or none of the
// regions that hold a namespace keeps it: the others get what it has from one that does. Pure.
absl::Status CanFollow(const std::string& region, const std::string& replica,
                       const Topology& in_force, const Topology& next);

}  // namespace homeport
