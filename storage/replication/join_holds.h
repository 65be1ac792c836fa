// Origins that a peer is told to hold, because what it sends of them lies beyond a gap and as much
// as may waits already (StreamJoin). It goes on from where its stream was taken once there is room.
// No I/O.
#pragma once

#include <map>

#include "common/base/ids.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// Of one link, seen from the receiver. Thread-compatible.
class JoinHolds {
 public:
  // Something of the origin was dropped.
  void OnFull(Origin origin) { told_.try_emplace(origin, false); }
  // Adds what the peer is to be told by now.
  void AddTo(internal::v1::PullRequest& request, const ReplicaName& peer, const ReplicaView& view);
  // The stream has ended: the next one begins where this replica is.
  void Clear() { told_.clear(); }

 private:
  // True once the peer was told to hold it. As many as StreamJoin has origins, at most.
  std::map<Origin, bool> told_;
};

}  // namespace homeport
