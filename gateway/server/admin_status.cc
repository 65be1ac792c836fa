#include "gateway/server/admin_status.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/store/validate.h"
#include "gateway/server/locate.h"
#include "gateway/server/proto_time.h"
#include "gateway/server/route_words.h"
#include "gateway/server/target_health.h"

namespace homeport {
namespace {

void FillRegion(const Topology& topology, int self, int index, const HealthSnapshot& snapshot,
                v1::RegionStatus* out) {
  const RegionInfo& region = topology.regions()[index];
  out->set_name(region.name.value());
  out->set_country(region.country);
  out->set_latitude(region.point.latitude);
  out->set_longitude(region.point.longitude);
  out->set_is_self(index == self);
  for (const std::string& gateway : region.gateways) out->add_gateways(gateway);
  for (int i = 0; i < static_cast<int>(region.replicas.size()); ++i) {
    const TargetHealth health = HealthOf(topology, self, snapshot, Target{index, i});
    v1::RemoteReplicaStatus* replica = out->add_replicas();
    replica->set_name(region.replicas[i].name.value());
    replica->set_health(std::string(HealthWord(health.state)));
    replica->set_reason(health.reason);
    SetDuration(health.round_trip, replica->mutable_round_trip());
    replica->set_round_trip_measured(health.round_trip_measured);
  }
}

void FillNamespace(const Topology& topology, const NamespaceInfo& info, v1::NamespacePolicy* out) {
  out->set_name(info.name.value());
  out->set_write_mode("ANY_REGION");
  for (int region : info.regions) out->add_regions(topology.regions()[region].name.value());
  out->set_region_choice(info.region_choice);
  out->set_default_consistency(info.default_consistency);
  out->set_item_type(absl::AsciiStrToUpper(ItemTypeName(info.item_type)));
  out->set_serve_stale_when_isolated(info.serve_stale_when_isolated);
  if (info.ttl > absl::ZeroDuration()) SetDuration(info.ttl, out->mutable_ttl());
}

}  // namespace

v1::GetStatusResponse AdminStatus(const GatewayState& state, const StatusSource& source,
                                  absl::Time now, SteadyTime steady_now) {
  const Topology& topology = state.router->topology();
  const int self = state.router->gateway().self_region;
  v1::GetStatusResponse response;
  response.set_cluster(topology.cluster());
  response.set_region(topology.regions()[self].name.value());
  response.set_version(source.version);
  SetTimestamp(source.started, response.mutable_started());
  response.set_topology_fingerprint(topology.fingerprint());

  const std::shared_ptr<const HealthSnapshot> health = state.health->Snapshot(steady_now);
  for (int i = 0; i < static_cast<int>(topology.regions().size()); ++i) {
    FillRegion(topology, self, i, *health, response.add_regions());
  }
  if (source.replica) {
    if (std::optional<v1::ReplicaStatus> replica = source.replica()) {
      *response.mutable_replica() = *std::move(replica);
    }
  }
  for (const auto& database : state.locator->databases()) {
    FillGeoDatabase(*database->info(), now, response.add_databases());
  }
  if (std::string warning = LocatingWarning(state); !warning.empty()) {
    response.add_warnings(std::move(warning));
  }
  if (source.warnings) {
    for (std::string& warning : source.warnings()) response.add_warnings(std::move(warning));
  }
  return response;
}

absl::StatusOr<v1::ListNamespacesResponse> ListNamespaces(
    const Topology& topology, const v1::ListNamespacesRequest& request) {
  if (request.page_size() < 0) {
    return FieldError("page_size", absl::StrCat(request.page_size(), " is negative"));
  }
  // The token is the last name of the page before.
  if (request.page_token().size() > kNamespaceBytesMax) {
    return MakeError(absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid,
                     "page_token: was not given out by this service", {{"field", "page_token"}});
  }
  const int size = request.page_size() == 0 ? kNamespacePageDefault
                                            : std::min(request.page_size(), kNamespacePageMax);
  const std::vector<NamespaceInfo>& all = topology.namespaces();
  auto it = std::upper_bound(all.begin(), all.end(), request.page_token(),
                             [](const std::string& token, const NamespaceInfo& info) {
                               return token < info.name.value();
                             });
  v1::ListNamespacesResponse response;
  for (; it != all.end() && response.namespaces_size() < size; ++it) {
    FillNamespace(topology, *it, response.add_namespaces());
  }
  if (it != all.end()) response.set_next_page_token(std::prev(it)->name.value());
  return response;
}

}  // namespace homeport
