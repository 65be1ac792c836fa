// Planning requests against one topology. Pure: no I/O, no clock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/route/plan.h"

namespace homeport {

// Compiled once when a topology loads: region rules, and for each namespace its tree of routes.
// Immutable, thread-safe; Plan() takes well under a microsecond.
class Router {
 public:
  Router(std::shared_ptr<const Topology> topology, GatewayFacts gateway);
  ~Router();

  // Where a request goes, in order. Errors:
  //   UNAVAILABLE NO_LOCAL_REPLICA  local_only, and this process has no replica of the namespace
  //   UNAVAILABLE NO_REGION         no region holds the namespace
  absl::StatusOr<Plan> MakePlan(const RequestFacts& request, const HealthSnapshot& health) const;

  // The region that a client at `place` prefers over all regions, and why.
  std::pair<int, v1::RouteReason> PreferredRegion(const Place& place) const;

  // The same plan, with every replica of the topology and why it stands where it stands; those of
  // the plan first.
  absl::StatusOr<std::vector<CandidateReason>> Explain(const RequestFacts& request,
                                                       const HealthSnapshot& health) const;
  // The namespace's tree of routes in words.
  std::string Describe(const NamespaceInfo& name_space) const;

  const Topology& topology() const;
  const std::shared_ptr<const Topology>& shared_topology() const;
  const GatewayFacts& gateway() const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace homeport
