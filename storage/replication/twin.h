// Another process that runs under this replica's name.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// An origin of a replica named `self` that is not this start and that was alive after `started`,
// the hybrid time at which this start began, by more than `margin`: an entry or a watermark of it
// says so. Starts before this one ended before it began, and promised no more than a fraction of a
// second ahead, so with a margin of the clocks' drift and a second, only a twin is found. nullopt
// if there is none. Pure.
std::optional<Origin> FindTwin(const ReplicaView& view, const ReplicaName& self, HybridTime started,
                               absl::Duration margin);

}  // namespace homeport
