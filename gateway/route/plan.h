// The plan of a request: which replicas to try, in which order, and why. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "gateway/geo/place.h"
#include "homeport/v1/consistency.pb.h"
#include "homeport/v1/locator.pb.h"

namespace homeport {

// A replica by its place in the topology: regions()[region].replicas[replica].
struct Target {
  int region = 0;
  int replica = 0;
  friend bool operator==(const Target&, const Target&) = default;
  friend auto operator<=>(const Target&, const Target&) = default;
};

// Ejected: failed, and not to be asked yet. Probing: its time out is over, and single requests may
// find out whether it is back. Unknown: not heard of yet; routed as healthy.
enum class HealthState : uint8_t { kUnknown, kHealthy, kEjected, kProbing };

// Healthy replicas (0) are tried before probing ones before ejected ones.
inline int HealthOrder(HealthState state) {
  switch (state) {
    case HealthState::kUnknown:
    case HealthState::kHealthy:
      return 0;
    case HealthState::kProbing:
      return 1;
    case HealthState::kEjected:
      return 2;
  }
  return 0;
}

// What a gateway knows of a replica at a moment.
struct TargetHealth {
  HealthState state = HealthState::kUnknown;
  absl::Duration round_trip;  // measured, or the topology's
  bool round_trip_measured = false;
  std::string reason;  // why it is not healthy
  // It is not healthy, and the last that was seen of it is that it can not be reached.
  bool unreachable = false;
};

// The health of every replica at a moment. Immutable, shared.
struct HealthSnapshot {
  // By region, by replica, as in the topology. A replica that is missing here is kUnknown, with the
  // topology's round trip.
  std::vector<std::vector<TargetHealth>> targets;

  // Null if the replica is missing. Valid as long as the snapshot.
  const TargetHealth* Find(Target target) const {
    if (static_cast<size_t>(target.region) >= targets.size()) return nullptr;
    const std::vector<TargetHealth>& region = targets[target.region];
    return static_cast<size_t>(target.replica) < region.size() ? &region[target.replica] : nullptr;
  }
};

// What the plan may depend on, of a request.
struct RequestFacts {
  const NamespaceInfo* name_space = nullptr;  // of the topology that is planned with; required
  v1::Operation operation = v1::OPERATION_READ;
  v1::RegionChoice region_choice = v1::REGION_CHOICE_UNSPECIFIED;
  bool local_only = false;
  const Place* place = nullptr;  // the client's; null: nothing is known of it
};

// A replica to try.
struct Attempt {
  Target target;
  // The plan's reason in the preferred region, elsewhere FAILOVER, or FRESHNESS or FASTEST when it
  // comes before that because of the level that is asked for (freshness_order.h).
  v1::RouteReason reason = v1::ROUTE_REASON_UNSPECIFIED;
  // When the plan was made.
  HealthState health = HealthState::kUnknown;
  // From 0: the position that it would have if all were healthy. A probing replica that would come
  // before the one that is next is worth a probe.
  uint16_t rank = 0;
};

// Where a request goes. Healthy replicas come first, then probing ones, then ejected ones, which
// are never left out: when nothing is healthy they are still tried.
struct Plan {
  // In order, each replica once. Never empty in a plan that was made.
  absl::InlinedVector<Attempt, 8> attempts;
  // The region that would be first if all were healthy.
  int preferred_region = 0;
  // Why the preferred region was preferred.
  v1::RouteReason reason = v1::ROUTE_REASON_UNSPECIFIED;
};

// Why a replica stands where it stands; for ExplainRoute.
struct CandidateReason {
  Target target;
  std::optional<double> distance_km;
  int order = 0;  // from 1; 0: not in the plan
  std::string why;
};

// The gateway that plans.
struct GatewayFacts {
  int self_region = 0;
  // The replica in this process, if there is one.
  std::optional<int> local_replica;
};

}  // namespace homeport
