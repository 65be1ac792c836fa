// From whom to get the entries that their own replica can not send.
#pragma once

#include <map>
#include <vector>

#include "common/base/ids.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// What the planner looks at, of one link.
struct RelayCandidate {
  ReplicaName peer;
  bool established = false;
  // The link has been down for longer than the grace time.
  bool down = false;
  const LinkReceiver* receiver = nullptr;
};

// For each candidate, the origins that it is to relay and the positions to begin after. An origin
// is relayed when some established peer has more of it than `view` (or as much, and may get more),
// and its own replica's link does not bring it: because that link is down or its log has it no
// more, or the origin is an earlier one of this replica, or its replica is not listed. Each origin
// is asked of one peer: of those that can send it the one with the most, ties by name. Pure.
std::vector<std::map<Origin, Sequence>> PlanRelays(const ReplicaView& view, const ReplicaName& self,
                                                   const std::vector<RelayCandidate>& candidates);

}  // namespace homeport
