#include "gateway/route/router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "gateway/route/attempt_route.h"
#include "gateway/route/region_route.h"
#include "gateway/route/region_rules.h"
#include "gateway/route/route_world.h"

namespace homeport {
namespace {

const Place& NowhereKnown() {
  static const Place* const place = new Place();
  return *place;
}

std::vector<RegionRoutePtr> ClientRoutes(const RouteWorld& world, const RegionRules& rules,
                                         std::vector<int> regions, std::string of) {
  std::vector<RegionRoutePtr> routes;
  routes.push_back(std::make_unique<PinnedRoute>(world));
  if (!rules.empty()) routes.push_back(std::make_unique<RuleRoute>(rules));
  routes.push_back(std::make_unique<NearestRoute>(world, std::move(regions), std::move(of)));
  routes.push_back(std::make_unique<DefaultRoute>(world));
  return routes;
}

}  // namespace

struct Router::Compiled {
  // The routes of a namespace that some region holds.
  struct NamespaceRoutes {
    AttemptRoutePtr client;
    AttemptRoutePtr gateway;
    AttemptRoutePtr fastest;
    AttemptRoutePtr local_only;  // null if this process has no replica of the namespace
  };

  Compiled(std::shared_ptr<const Topology> topology, GatewayFacts gateway)
      : world(std::move(topology), gateway),
        rules(*world.topology),
        anywhere(FirstOfRoute::Create(ClientRoutes(world, rules, world.by_name, "all regions"))) {
    for (const NamespaceInfo& name_space : world.topology->namespaces()) {
      namespaces.push_back(Compile(name_space));
    }
  }

  NamespaceRoutes Compile(const NamespaceInfo& name_space) const {
    if (name_space.regions.empty()) return {};
    std::vector<int> held;
    size_t replicas = 0;
    for (int region : world.by_name) {
      if (!name_space.HeldBy(region)) continue;
      held.push_back(region);
      replicas += world.replica_orders[region].size();
    }
    // Puts what is common to all choices of the first region around one.
    const auto complete = [&](RegionRoutePtr region) {
      AttemptRoutePtr route = FailoverRoute::Create(
          world, std::make_unique<ReplicasRoute>(world, std::move(region)), held);
      return replicas == 1 ? std::move(route) : std::make_unique<HealthRoute>(std::move(route));
    };
    NamespaceRoutes routes;
    routes.client = complete(ClientRegion(name_space, held));
    routes.gateway = complete(GatewayRegion(name_space, held));
    routes.fastest = complete(FastestRegion(name_space, held));
    if (world.gateway.local_replica && name_space.HeldBy(world.gateway.self_region)) {
      routes.local_only = std::make_unique<LocalOnlyRoute>(
          world, Target{world.gateway.self_region, *world.gateway.local_replica});
    }
    return routes;
  }

  RegionRoutePtr ClientRegion(const NamespaceInfo& name_space, const std::vector<int>& held) const {
    const std::string& name = name_space.name.value();
    if (held.size() == 1) {
      return std::make_unique<FixedRegionRoute>(
          world, held.front(), v1::ROUTE_REASON_NEAREST,
          absl::StrCat("the only region that holds '", name, "'"));
    }
    const std::string of = absl::StrCat("the regions that hold '", name, "'");
    RegionRoutePtr route = FirstOfRoute::Create(ClientRoutes(world, rules, held, of));
    if (held.size() == world.points.size()) return route;
    return std::make_unique<HeldRoute>(world, std::move(route), name_space,
                                       std::make_unique<NearestRoute>(world, held, of));
  }

  RegionRoutePtr GatewayRegion(const NamespaceInfo& name_space,
                               const std::vector<int>& held) const {
    if (name_space.HeldBy(world.gateway.self_region)) {
      return std::make_unique<FixedRegionRoute>(world, world.gateway.self_region,
                                                v1::ROUTE_REASON_GATEWAY_REGION,
                                                "this gateway's region, as was chosen");
    }
    if (held.size() == 1) {
      return std::make_unique<FixedRegionRoute>(
          world, held.front(), v1::ROUTE_REASON_GATEWAY_REGION,
          absl::StrCat("this gateway's region does not hold '", name_space.name.value(),
                       "'; the only one that does"));
    }
    return std::make_unique<FastestRoute>(
        world, held, v1::ROUTE_REASON_GATEWAY_REGION,
        absl::StrCat("the regions that hold '", name_space.name.value(), "'"));
  }

  RegionRoutePtr FastestRegion(const NamespaceInfo& name_space,
                               const std::vector<int>& held) const {
    if (held.size() == 1) {
      return std::make_unique<FixedRegionRoute>(
          world, held.front(), v1::ROUTE_REASON_FASTEST,
          absl::StrCat("the only region that holds '", name_space.name.value(), "'"));
    }
    return std::make_unique<FastestRoute>(
        world, held, v1::ROUTE_REASON_FASTEST,
        absl::StrCat("the regions that hold '", name_space.name.value(), "'"));
  }

  const NamespaceRoutes& RoutesOf(const NamespaceInfo& name_space) const {
    const std::vector<NamespaceInfo>& all = world.topology->namespaces();
    HP_CHECK(&name_space >= all.data() && &name_space < all.data() + all.size());
    return namespaces[&name_space - all.data()];
  }

  // The route of a request, or why there is none.
  absl::StatusOr<const AttemptRoute*> RouteOf(const RequestFacts& request) const {
    HP_CHECK(request.name_space != nullptr);
    const NamespaceRoutes& routes = RoutesOf(*request.name_space);
    const std::string& name = request.name_space->name.value();
    if (request.local_only) {
      if (routes.local_only != nullptr) return routes.local_only.get();
      const std::string& region = world.NameOf(world.gateway.self_region);
      return MakeError(absl::StatusCode::kUnavailable, reason::kNoLocalReplica,
                       absl::StrCat("local_only: this gateway in '", region,
                                    "' has no replica of '", name, "' in its process"),
                       {{"region", region}});
    }
    if (routes.client == nullptr) {
      return MakeError(absl::StatusCode::kUnavailable, reason::kNoRegion,
                       absl::StrCat("no region with a replica holds '", name, "'"),
                       {{"tried", ""}});
    }
    const v1::RegionChoice choice = request.region_choice == v1::REGION_CHOICE_UNSPECIFIED
                                        ? request.name_space->region_choice
                                        : request.region_choice;
    if (choice == v1::REGION_CHOICE_FASTEST) return routes.fastest.get();
    return choice == v1::REGION_CHOICE_GATEWAY ? routes.gateway.get() : routes.client.get();
  }

  // Why a replica that is in no plan of the request is not.
  std::string WhyNot(const RequestFacts& request, Target target) const {
    if (!request.name_space->HeldBy(target.region)) {
      return absl::StrCat("does not hold '", request.name_space->name.value(), "'");
    }
    return "local_only: not the replica in this process";
  }

  const RouteWorld world;
  const RegionRules rules;
  const RegionRoutePtr anywhere;
  std::vector<NamespaceRoutes> namespaces;  // as in the topology
};

Router::Router(std::shared_ptr<const Topology> topology, GatewayFacts gateway)
    : compiled_(std::make_unique<const Compiled>(std::move(topology), gateway)) {}

Router::~Router() = default;

absl::StatusOr<Plan> Router::MakePlan(const RequestFacts& request,
                                      const HealthSnapshot& health) const {
  absl::StatusOr<const AttemptRoute*> route = compiled_->RouteOf(request);
  if (!route.ok()) return std::move(route).status();
  absl::StatusOr<Plan> plan(absl::in_place);
  (*route)->Fill(RouteInput{request.place ? *request.place : NowhereKnown(), health}, *plan);
  return plan;
}

std::pair<int, v1::RouteReason> Router::PreferredRegion(const Place& place) const {
  static const HealthSnapshot* const no_health = new HealthSnapshot();
  const RegionPick pick = *compiled_->anywhere->Pick(RouteInput{place, *no_health});
  return {pick.region, pick.reason};
}

absl::StatusOr<std::vector<CandidateReason>> Router::Explain(const RequestFacts& request,
                                                             const HealthSnapshot& health) const {
  absl::StatusOr<const AttemptRoute*> route = compiled_->RouteOf(request);
  if (!route.ok()) return std::move(route).status();
  const RouteInput input{request.place ? *request.place : NowhereKnown(), health};
  Plan plan;
  (*route)->Fill(input, plan);

  const std::vector<RegionInfo>& regions = topology().regions();
  std::vector<CandidateReason> candidates;
  const auto add = [&](Target target, int order, std::string why) {
    CandidateReason candidate;
    candidate.target = target;
    candidate.order = order;
    candidate.why = std::move(why);
    if (input.place.point) {
      candidate.distance_km = DistanceKm(*input.place.point, regions[target.region].point);
    }
    candidates.push_back(std::move(candidate));
  };
  for (const Attempt& attempt : plan.attempts) {
    add(attempt.target, static_cast<int>(candidates.size()) + 1,
        (*route)->Why(input, plan, attempt));
  }
  for (int region = 0; region < static_cast<int>(regions.size()); ++region) {
    for (int replica : compiled_->world.replica_orders[region]) {
      const Target target{region, replica};
      const bool planned =
          std::any_of(plan.attempts.begin(), plan.attempts.end(),
                      [target](const Attempt& attempt) { return attempt.target == target; });
      if (!planned) add(target, 0, compiled_->WhyNot(request, target));
    }
  }
  return candidates;
}

std::string Router::Describe(const NamespaceInfo& name_space) const {
  const Compiled::NamespaceRoutes& routes = compiled_->RoutesOf(name_space);
  if (routes.client == nullptr) return "none";
  const absl::string_view standard =
      name_space.region_choice == v1::REGION_CHOICE_FASTEST   ? "fastest"
      : name_space.region_choice == v1::REGION_CHOICE_GATEWAY ? "gateway"
                                                              : "client";
  return absl::StrCat("choice(default: ", standard, ", client: ", routes.client->Name(),
                      ", gateway: ", routes.gateway->Name(), ", fastest: ", routes.fastest->Name(),
                      ", local_only: ", routes.local_only ? routes.local_only->Name() : "none",
                      ")");
}

const Topology& Router::topology() const { return *compiled_->world.topology; }
const std::shared_ptr<const Topology>& Router::shared_topology() const {
  return compiled_->world.topology;
}
const GatewayFacts& Router::gateway() const { return compiled_->world.gateway; }

}  // namespace homeport
