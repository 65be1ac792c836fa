#include "storage/replication/replica_view.h"

#include <algorithm>

#include "common/base/mutants.h"

namespace homeport {

HybridTime ReplicaView::TimeAt(SteadyTime now) const {
  return FromWallTime(ToWallTime(time) + std::max(now - steady, absl::ZeroDuration()));
}

bool ReplicaView::HoldsWhole(absl::string_view name_space) const {
  const NamespaceSeeding* found = seeding == nullptr ? nullptr : seeding->Find(name_space);
  return found == nullptr || !found->partial;
}

const OriginView* ReplicaView::Find(Origin origin) const {
  auto it = std::lower_bound(origins.begin(), origins.end(), origin,
                             [](const OriginView& v, Origin o) { return v.origin < o; });
  return it != origins.end() && it->origin == origin ? &*it : nullptr;
}

Sequence ReplicaView::ReceivedOf(Origin origin) const {
  const OriginView* view = Find(origin);
  return view == nullptr ? Sequence(0) : view->received;
}

Sequence ReplicaView::AppliedOf(Origin origin) const {
  const OriginView* view = Find(origin);
  return view == nullptr ? Sequence(0) : view->applied;
}

bool ReplicaView::Covers(const SessionToken& token, SessionToken::Position* missing) const {
  for (const SessionToken::Position& position : token.positions()) {
    if (AppliedOf(position.origin) < position.sequence && !HP_MUTANT(kTokenIgnored)) {
      if (missing != nullptr) *missing = position;
      return false;
    }
  }
  return true;
}

std::optional<SessionToken::Position> ReplicaView::FindLost(const SessionToken& token) const {
  for (const SessionToken::Position& position : token.positions()) {
    const OriginView* view = Find(position.origin);
    if (view != nullptr && view->closed_end && position.sequence > *view->closed_end) {
      return position;
    }
  }
  return std::nullopt;
}

void ReplicaView::DropLost(SessionToken& token) const {
  SessionToken left;
  for (const SessionToken::Position& position : token.positions()) {
    const OriginView* view = Find(position.origin);
    const bool lost = view != nullptr && view->closed_end && position.sequence > *view->closed_end;
    left.Advance(position.origin, lost ? *view->closed_end : position.sequence);
  }
  token = std::move(left);
}

void ReplicaView::Normalize(SessionToken& token) const {
  SessionToken normal;
  for (const SessionToken::Position& position : token.positions()) {
    const OriginView* view = Find(position.origin);
    // A position past the covered end was lost with a disk; hiding it would break the promise.
    if (view != nullptr && view->covered_by != Origin(0) &&
        (position.sequence <= view->covered_end || HP_MUTANT(kTokenNotNormalized))) {
      normal.Advance(view->covered_by, view->covered_at);
    } else {
      normal.Advance(position.origin, position.sequence);
    }
  }
  token = std::move(normal);
}

HybridTime ReplicaView::WatermarkOf(const ReplicaName& replica) const {
  HybridTime latest;
  for (const OriginView& view : origins) {
    if (view.replica != nullptr && *view.replica == replica)
      latest = std::max(latest, view.watermark);
  }
  return latest;
}

}  // namespace homeport
