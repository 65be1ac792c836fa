#include "gateway/server/locate.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/store/validate.h"
#include "common/topology/option_ranges.h"
#include "gateway/route/freshness_order.h"
#include "gateway/server/proto_time.h"
#include "gateway/server/route_words.h"
#include "gateway/server/target_health.h"

namespace homeport {
namespace {

absl::StatusOr<IpAddress> AddressOf(const std::string& text, const IpAddress& caller_address) {
  if (text.empty()) return caller_address;
  if (text.size() > kAddressBytesMax) {
    return LimitError("address", kAddressBytesMax, text.size(), "bytes");
  }
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text);
  if (address.ok()) return address;
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kAddressInvalid,
                   absl::StrCat("address: ", address.status().message()), {{"field", "address"}});
}

void FillPlace(const Topology& topology, const Place& place, v1::Place* out) {
  out->set_country(place.country);
  out->set_continent(place.continent);
  out->set_subdivision(place.subdivision);
  out->set_city(place.city);
  if (place.point) {
    out->set_latitude(place.point->latitude);
    out->set_longitude(place.point->longitude);
  }
  out->set_country_point(place.country_point);
  out->set_asn(place.asn);
  if (place.pinned_region) {
    out->set_pinned_region(topology.regions()[*place.pinned_region].name.value());
  }
}

void FillLocate(const GatewayState& state, const IpAddress& address, const Place& place,
                absl::Time now, v1::LocateResponse* out) {
  const Topology& topology = state.router->topology();
  out->set_address(address.ToString());
  FillPlace(topology, place, out->mutable_place());
  out->set_source(place.source);
  if (place.database != nullptr) FillGeoDatabase(*place.database, now, out->mutable_database());
  const auto [region, reason] = state.router->PreferredRegion(place);
  out->set_region(topology.regions()[region].name.value());
  out->set_reason(reason);
  out->set_warning(LocatingWarning(state));
}

absl::Status CheckExplain(const v1::ExplainRouteRequest& request) {
  if (absl::Status status = ValidateNamespaceName(request.namespace_()); !status.ok()) {
    return status;
  }
  if (!v1::Operation_IsValid(request.operation())) {
    return FieldError("operation",
                      absl::StrCat(static_cast<int>(request.operation()), " is not an operation"));
  }
  if (!v1::RegionChoice_IsValid(request.region_choice())) {
    return FieldError("region_choice", absl::StrCat(static_cast<int>(request.region_choice()),
                                                    " is not a region choice"));
  }
  if (!v1::ConsistencyLevel_IsValid(request.consistency())) {
    return FieldError("consistency", absl::StrCat(static_cast<int>(request.consistency()),
                                                  " is not a consistency level"));
  }
  const bool bounded = request.consistency() == v1::CONSISTENCY_LEVEL_BOUNDED;
  if (bounded != request.has_max_staleness()) {
    return FieldError("max_staleness", bounded ? "BOUNDED needs it" : "only BOUNDED has one");
  }
  return absl::OkStatus();
}

// What is known of replicas for a read that may be `max_staleness` old, without a deadline.
FreshnessFacts FactsOf(const GatewayState& state, const NamespaceInfo& name_space,
                       absl::Duration max_staleness, const HealthSnapshot& health, SteadyTime now) {
  FreshnessFacts facts;
  facts.topology = &state.router->topology();
  facts.name_space = &name_space;
  facts.gateway = state.router->gateway();
  facts.health = &health;
  facts.max_staleness = max_staleness;
  facts.now = now;
  facts.freshness = [&state](Target target) { return state.dispatcher->FreshnessOf(target); };
  return facts;
}

// Puts the candidates of the plan into its order, and says why that is not the one of the routes.
void OrderAs(const Plan& plan, std::vector<CandidateReason>& candidates) {
  for (CandidateReason& candidate : candidates) {
    if (candidate.order == 0) continue;
    const auto at =
        std::find_if(plan.attempts.begin(), plan.attempts.end(),
                     [&](const Attempt& attempt) { return attempt.target == candidate.target; });
    const int order = static_cast<int>(at - plan.attempts.begin()) + 1;
    if (order != candidate.order) {
      absl::StrAppend(&candidate.why, order < candidate.order
                                          ? "; before others, by what is predicted of its age"
                                          : "; behind others, by what is predicted of its age");
    }
    candidate.order = order;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const CandidateReason& a, const CandidateReason& b) {
                     if ((a.order == 0) != (b.order == 0)) return b.order == 0;
                     return a.order < b.order;
                   });
}

void FillCandidate(const Topology& topology, const TargetHealth& health,
                   const CandidateReason& candidate, v1::RouteCandidate* out) {
  const RegionInfo& region = topology.regions()[candidate.target.region];
  out->set_region(region.name.value());
  out->set_replica(region.replicas[candidate.target.replica].name.value());
  if (candidate.distance_km) out->set_distance_km(*candidate.distance_km);
  SetDuration(health.round_trip, out->mutable_round_trip());
  out->set_round_trip_measured(health.round_trip_measured);
  out->set_order(candidate.order);
  out->set_why(candidate.why);
  out->set_health(std::string(HealthWord(health.state)));
}

}  // namespace

void FillGeoDatabase(const GeoDatabaseInfo& info, absl::Time now, v1::GeoDatabase* out) {
  out->set_path(info.path);
  out->set_type(info.type);
  out->set_credit(info.credit);
  SetTimestamp(info.built, out->mutable_built());
  SetDuration(now - info.built, out->mutable_age());
}

std::string LocatingWarning(const GatewayState& state) {
  if (!state.locator->databases().empty()) return "";
  return "no GeoIP database is loaded: a client whose address is not in the operator's table goes "
         "to the default region";
}

absl::StatusOr<v1::LocateResponse> Locate(const GatewayState& state,
                                          const IpAddress& caller_address,
                                          const v1::LocateRequest& request, absl::Time now) {
  const absl::StatusOr<IpAddress> address = AddressOf(request.address(), caller_address);
  if (!address.ok()) return address.status();
  v1::LocateResponse response;
  FillLocate(state, *address, state.locator->Locate(*address), now, &response);
  return response;
}

absl::StatusOr<v1::ExplainRouteResponse> ExplainRoute(const GatewayState& state,
                                                      const IpAddress& caller_address,
                                                      const v1::ExplainRouteRequest& request,
                                                      absl::Time now, SteadyTime steady_now) {
  if (absl::Status status = CheckExplain(request); !status.ok()) return status;
  const absl::StatusOr<IpAddress> address = AddressOf(request.address(), caller_address);
  if (!address.ok()) return address.status();
  const Topology& topology = state.router->topology();
  const NamespaceInfo* name_space = topology.FindNamespace(request.namespace_());
  if (name_space == nullptr) {
    return MakeError(
        absl::StatusCode::kNotFound, reason::kNamespaceUnknown,
        absl::StrCat("namespace \"", request.namespace_(), "\" is not in the topology"),
        {{"namespace", request.namespace_()}});
  }

  const Place place = state.locator->Locate(*address);
  RequestFacts facts;
  facts.name_space = name_space;
  facts.operation =
      request.operation() == v1::OPERATION_UNSPECIFIED ? v1::OPERATION_READ : request.operation();
  facts.region_choice = request.region_choice();
  facts.local_only = request.local_only();
  facts.place = &place;
  const std::shared_ptr<const HealthSnapshot> health = state.health->Snapshot(steady_now);
  absl::StatusOr<std::vector<CandidateReason>> candidates = state.router->Explain(facts, *health);
  if (!candidates.ok()) return candidates.status();
  absl::StatusOr<Plan> plan = state.router->MakePlan(facts, *health);
  if (!plan.ok()) return plan.status();
  const FreshnessFacts freshness =
      FactsOf(state, *name_space,
              request.has_max_staleness() ? ToAbslDuration(request.max_staleness())
                                          : absl::InfiniteDuration(),
              *health, steady_now);
  if (request.has_max_staleness()) {
    OrderByFreshness(freshness, *plan);
    OrderAs(*plan, *candidates);
  }

  const int self = state.router->gateway().self_region;
  v1::ExplainRouteResponse response;
  FillLocate(state, *address, place, now, response.mutable_client());
  response.set_route(state.router->Describe(*name_space));
  for (const CandidateReason& candidate : *candidates) {
    v1::RouteCandidate* out = response.add_candidates();
    FillCandidate(topology, HealthOf(topology, self, *health, candidate.target), candidate, out);
    if (candidate.order == 0) continue;
    const std::optional<absl::Duration> predicted = PredictAnswer(freshness, candidate.target);
    if (predicted && *predicted < absl::InfiniteDuration()) {
      SetDuration(*predicted, out->mutable_predicted());
    }
  }
  response.set_reason(plan->attempts.front().reason);
  return response;
}

}  // namespace homeport
