// The topology file of a world on one machine.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/world/round_trips.h"

namespace homeport {

// A region and where it is.
struct WorldRegion {
  std::string name;
  std::string country;  // ISO 3166-1 alpha-2
  std::string place;    // for people, "Frankfurt"
  double latitude = 0;
  double longitude = 0;
  // Written into the file as new: it takes reads and writes once it has what the others have.
  bool joining = false;
};

// us-east-1, sa-east-1, eu-central-1, ap-northeast-1 and ap-southeast-2.
const std::vector<WorldRegion>& FiveRegions();

// Where one region's process listens: "127.0.0.1:port".
struct WorldAddresses {
  std::string gateway;
  std::string replica;
};

struct WorldTopology {
  std::string cluster = "world";
  std::vector<WorldRegion> regions;
  std::vector<WorldAddresses> addresses;  // as many as regions
  std::vector<std::string> namespaces;
  // MMDB files, by absolute path, and the credit shown for all of them.
  std::vector<std::string> databases;
  std::string database_credit;
  // YAML that is appended as it is, such as "storage:\n  heartbeat_interval: 100ms\n".
  std::string more;
};

// The file's text. Proxies of this machine are trusted, so that a client can be put anywhere by
// `x-forwarded-for`. NOT_FOUND if the table lacks a pair of the regions.
absl::StatusOr<std::string> TopologyYaml(const WorldTopology& topology,
                                         const RoundTrips& round_trips);

}  // namespace homeport
