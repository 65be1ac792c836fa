// A world for tests of routes: six regions at real places, round trips that do not follow distance.
#pragma once

#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/topology/topology.h"
#include "gateway/route/router.h"

namespace homeport {

inline void AddRegion(internal::v1::Topology& topology, const std::string& name,
                      const std::string& country, double latitude, double longitude,
                      const std::vector<std::string>& replicas) {
  internal::v1::Region* region = topology.add_regions();
  region->set_name(name);
  region->set_country(country);
  region->set_latitude(latitude);
  region->set_longitude(longitude);
  const int index = topology.regions_size();
  region->add_gateways(absl::StrCat("127.0.0.", index, ":7000"));
  int port = 7100;
  for (const std::string& replica : replicas) {
    internal::v1::Replica* added = region->add_replicas();
    added->set_name(replica);
    added->set_address(absl::StrCat("127.0.0.", index, ":", port++));
  }
}

inline void AddNamespace(internal::v1::Topology& topology, const std::string& name,
                         const std::vector<std::string>& regions,
                         v1::RegionChoice choice = v1::REGION_CHOICE_UNSPECIFIED) {
  internal::v1::Namespace* added = topology.add_namespaces();
  added->set_name(name);
  added->set_region_choice(choice);
  for (const std::string& region : regions) added->add_regions(region);
}

inline void AddRoundTrip(internal::v1::Topology& topology, const std::string& from,
                         const std::string& to, int milliseconds) {
  internal::v1::RoundTrip* added = topology.add_round_trips();
  added->set_from(from);
  added->set_to(to);
  added->mutable_round_trip()->set_nanos(milliseconds * 1'000'000);
}

// us-east (Virginia), eu-central (Frankfurt, replicas b and a), sa-east (São Paulo), ap-northeast
// (Tokyo), ap-southeast (Sydney), me-edge (Dubai, gateways only). Namespace "all" is held
// everywhere, "west" in us-east and sa-east, "tokyo" in ap-northeast, "edge" as "all" but by
// gateway.
inline internal::v1::Topology SixRegions() {
  internal::v1::Topology topology;
  topology.set_cluster("test");
  AddRegion(topology, "us-east", "US", 38.9, -77.4, {"a"});
  AddRegion(topology, "eu-central", "DE", 50.1, 8.7, {"b", "a"});
  AddRegion(topology, "sa-east", "BR", -23.5, -46.6, {"a"});
  AddRegion(topology, "ap-northeast", "JP", 35.7, 139.7, {"a"});
  AddRegion(topology, "ap-southeast", "AU", -33.9, 151.2, {"a"});
  AddRegion(topology, "me-edge", "AE", 25.2, 55.3, {});
  AddNamespace(topology, "all", {});
  AddNamespace(topology, "west", {"us-east", "sa-east"});
  AddNamespace(topology, "tokyo", {"ap-northeast"});
  AddNamespace(topology, "edge", {}, v1::REGION_CHOICE_GATEWAY);
  AddRoundTrip(topology, "eu-central", "us-east", 93);
  AddRoundTrip(topology, "eu-central", "sa-east", 204);
  AddRoundTrip(topology, "eu-central", "ap-northeast", 227);
  AddRoundTrip(topology, "eu-central", "ap-southeast", 252);
  AddRoundTrip(topology, "us-east", "sa-east", 115);
  AddRoundTrip(topology, "us-east", "ap-northeast", 150);
  AddRoundTrip(topology, "us-east", "ap-southeast", 200);
  return topology;
}

inline std::shared_ptr<const Topology> Compile(internal::v1::Topology proto) {
  auto topology = Topology::Create(std::move(proto));
  if (!topology.ok()) {
    std::fprintf(stderr, "%s\n", std::string(topology.status().message()).c_str());
  }
  HP_CHECK(topology.ok());
  return *topology;
}

// A router with short ways to ask it.
class World {
 public:
  explicit World(internal::v1::Topology proto = SixRegions(),
                 const std::string& self = "eu-central", std::optional<int> local = std::nullopt)
      : topology(Compile(std::move(proto))),
        router(topology, GatewayFacts{*topology->FindRegion(self), local}) {
    for (const RegionInfo& region : topology->regions()) {
      health.targets.emplace_back(region.replicas.size());
      for (TargetHealth& target : health.targets.back()) {
        target.round_trip =
            topology->RoundTrip(router.gateway().self_region, health.targets.size() - 1);
      }
    }
  }

  RequestFacts Facts(const std::string& name_space, const Place& place) const {
    RequestFacts facts;
    facts.name_space = topology->FindNamespace(name_space);
    facts.place = &places.emplace_back(place);  // callers pass temporaries
    return facts;
  }
  Target TargetOf(const std::string& replica) const {
    for (int region = 0; region < static_cast<int>(topology->regions().size()); ++region) {
      const auto& replicas = topology->regions()[region].replicas;
      for (int i = 0; i < static_cast<int>(replicas.size()); ++i) {
        if (replicas[i].name.value() == replica) return {region, i};
      }
    }
    HP_CHECK(false);
  }
  TargetHealth& HealthOf(const std::string& replica) {
    const Target target = TargetOf(replica);
    return health.targets[target.region][target.replica];
  }
  void Measure(const std::string& replica, absl::Duration round_trip) {
    HealthOf(replica).round_trip = round_trip;
    HealthOf(replica).round_trip_measured = true;
  }
  std::string NameOf(Target target) const {
    return topology->regions()[target.region].replicas[target.replica].name.value();
  }
  // The plan's replicas, "eu-central/a eu-central/b us-east/a"; or the error's text.
  std::string Order(const RequestFacts& facts) const {
    absl::StatusOr<Plan> plan = router.MakePlan(facts, health);
    if (!plan.ok()) return plan.status().ToString();
    return absl::StrJoin(plan->attempts, " ", [this](std::string* out, const Attempt& attempt) {
      out->append(NameOf(attempt.target));
    });
  }
  std::string Order(const std::string& name_space, const Place& place) const {
    return Order(Facts(name_space, place));
  }
  std::string First(const std::string& name_space, const Place& place) const {
    const std::string order = Order(name_space, place);
    return order.substr(0, order.find(' '));
  }
  std::string Why(const RequestFacts& facts, const std::string& replica) const {
    absl::StatusOr<std::vector<CandidateReason>> candidates = router.Explain(facts, health);
    if (!candidates.ok()) return candidates.status().ToString();
    for (const CandidateReason& candidate : *candidates) {
      if (NameOf(candidate.target) == replica) return candidate.why;
    }
    return "not listed";
  }
  std::string Preferred(const Place& place) const {
    return topology->regions()[router.PreferredRegion(place).first].name.value();
  }

  std::shared_ptr<const Topology> topology;
  Router router;
  HealthSnapshot health;
  mutable std::deque<Place> places;
};

inline Place PlaceAt(double latitude, double longitude, const std::string& country = "",
                     const std::string& continent = "") {
  Place place;
  place.country = country;
  place.continent = continent;
  place.point = GeoPoint{latitude, longitude};
  place.source = v1::PLACE_SOURCE_DATABASE;
  return place;
}

inline Place Paris() { return PlaceAt(48.9, 2.4, "FR", "EU"); }
inline Place Osaka() { return PlaceAt(34.7, 135.5, "JP", "AS"); }
inline Place Lima() { return PlaceAt(-12.0, -77.0, "PE", "SA"); }
inline Place NewYork() {
  Place place = PlaceAt(40.7, -74.0, "US", "NA");
  place.subdivision = "NY";
  return place;
}

}  // namespace homeport
