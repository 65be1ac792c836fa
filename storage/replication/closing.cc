#include "storage/replication/closing.h"

#include <algorithm>

#include "common/base/mutants.h"

namespace homeport {
namespace {

HybridTime BeginOf(const OriginState& state) {
  return state.first_time == HybridTime(0) ? state.received_time : state.first_time;
}

// True if `test` holds for every other member, all of whom were heard of.
template <typename Test>
bool AllMembers(const KnownCluster& known, Test test) {
  if (HP_MUTANT(kClosedWithoutAllMembers)) return true;
  const auto& members = known.members.members().members;
  return std::all_of(members.begin(), members.end(), [&](const auto& listed) {
    if (listed.first == known.self) return true;
    const Member* member = known.members.Find(listed.first);
    return member != nullptr && test(*member);
  });
}

// True if the origin's end by its replica's chain entry may be too early, or there is none.
bool EndIsOpen(const KnownCluster& known, Origin origin, const OriginState& state) {
  return state.covered_by == Origin(0) ||
         std::max(state.received, known.members.MaxReceived(origin)) > state.covered_end;
}

}  // namespace

bool IsFinished(const KnownCluster& known, Origin origin) {
  const OriginState* state = known.origins.Find(origin);
  if (origin == known.start || state == nullptr || state->replica == nullptr) return false;
  if (known.origins.IsOwn(*state)) return true;
  const MemberSet& members = known.members.members();
  if (!members.members.empty() && !members.Lists(*state->replica)) return true;
  if (state->covered_by != Origin(0)) return true;
  // A clock that was set back, and a disk that was lost, may make a later start look earlier.
  const Member* member = known.members.Find(*state->replica);
  if (member != nullptr && member->start == origin) return false;
  const auto& states = known.origins.states();
  return std::any_of(states.begin(), states.end(), [&](const auto& item) {
    const OriginState& other = item.second;
    return item.first != origin && other.StartOf(*state->replica) && other.applied > Sequence(0) &&
           other.covered_by == Origin(0) && BeginOf(other) > BeginOf(*state);
  });
}

bool IsLive(const OriginState& state) {
  if (state.closed_end) return state.applied < *state.closed_end;
  return state.covered_by == Origin(0) || state.applied < state.covered_end ||
         state.received > state.covered_end;
}

HybridTime AppliedUpTo(const KnownCluster& known) {
  // Without that, a member may have entries of an earlier start which nobody here has heard of.
  if (!known.members.KnowEachOther(known.start)) return HybridTime(0);
  HybridTime least(~uint64_t{0});
  for (const auto& [origin, state] : known.origins.states()) {
    if (origin != known.start && IsLive(state)) least = std::min(least, state.watermark);
  }
  for (const auto& [name, member] : *known.members.reports()) {
    for (const auto& [origin, has] : member->origins) {
      if (origin == known.start || has.received == Sequence(0)) continue;
      const OriginState* here = known.origins.Find(origin);
      if (here == nullptr) return HybridTime(0);
      const bool beyond = !here->closed_end && has.received > here->covered_end;
      if (here->covered_by != Origin(0) && beyond) least = std::min(least, here->watermark);
    }
  }
  return least;
}

std::map<Origin, Sequence> Awaited(const OriginTable& origins) {
  std::map<Origin, Sequence> awaited;
  for (const auto& [waiting, state] : origins.states()) {
    if (!state.block || state.block->kind != OriginBlock::Kind::kDependency) continue;
    const OriginState* on = origins.Find(state.block->origin);
    if (on != nullptr && (on->closed_end || on->received >= state.block->sequence)) continue;
    Sequence& position = awaited[state.block->origin];
    position = std::max(position, state.block->sequence);
  }
  return awaited;
}

ClosingPlan PlanClosing(const KnownCluster& known, const std::set<Origin>& lost,
                        const std::set<Origin>& unheard) {
  ClosingPlan plan;
  const MemberSet& members = known.members.members();
  if (!members.Lists(known.self)) return plan;
  const bool first = members.IsFirst(known.self);
  const auto full = [&plan] {
    return plan.closing.size() + plan.closed.size() >= ClosingPlan::kMax;
  };
  // What is frozen here is closed once it is frozen everywhere.
  const auto close = [&](Origin origin, Sequence received) {
    const auto frozen = [origin](const Member& m) { return m.Of(origin).frozen; };
    if (!AllMembers(known, frozen)) return;
    plan.closed.emplace_back(origin, std::max(received, known.members.MaxReceived(origin)));
  };
  const std::map<Origin, Sequence> awaited = Awaited(known.origins);
  for (const auto& [origin, state] : known.origins.states()) {
    if (full()) break;
    if (origin == known.start || state.closed_end || state.replica == nullptr) continue;
    const bool own = known.origins.IsOwn(state);
    if (own) {
      if (!lost.contains(origin) && !awaited.contains(origin)) continue;
    } else if (members.Lists(*state.replica) || !first ||
               (!EndIsOpen(known, origin, state) && !awaited.contains(origin))) {
      continue;
    }
    if (state.frozen) {
      close(origin, state.received);
      continue;
    }
    // Whoever knows that the origin is finished takes entries of it from members only; once all
    // have the same, there is nothing more to be had from any of them.
    const Sequence here = state.received;
    const auto gathered = [&, origin = origin](const Member& member) {
      const MemberOrigin has = member.Of(origin);
      const bool knows = own ? member.Of(known.start).applied > Sequence(0)
                             : member.fingerprint == members.fingerprint;
      return knows && (has.frozen || has.received == here);
    };
    if (AllMembers(known, gathered)) plan.closing.push_back(origin);
  }
  if (!first) return plan;
  for (const auto& [origin, sequence] : awaited) {
    if (full()) break;
    const OriginState* state = known.origins.Find(origin);
    // Of whom the replica is known that one speaks.
    if (!unheard.contains(origin) || (state != nullptr && state->replica != nullptr)) continue;
    if (state != nullptr && state->frozen) {
      close(origin, state->received);
    } else {
      plan.closing.push_back(origin);
    }
  }
  return plan;
}

}  // namespace homeport
