// What all routes of a router share: the topology, seen from one gateway.
#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "gateway/route/plan.h"

namespace homeport {

// A point on the unit sphere. Which of two regions is nearer is told by the squared chord, which
// grows with the great-circle distance and needs no trigonometry.
struct UnitVector {
  double x = 0, y = 0, z = 0;

  static UnitVector Of(const GeoPoint& point);
  double ChordSquaredTo(const UnitVector& other) const {
    const double dx = x - other.x, dy = y - other.y, dz = z - other.z;
    return dx * dx + dy * dy + dz * dz;
  }
};

// A round trip from this gateway.
struct RegionRoundTrip {
  absl::Duration round_trip;
  bool measured = false;
};

// The topology with what is computed from it once. Immutable, thread-safe; outlives its routes.
struct RouteWorld {
  RouteWorld(std::shared_ptr<const Topology> topology, GatewayFacts gateway);

  // The measured round trip to the region's fastest replica, or the topology's figure.
  RegionRoundTrip RoundTrip(int region, const HealthSnapshot& health) const;
  // Appends the region's replicas: this process' own first, then by name.
  void AppendReplicas(int region, v1::RouteReason reason, Plan& plan) const;
  const std::string& NameOf(int region) const { return topology->regions()[region].name.value(); }
  bool IsLocal(Target target) const {
    return target.region == gateway.self_region && gateway.local_replica == target.replica;
  }

  const std::shared_ptr<const Topology> topology;
  const GatewayFacts gateway;
  std::vector<UnitVector> points;                // by region
  std::vector<absl::Duration> round_trips;       // by region, the topology's figures
  std::vector<std::vector<int>> replica_orders;  // by region
  // All regions, in name order.
  std::vector<int> by_name;
};

// What a request's route may depend on. Lives for one call.
struct RouteInput {
  const Place& place;
  const HealthSnapshot& health;
};

// "93 ms", "0.4 ms": for people.
std::string InMilliseconds(absl::Duration duration);

}  // namespace homeport
