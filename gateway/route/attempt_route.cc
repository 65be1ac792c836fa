#include "gateway/route/attempt_route.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace homeport {
namespace {

// Sorts a short list in place; unlike std::stable_sort it never allocates.
template <typename List, typename Less>
void StableInsertionSort(List& list, Less less) {
  for (size_t i = 1; i < list.size(); ++i) {
    auto moving = list[i];
    size_t j = i;
    for (; j > 0 && less(moving, list[j - 1]); --j) list[j] = list[j - 1];
    list[j] = moving;
  }
}

}  // namespace

ReplicasRoute::ReplicasRoute(const RouteWorld& world, RegionRoutePtr child)
    : world_(world), child_(std::move(child)) {}

void ReplicasRoute::Fill(const RouteInput& input, Plan& plan) const {
  const std::optional<RegionPick> pick = child_->Pick(input);
  HP_CHECK(pick.has_value());
  plan.preferred_region = pick->region;
  plan.reason = pick->reason;
  world_.AppendReplicas(pick->region, pick->reason, plan);
}

std::string ReplicasRoute::Why(const RouteInput& input, const Plan&, const Attempt& attempt) const {
  if (attempt.target.replica != world_.replica_orders[attempt.target.region].front()) {
    return absl::StrCat("another replica of '", world_.NameOf(attempt.target.region), "'");
  }
  const RegionPick pick = *child_->Pick(input);
  return pick.by->Why(input, pick);
}

AttemptRoutePtr FailoverRoute::Create(const RouteWorld& world, AttemptRoutePtr child,
                                      std::vector<int> regions) {
  if (regions.size() <= 1) return child;
  return AttemptRoutePtr(new FailoverRoute(world, std::move(child), std::move(regions)));
}

FailoverRoute::FailoverRoute(const RouteWorld& world, AttemptRoutePtr child,
                             std::vector<int> regions)
    : world_(world), child_(std::move(child)), regions_(std::move(regions)) {}

void FailoverRoute::Fill(const RouteInput& input, Plan& plan) const {
  child_->Fill(input, plan);
  struct Other {
    absl::Duration round_trip;
    int region;
  };
  absl::InlinedVector<Other, 16> others;
  for (int region : regions_) {
    if (region == plan.preferred_region) continue;
    others.push_back({world_.RoundTrip(region, input.health).round_trip, region});
  }
  StableInsertionSort(others,
                      [](const Other& a, const Other& b) { return a.round_trip < b.round_trip; });
  for (const Other& other : others) {
    world_.AppendReplicas(other.region, v1::ROUTE_REASON_FAILOVER, plan);
  }
}

std::string FailoverRoute::Why(const RouteInput& input, const Plan& plan,
                               const Attempt& attempt) const {
  const Target target = attempt.target;
  if (target.region == plan.preferred_region) return child_->Why(input, plan, attempt);
  if (target.replica != world_.replica_orders[target.region].front()) {
    return absl::StrCat("another replica of '", world_.NameOf(target.region), "'");
  }
  if (world_.IsLocal(target)) return "next by round trip: in this process";
  const RegionRoundTrip trip = world_.RoundTrip(target.region, input.health);
  return absl::StrCat(
      trip.measured ? "next by measured round trip, " : "next by the topology's round trip, ",
      InMilliseconds(trip.round_trip));
}

std::string FailoverRoute::Name() const {
  return absl::StrCat("failover(", child_->Name(), ", by round trip)");
}

void HealthRoute::Fill(const RouteInput& input, Plan& plan) const {
  child_->Fill(input, plan);
  bool all_healthy = true;
  for (Attempt& attempt : plan.attempts) {
    const TargetHealth* health = input.health.Find(attempt.target);
    if (health == nullptr) continue;
    attempt.health = health->state;
    all_healthy &= HealthOrder(health->state) == 0;
  }
  if (all_healthy) return;
  StableInsertionSort(plan.attempts, [](const Attempt& a, const Attempt& b) {
    return HealthOrder(a.health) < HealthOrder(b.health);
  });
}

std::string HealthRoute::Why(const RouteInput& input, const Plan& plan,
                             const Attempt& attempt) const {
  std::string why = child_->Why(input, plan, attempt);
  if (HealthOrder(attempt.health) == 0) return why;
  const TargetHealth* health = input.health.Find(attempt.target);
  if (attempt.health == HealthState::kEjected) {
    return absl::StrCat("ejected: ", health->reason, "; tried last (otherwise: ", why, ")");
  }
  return absl::StrCat("was ejected: ", health->reason,
                      "; tried after the healthy ones until a probe succeeds (otherwise: ", why,
                      ")");
}

std::string HealthRoute::Name() const { return absl::StrCat("health(", child_->Name(), ")"); }

void LocalOnlyRoute::Fill(const RouteInput&, Plan& plan) const {
  plan.preferred_region = local_.region;
  plan.reason = v1::ROUTE_REASON_LOCAL_ONLY;
  plan.attempts.push_back(Attempt{.target = local_, .reason = v1::ROUTE_REASON_LOCAL_ONLY});
}

std::string LocalOnlyRoute::Why(const RouteInput&, const Plan&, const Attempt&) const {
  return "local_only: the replica in this process";
}

std::string LocalOnlyRoute::Name() const {
  const RegionInfo& region = world_.topology->regions()[local_.region];
  return absl::StrCat("local(", region.replicas[local_.replica].name.value(), ")");
}

}  // namespace homeport
