// A topology for geolocation tests.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/check.h"
#include "common/net/ip_address.h"
#include "common/topology/topology.h"

namespace homeport::testing {

// Two regions, "eu" in DE at 50, 9 and "us" in US at 39, -77, and what `geo` says.
inline std::shared_ptr<const Topology> GeoTopology(const internal::v1::Geo& geo = {}) {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  int port = 7000;
  for (const auto& [name, country, latitude, longitude] :
       {std::tuple("eu", "DE", 50.0, 9.0), std::tuple("us", "US", 39.0, -77.0)}) {
    auto* region = proto.add_regions();
    region->set_name(name);
    region->set_country(country);
    region->set_latitude(latitude);
    region->set_longitude(longitude);
    region->add_gateways("127.0.0.1:" + std::to_string(port++));
    auto* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address("127.0.0.1:" + std::to_string(port++));
  }
  proto.add_namespaces()->set_name("users");
  *proto.mutable_geo() = geo;
  auto topology = Topology::Create(proto);
  HP_CHECK(topology.ok());
  return *topology;
}

inline std::shared_ptr<const Topology> TopologyWithDatabases(
    const std::vector<std::string>& paths) {
  internal::v1::Geo geo;
  for (const std::string& path : paths) {
    auto* file = geo.add_databases();
    file->set_path(path);
    file->set_credit("credit of " + path);
  }
  return GeoTopology(geo);
}

inline IpAddress Ip(absl::string_view text) {
  auto address = IpAddress::Parse(text);
  HP_CHECK(address.ok());
  return *address;
}

}  // namespace homeport::testing
