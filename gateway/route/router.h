// Planning requests against one topology. Pure: no I/O, no clock.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/route/plan.h"

namespace homeport {

// Compiled once when a topology loads: region rules, and for each namespace its tree of routes.
// Immutable, thread-safe; MakePlan() takes well under a microsecond.
//
// The region of a client: the operator's address range, then the first of the topology's rules that
// matches, then the nearest by great-circle distance of those that hold the namespace (ties by
// name), then the default region. One that was named but does not hold the namespace gives way to
// the nearest to the client that does (nearest to the named one, if the client's coordinates are
// not known). Region choice "gateway": this gateway's region, or if it does not hold the namespace
// the one with the least round trip. After the first region the others follow by round trip from
// this gateway, ties by name; in a region this process' own replica comes first, then they go by
// name. Then health: probing replicas move behind the healthy ones, ejected ones to the end.
class Router {
 public:
  // `gateway` must fit `topology`.
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
  // The namespace's tree of routes in words, for each choice of region.
  std::string Describe(const NamespaceInfo& name_space) const;

  const Topology& topology() const;
  const std::shared_ptr<const Topology>& shared_topology() const;
  const GatewayFacts& gateway() const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace homeport
