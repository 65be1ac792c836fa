// Whether this replica has left: peers refuse it, as the origins on its disk are those of a member
// that left.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/base/ids.h"

namespace homeport {

// A replica that left and was started again with its old disk knows nothing of that itself. It must
// take no writes: nobody would ever pull them, and they would go with the disk, which has to be
// emptied. One peer's word is enough, unless another peer takes this replica for a member: a
// replica that was let in again with an empty disk may be refused for a while by a peer that has
// not heard of it yet. Not thread-safe.
class Fence {
 public:
  // The peer exchanges entries with this replica.
  void OnAccepted(const ReplicaName& peer);
  // The peer says that this replica has left, and what is to be done.
  void OnLeft(const ReplicaName& peer, std::string detail);

  // What a peer said, while this replica is taken for one that left.
  std::optional<std::string> detail() const;

 private:
  std::set<ReplicaName> accepted_by_;
  std::map<ReplicaName, std::string> left_by_;
};

}  // namespace homeport
