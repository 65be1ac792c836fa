#include "storage/replication/fence.h"

#include <utility>

namespace homeport {

void Fence::OnAccepted(const ReplicaName& peer) {
  accepted_by_.insert(peer);
  left_by_.erase(peer);
}

void Fence::OnLeft(const ReplicaName& peer, std::string detail) {
  accepted_by_.erase(peer);
  left_by_[peer] = std::move(detail);
}

std::optional<std::string> Fence::detail() const {
  if (left_by_.empty() || !accepted_by_.empty()) return std::nullopt;
  return left_by_.begin()->second;
}

}  // namespace homeport
