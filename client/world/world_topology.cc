#include "client/world/world_topology.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/base/check.h"

namespace homeport {
namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

}  // namespace

const std::vector<WorldRegion>& FiveRegions() {
  static const auto* const regions = new std::vector<WorldRegion>{
      {"us-east-1", "US", "N. Virginia", 38.95, -77.45},
      {"sa-east-1", "BR", "Sao Paulo", -23.55, -46.63},
      {"eu-central-1", "DE", "Frankfurt", 50.11, 8.68},
      {"ap-northeast-1", "JP", "Tokyo", 35.68, 139.69},
      {"ap-southeast-2", "AU", "Sydney", -33.87, 151.21},
  };
  return *regions;
}

absl::StatusOr<std::string> TopologyYaml(const WorldTopology& topology,
                                         const RoundTrips& round_trips) {
  HP_CHECK(topology.regions.size() == topology.addresses.size());
  std::string yaml = absl::StrCat("cluster: ", topology.cluster, "\nregions:\n");
  for (size_t i = 0; i < topology.regions.size(); ++i) {
    const WorldRegion& region = topology.regions[i];
    absl::StrAppendFormat(&yaml,
                          "  - name: %s\n"
                          "    country: %s\n"
                          "    latitude: %.2f\n"
                          "    longitude: %.2f\n"
                          "    gateways: [%s]\n"
                          "    replicas:\n"
                          "      - name: a\n"
                          "        address: %s\n",
                          region.name, Quoted(region.country), region.latitude, region.longitude,
                          Quoted(topology.addresses[i].gateway),
                          Quoted(topology.addresses[i].replica));
    if (region.joining) yaml += "    joining: true\n";
  }
  yaml += "namespaces:\n";
  for (const std::string& name : topology.namespaces) {
    absl::StrAppend(&yaml, "  - name: ", name, "\n");
  }
  if (topology.regions.size() > 1) yaml += "round_trips:\n";
  for (size_t i = 0; i < topology.regions.size(); ++i) {
    for (size_t j = i + 1; j < topology.regions.size(); ++j) {
      auto rtt = round_trips.Between(topology.regions[i].name, topology.regions[j].name);
      if (!rtt.ok()) return rtt.status();
      absl::StrAppendFormat(&yaml, "  - {from: %s, to: %s, round_trip: %dms}\n",
                            topology.regions[i].name, topology.regions[j].name,
                            absl::ToInt64Milliseconds(*rtt));
    }
  }
  yaml += "geo:\n  trusted_proxies: [\"127.0.0.0/8\", \"::1/128\"]\n";
  if (!topology.databases.empty()) yaml += "  databases:\n";
  for (const std::string& path : topology.databases) {
    absl::StrAppend(&yaml, "    - path: ", Quoted(path), "\n");
    if (!topology.database_credit.empty()) {
      absl::StrAppend(&yaml, "      credit: ", Quoted(topology.database_credit), "\n");
    }
  }
  return yaml + topology.more;
}

}  // namespace homeport
