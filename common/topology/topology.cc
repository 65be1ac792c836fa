#include "common/topology/topology.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/error.h"
#include "common/topology/option_ranges.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace homeport {
namespace {

constexpr double kEarthRadiusKm = 6371.0088;
// An estimate for pairs without a measured figure: a constant for both ends' access networks, and
// light in fibre on a way that is longer than the great circle.
constexpr absl::Duration kRoundTripBase = absl::Microseconds(3500);
constexpr absl::Duration kRoundTripPerKm = absl::Microseconds(17);
constexpr absl::Duration kRoundTripInRegion = absl::Milliseconds(1);
// Problems that an error's message shows; the rest is counted.
constexpr size_t kProblemsShownMax = 100;

absl::Status ProblemsToStatus(const std::vector<TopologyProblem>& problems) {
  std::string message;
  for (size_t i = 0; i < std::min(problems.size(), kProblemsShownMax); ++i) {
    absl::StrAppend(&message, i > 0 ? "\n" : "", problems[i].path, ": ", problems[i].what);
  }
  if (problems.size() > kProblemsShownMax) {
    absl::StrAppend(&message, "\nand ", problems.size() - kProblemsShownMax, " more");
  }
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kFieldInvalid, message,
                   {{"field", problems[0].path}});
}

std::string Fingerprint(internal::v1::Topology proto) {
  for (auto& database : *proto.mutable_geo()->mutable_databases()) {
    const size_t slash = database.path().rfind('/');
    if (slash != std::string::npos) database.set_path(database.path().substr(slash + 1));
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    proto.SerializeToCodedStream(&coded);
  }
  return absl::StrCat(absl::Hex(XXH3_64bits(bytes.data(), bytes.size()), absl::kZeroPad16));
}

void FillNamespaceDefaults(const internal::v1::Topology& topology, internal::v1::Namespace& space) {
  if (space.write_mode() == internal::v1::WRITE_MODE_UNSPECIFIED) {
    space.set_write_mode(internal::v1::WRITE_MODE_ANY_REGION);
  }
  if (space.region_choice() == v1::REGION_CHOICE_UNSPECIFIED) {
    space.set_region_choice(v1::REGION_CHOICE_CLIENT);
  }
  if (space.default_consistency() == v1::CONSISTENCY_LEVEL_UNSPECIFIED) {
    space.set_default_consistency(v1::CONSISTENCY_LEVEL_SESSION);
  }
  if (space.item_type() == internal::v1::ITEM_TYPE_UNSPECIFIED) {
    space.set_item_type(internal::v1::ITEM_TYPE_REGISTER);
  }
  if (space.regions().empty()) {
    for (const auto& region : topology.regions()) {
      if (!region.replicas().empty()) space.add_regions(region.name());
    }
  }
}

RegionInfo CompileRegion(const internal::v1::Region& proto) {
  RegionInfo region;
  region.name = RegionName(proto.name());
  region.country = proto.country();
  region.point = {proto.latitude(), proto.longitude()};
  region.gateways.assign(proto.gateways().begin(), proto.gateways().end());
  for (const auto& replica : proto.replicas()) {
    region.replicas.push_back(
        {ReplicaName(absl::StrCat(proto.name(), "/", replica.name())), replica.address()});
  }
  return region;
}

absl::Duration EstimatedRoundTrip(const RegionInfo& a, const RegionInfo& b) {
  return kRoundTripBase + kRoundTripPerKm * DistanceKm(a.point, b.point);
}

}  // namespace

double DistanceKm(const GeoPoint& a, const GeoPoint& b) {
  const auto radians = [](double degrees) { return degrees * M_PI / 180; };
  const double latitude_sine = std::sin(radians(b.latitude - a.latitude) / 2);
  const double longitude_sine = std::sin(radians(b.longitude - a.longitude) / 2);
  const double haversine = latitude_sine * latitude_sine + std::cos(radians(a.latitude)) *
                                                               std::cos(radians(b.latitude)) *
                                                               longitude_sine * longitude_sine;
  // Rounding can lift the haversine of two antipodes above 1.
  return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::min(1.0, haversine)));
}

bool NamespaceInfo::HeldBy(int index) const {
  return std::binary_search(regions.begin(), regions.end(), index);
}

absl::StatusOr<std::shared_ptr<const Topology>> Topology::Create(internal::v1::Topology proto) {
  const std::vector<TopologyProblem> problems = ValidateTopology(proto);
  if (!problems.empty()) return ProblemsToStatus(problems);

  FillDefaults(GatewayOptionTable(), *proto.mutable_gateway());
  FillDefaults(StorageOptionTable(), *proto.mutable_storage());
  for (auto& space : *proto.mutable_namespaces()) FillNamespaceDefaults(proto, space);

  std::shared_ptr<Topology> topology(new Topology);
  topology->fingerprint_ = Fingerprint(proto);
  for (const auto& region : proto.regions()) {
    topology->region_index_[region.name()] = static_cast<int>(topology->regions_.size());
    topology->regions_.push_back(CompileRegion(region));
  }

  for (const auto& space : proto.namespaces()) {
    NamespaceInfo info{NamespaceName(space.name()),
                       {},
                       space.region_choice(),
                       space.default_consistency(),
                       space.item_type(),
                       ToAbslDuration(space.ttl()),
                       space.serve_stale_when_isolated()};
    for (const auto& name : space.regions()) {
      info.regions.push_back(topology->region_index_.at(name));
    }
    std::sort(info.regions.begin(), info.regions.end());
    topology->namespaces_.push_back(std::move(info));
  }
  std::sort(topology->namespaces_.begin(), topology->namespaces_.end(),
            [](const NamespaceInfo& a, const NamespaceInfo& b) { return a.name < b.name; });
  for (size_t i = 0; i < topology->namespaces_.size(); ++i) {
    topology->namespace_index_[topology->namespaces_[i].name.value()] = static_cast<int>(i);
  }

  const size_t count = topology->regions_.size();
  topology->round_trips_.assign(count, std::vector<absl::Duration>(count, kRoundTripInRegion));
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = 0; b < count; ++b) {
      if (a == b) continue;
      topology->round_trips_[a][b] =
          EstimatedRoundTrip(topology->regions_[a], topology->regions_[b]);
    }
  }
  for (const auto& round_trip : proto.round_trips()) {
    const int a = topology->region_index_.at(round_trip.from());
    const int b = topology->region_index_.at(round_trip.to());
    topology->round_trips_[a][b] = topology->round_trips_[b][a] =
        ToAbslDuration(round_trip.round_trip());
  }

  topology->default_region_ = topology->FindRegion(proto.default_region());
  topology->proto_ = std::move(proto);
  return topology;
}

std::optional<int> Topology::FindRegion(absl::string_view name) const {
  const auto it = region_index_.find(name);
  if (it == region_index_.end()) return std::nullopt;
  return it->second;
}

const NamespaceInfo* Topology::FindNamespace(absl::string_view name) const {
  const auto it = namespace_index_.find(name);
  return it == namespace_index_.end() ? nullptr : &namespaces_[it->second];
}

const ReplicaInfo* Topology::FindReplica(const ReplicaName& name) const {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(name.value(), absl::MaxSplits('/', 1));
  const std::optional<int> region = FindRegion(parts.first);
  if (!region) return nullptr;
  for (const ReplicaInfo& replica : regions_[*region].replicas) {
    if (replica.name == name) return &replica;
  }
  return nullptr;
}

absl::Duration Topology::RoundTrip(int a, int b) const { return round_trips_[a][b]; }

}  // namespace homeport
