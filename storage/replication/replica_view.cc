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

Sequence ReplicaView::SeenOf(const ReplicaName& peer, Origin origin) const {
  const JoinView::OfOrigin* joined = joins == nullptr ? nullptr : joins->Find(origin);
  if (joined == nullptr) return Sequence(0);
  auto found = joined->seen.find(peer);
  if (found == joined->seen.end() || found->second <= ReceivedOf(origin)) return Sequence(0);
  return found->second;
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

std::optional<Sequence> ReplicaView::EndOf(const OriginView& origin) const {
  if (origin.closed_end) return origin.closed_end;
  if (origin.covered_by == Origin(0) || !members_complete || members == nullptr ||
      origin.received > origin.covered_end) {
    return std::nullopt;
  }
  // Who has applied the chain entry takes the origin from members only. If none of them has more,
  // none can get more.
  for (const auto& [name, member] : *members) {
    if (member->Of(origin.covered_by).applied < origin.covered_at ||
        member->Of(origin.origin).received > origin.covered_end) {
      return std::nullopt;
    }
  }
  return origin.covered_end;
}

std::optional<SessionToken::Position> ReplicaView::FindLost(const SessionToken& token) const {
  for (const SessionToken::Position& position : token.positions()) {
    // Most tokens name nothing that is not here.
    if (AppliedOf(position.origin) >= position.sequence) continue;
    const OriginView* view = Find(position.origin);
    if (unheard != nullptr && unheard->contains(position.origin)) return position;
    if (view == nullptr) continue;
    const std::optional<Sequence> end = EndOf(*view);
    if (end && position.sequence > *end) return position;
  }
  return std::nullopt;
}

void ReplicaView::DropLost(SessionToken& token) const {
  SessionToken left;
  for (const SessionToken::Position& position : token.positions()) {
    if (unheard != nullptr && unheard->contains(position.origin)) continue;
    const OriginView* view = Find(position.origin);
    const std::optional<Sequence> end = view == nullptr ? std::nullopt : EndOf(*view);
    left.Advance(position.origin, end ? std::min(*end, position.sequence) : position.sequence);
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
