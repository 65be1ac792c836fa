// The topology in force: the file's content, checked and compiled for look-ups.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/topology.pb.h"

namespace homeport {

// A point on Earth, in degrees.
struct GeoPoint {
  double latitude = 0;
  double longitude = 0;
  friend bool operator==(const GeoPoint&, const GeoPoint&) = default;
};

// Great-circle distance in kilometres (haversine, mean Earth radius 6371.0088 km).
double DistanceKm(const GeoPoint& a, const GeoPoint& b);

struct ReplicaInfo {
  ReplicaName name;     // "eu-west/a"
  std::string address;  // host:port
};

struct RegionInfo {
  RegionName name;
  std::string country;
  GeoPoint point;
  std::vector<std::string> gateways;
  std::vector<ReplicaInfo> replicas;
};

struct NamespaceInfo {
  NamespaceName name;
  // Indexes of the regions that hold it, ascending; only regions with replicas.
  std::vector<int> regions;
  v1::RegionChoice region_choice;                                       // never UNSPECIFIED
  v1::ConsistencyLevel default_consistency;                             // never UNSPECIFIED
  internal::v1::ItemType item_type = internal::v1::ITEM_TYPE_REGISTER;  // never UNSPECIFIED
  // How long a value lives whose write does not say; zero: for ever.
  absl::Duration ttl = absl::ZeroDuration();
  // A region that is cut off from all others that hold it serves reads older than was asked for.
  bool serve_stale_when_isolated = false;
  // True if region `index` may hold the namespace.
  bool HeldBy(int index) const;
};

// One thing wrong with a topology. `path` as in "regions[2].replicas[0].address".
struct TopologyProblem {
  std::string path;
  std::string what;
};

// Everything that is wrong with a topology, by itself and between its fields; empty if it is sound.
// Absent optional fields are fine here. Pure.
std::vector<TopologyProblem> ValidateTopology(const internal::v1::Topology& topology);

// Immutable; shared by std::shared_ptr<const Topology>, so a reload swaps the pointer and the old
// one lives as long as a request uses it. Region indexes are positions in regions().
class Topology {
 public:
  // Fills in defaults. INVALID_ARGUMENT with all problems, one a line, if there are any.
  static absl::StatusOr<std::shared_ptr<const Topology>> Create(internal::v1::Topology proto);

  // With every default filled in.
  const internal::v1::Topology& proto() const { return proto_; }
  const std::string& cluster() const { return proto_.cluster(); }
  // Hex of XXH3-64 over the deterministic serialization of proto(), with databases by their files'
  // names only: where a region keeps its file is no difference between regions.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::vector<RegionInfo>& regions() const { return regions_; }
  // In name order.
  const std::vector<NamespaceInfo>& namespaces() const { return namespaces_; }
  // nullopt / null if there is none of that name.
  std::optional<int> FindRegion(absl::string_view name) const;
  const NamespaceInfo* FindNamespace(absl::string_view name) const;
  // The region of a replica's name "region/replica" and the replica; null if not listed.
  const ReplicaInfo* FindReplica(const ReplicaName& name) const;
  // The topology's round trip, or for a pair that it lacks 3.5 ms + 1.7 ms per 100 km; 1 ms within
  // a region.
  absl::Duration RoundTrip(int a, int b) const;
  // Index of the default region, or nullopt if the gateway's own is meant.
  std::optional<int> default_region() const { return default_region_; }

 private:
  Topology() = default;

  internal::v1::Topology proto_;
  std::string fingerprint_;
  std::vector<RegionInfo> regions_;
  std::vector<NamespaceInfo> namespaces_;
  std::vector<std::vector<absl::Duration>> round_trips_;
  absl::flat_hash_map<std::string, int> region_index_;
  absl::flat_hash_map<std::string, int> namespace_index_;
  std::optional<int> default_region_;
};

}  // namespace homeport
