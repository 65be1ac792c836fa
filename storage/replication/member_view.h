// What is known of the members of the cluster, for readers and links. Plain data.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

// How far a member is in one origin.
struct MemberOrigin {
  Sequence received;
  Sequence applied;
  bool frozen = false;
  friend bool operator==(const MemberOrigin&, const MemberOrigin&) = default;
};

// What a member has.
struct Member {
  Origin start;             // the origin of its present start
  HybridTime as_of;         // its clock when it said the last of this
  std::string fingerprint;  // of its topology
  std::map<Origin, MemberOrigin> origins;
  // Namespaces that it may hold and does not hold whole: of these it has applied nothing.
  std::set<std::string, std::less<>> partial;
  // Namespaces that it does not hold whole any more, and of which it keeps what it had.
  std::set<std::string, std::less<>> kept;

  // Nothing, if it has said nothing of the origin.
  MemberOrigin Of(Origin origin) const {
    auto found = origins.find(origin);
    return found == origins.end() ? MemberOrigin() : found->second;
  }
};

// Of every member but this replica that was heard of. Immutable, shared between threads.
using MemberReports = std::map<ReplicaName, std::shared_ptr<const Member>>;

// Replicas that have left and did not come back with an empty disk, with the origins that they had.
// Immutable, shared between threads.
using LeftReplicas = std::map<ReplicaName, std::set<Origin>>;

// What to tell people of a replica that left and comes back with `origin` on its disk.
std::string LeftText(const ReplicaName& replica, Origin origin);

// The first of the peer's origins (OriginReports) that it had when it left; 0: none, or it never
// left. `left` may be null.
template <typename Reports>
Origin OriginOfLeft(const LeftReplicas* left, const ReplicaName& peer, const Reports& reports) {
  if (left == nullptr) return Origin(0);
  auto found = left->find(peer);
  if (found == left->end()) return Origin(0);
  for (const auto& report : reports) {
    // Who was let in with an empty disk may have had it from others before that is known here.
    if (report.came_since_start()) continue;
    if (found->second.contains(Origin(report.origin()))) return Origin(report.origin());
  }
  return Origin(0);
}

}  // namespace homeport
