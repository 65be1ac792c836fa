// The order of a plan's replicas for a read that must not be older than it says: by what is
// predicted of each. Pure.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "common/store/freshness.h"
#include "gateway/route/plan.h"

namespace homeport {

// What a gateway asks of a read, and what it knows.
struct FreshnessFacts {
  const Topology* topology = nullptr;         // that was planned with; required
  const NamespaceInfo* name_space = nullptr;  // of that topology; required
  GatewayFacts gateway;
  const HealthSnapshot* health = nullptr;  // required
  // Infinite: any age will do.
  absl::Duration max_staleness;
  SteadyTime now;
  SteadyTime deadline = absl::InfiniteDuration();
  // What is known of a replica; null: nothing.
  std::function<std::shared_ptr<const StoreFreshness>(Target)> freshness;
};

// When an answer of `target` that meets the bound is to be expected: a round trip, and the wait
// that is predicted there for when the request arrives. Infinite: none is to be expected. nullopt:
// that is not known.
std::optional<absl::Duration> PredictAnswer(const FreshnessFacts& facts, Target target);

// If the plan's first replica is predicted to meet the bound without a wait, or nothing is known of
// it, only those that are predicted not to meet it inside the deadline move, to the end: the
// caller's choice of region then costs nothing. Otherwise those come first that are predicted to
// meet it, by when their answer is to be expected, so that one waits where it is if that is quicker
// than going elsewhere; then those of which it is not known, then the others. What then comes
// before the plan's first region has the reason FRESHNESS. A plan whose reason is FASTEST never
// keeps its first replica for its own sake, and what comes before that has the reason FASTEST.
// Always healthy replicas come before probing ones before ejected ones.
void OrderByFreshness(const FreshnessFacts& facts, Plan& plan);

}  // namespace homeport
