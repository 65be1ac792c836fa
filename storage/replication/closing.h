// The ends of origins: which are finished, which can still bring an entry, and when the rest of one
// is given up for lost. Pure.
//
// An origin is finished when a later start of its replica is known, or the replica has left: its
// process is gone, and what exists of it is on the disks of members. Where a start's disk had all
// of the earlier ones, its first chain entry says where they end. Where it had not (the disk was
// lost, or put back to an old copy), and for replicas that have left, the closer gathers what
// members have, asks them to take nothing more (`closing`), and then names the end (`closed`). So
// it does for what entries wait for and no member has: it went with a disk that nobody missed until
// then.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/member_table.h"
#include "storage/replication/origin_table.h"

namespace homeport {

// What a replica knows. All must outlive it.
struct KnownCluster {
  const ReplicaName& self;
  Origin start;  // of this replica
  const OriginTable& origins;
  const MemberTable& members;
};

// True if the origin's process is known to be gone. False of an origin that is not known.
bool IsFinished(const KnownCluster& known, Origin origin);

// True if, by what is known here alone, an entry of the origin may still come that is not applied
// here.
bool IsLive(const OriginState& state);

// Everything with at most this time that any origin has issued or will issue is applied here; 0
// while that is not known.
HybridTime AppliedUpTo(const KnownCluster& known);

// What entries that wait here depend on and was not received here: of each such origin the greatest
// position of those that are next in turn.
std::map<Origin, Sequence> Awaited(const OriginTable& origins);

// What this replica is to write into a chain entry.
struct ClosingPlan {
  // Origins of one plan at most; what is beyond comes with the next.
  static constexpr size_t kMax = 100;

  std::vector<Origin> closing;
  std::vector<std::pair<Origin, Sequence>> closed;
  bool empty() const { return closing.empty() && closed.empty(); }
};

// Whose closer this replica is: `lost`, its own origins of which its disk had not everything, and
// its own that are awaited. If it is the first member by name, also those of replicas that have
// left, and awaited ones of replicas that nobody knows: `unheard`, origins of which every member
// has denied to have anything (UnheardOrigins).
ClosingPlan PlanClosing(const KnownCluster& known, const std::set<Origin>& lost,
                        const std::set<Origin>& unheard);

}  // namespace homeport
