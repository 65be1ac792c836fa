// The plan of a request: which replicas to try, in which order, and why. Pure.
#pragma once

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

enum class HealthState : uint8_t { kUnknown, kHealthy, kEjected, kProbing };

// What a gateway knows of a replica at a moment.
struct TargetHealth {
  HealthState state = HealthState::kUnknown;
  absl::Duration round_trip;         // measured, or the topology's
  bool round_trip_measured = false;
  std::string reason;                // why it is not healthy
};

// The health of every replica at a moment. Immutable, shared.
struct HealthSnapshot {
  // By region, by replica, as in the topology.
  std::vector<std::vector<TargetHealth>> targets;
};

// What the plan may depend on, of a request.
struct RequestFacts {
  const NamespaceInfo* name_space = nullptr;  // of the topology that is planned with
  v1::Operation operation = v1::OPERATION_READ;
  v1::RegionChoice region_choice = v1::REGION_CHOICE_UNSPECIFIED;
  bool local_only = false;
  const Place* place = nullptr;  // the client's
};

// A replica to try.
struct Attempt {
  Target target;
  v1::RouteReason reason;
};

struct Plan {
  // In order. Never empty when Route returns OK.
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
