// From whom to get the entries that their own replica can not send.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/topology/topology.h"
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

// A candidate is asked for an origin by at most so many others besides.
inline constexpr size_t kRelaysOfOriginMax = 8;

// Both by candidate.
struct RelayPlan {
  // The origins that it is to relay, and the positions to begin after.
  std::vector<std::map<Origin, Sequence>> relays;
  // Why an origin waits that the candidate relays, for people: nobody who is connected gives its
  // next entry. Empty: none does.
  std::vector<std::string> waits;
};

// An origin is relayed when some established peer has more of it than `view` (or as much, and may
// get more), and its own replica's link does not bring it: because that link is down, its log has
// it no more, or it does not give what follows; or the origin is an earlier one of this replica, or
// its replica is not listed. Who has no more than this replica is left out while somebody gives the
// next entry.
//
// An origin is asked of one peer if one may give all of it: by the topology its region holds every
// namespace of which the origin may have entries for this region, and it has named no gap. Of
// several the one with the most, ties by name. If there is none, several are asked at once: first
// one that gives the next entry, then whoever adds the most namespaces. Pure.
RelayPlan PlanRelays(const ReplicaView& view, const ReplicaName& self, const Topology& topology,
                     const std::vector<RelayCandidate>& candidates);

// True if the peer has said that it does not give the origin's entry that follows what is here.
bool LacksNext(const ReplicaView& view, const RelayCandidate& candidate, Origin origin);

}  // namespace homeport
