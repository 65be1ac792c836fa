#include "gateway/route/route_world.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/check.h"

namespace homeport {

UnitVector UnitVector::Of(const GeoPoint& point) {
  constexpr double kRadians = std::numbers::pi / 180;
  const double latitude = point.latitude * kRadians;
  const double longitude = point.longitude * kRadians;
  const double across = std::cos(latitude);
  return {across * std::cos(longitude), across * std::sin(longitude), std::sin(latitude)};
}

RouteWorld::RouteWorld(std::shared_ptr<const Topology> topology_in, GatewayFacts gateway_in)
    : topology(std::move(topology_in)), gateway(gateway_in) {
  const std::vector<RegionInfo>& regions = topology->regions();
  const int count = static_cast<int>(regions.size());
  HP_CHECK(gateway.self_region >= 0 && gateway.self_region < count);
  for (int region = 0; region < count; ++region) {
    points.push_back(UnitVector::Of(regions[region].point));
    round_trips.push_back(topology->RoundTrip(gateway.self_region, region));
    const std::vector<ReplicaInfo>& replicas = regions[region].replicas;
    std::vector<int> order(replicas.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) {
      const bool a_local = IsLocal({region, a}), b_local = IsLocal({region, b});
      if (a_local != b_local) return a_local;
      return replicas[a].name < replicas[b].name;
    });
    replica_orders.push_back(std::move(order));
  }
  by_name.resize(count);
  std::iota(by_name.begin(), by_name.end(), 0);
  std::sort(by_name.begin(), by_name.end(),
            [&](int a, int b) { return regions[a].name < regions[b].name; });
}

RegionRoundTrip RouteWorld::RoundTrip(int region, const HealthSnapshot& health) const {
  RegionRoundTrip best{round_trips[region], false};
  if (static_cast<size_t>(region) >= health.targets.size()) return best;
  for (const TargetHealth& target : health.targets[region]) {
    if (!target.round_trip_measured) continue;
    if (!best.measured || target.round_trip < best.round_trip) best = {target.round_trip, true};
  }
  return best;
}

void RouteWorld::AppendReplicas(int region, v1::RouteReason reason, Plan& plan) const {
  for (int replica : replica_orders[region]) {
    plan.attempts.push_back(Attempt{.target = {region, replica},
                                    .reason = reason,
                                    .rank = static_cast<uint16_t>(plan.attempts.size())});
  }
}

std::string InMilliseconds(absl::Duration duration) {
  const double milliseconds = absl::ToDoubleMilliseconds(duration);
  return milliseconds < 10 ? absl::StrFormat("%.1f ms", milliseconds)
                           : absl::StrFormat("%.0f ms", milliseconds);
}

}  // namespace homeport
