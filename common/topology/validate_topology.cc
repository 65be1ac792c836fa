#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/endpoint/endpoint.h"
#include "common/net/ip_address.h"
#include "common/topology/country_codes.h"
#include "common/topology/option_ranges.h"
#include "common/topology/topology.h"

namespace homeport {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr size_t kReplicaNameBytesMax = 31;
constexpr size_t kHeaderNameBytesMax = 64;
constexpr int kRegionsMax = 64;
constexpr int kGatewaysMax = 16;
constexpr int kReplicasMax = 16;
constexpr int kNamespacesMax = 1024;
constexpr int kDatabasesMax = 16;
constexpr int kCidrRulesMax = 50'000;
constexpr int kTrustedProxiesMax = 1024;
constexpr int kRegionRulesMax = 10'000;
constexpr absl::Duration kRoundTripMax = absl::Seconds(10);
constexpr absl::Duration kTtlMin = absl::Seconds(1);
constexpr absl::Duration kTtlMax = absl::Hours(3650 * 24);

std::string Item(absl::string_view list, int index) { return absl::StrCat(list, "[", index, "]"); }

std::string Field(absl::string_view parent, absl::string_view name) {
  return absl::StrCat(parent, ".", name);
}

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

bool IsName(absl::string_view name, size_t bytes_max) {
  if (name.empty() || name.size() > bytes_max) return false;
  for (const char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

std::string ShowBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  const char* unit = "";
  for (const char* next : kUnits) {
    if (bytes == 0 || bytes % 1024 != 0) break;
    bytes /= 1024;
    unit = next;
  }
  return *unit == '\0' ? absl::StrCat(bytes, " bytes") : absl::StrCat(bytes, " ", unit);
}

// Where a thing that must be unique was seen first.
class Unique {
 public:
  // `what` is the thing in words, as in "region name".
  explicit Unique(absl::string_view what) : what_(what) {}

  // The problem with a second one, or nothing.
  std::string See(absl::string_view thing, const std::string& path) {
    const auto [it, fresh] = seen_.emplace(std::string(thing), path);
    if (fresh) return "";
    return absl::StrCat("the ", what_, " ", Quoted(thing), " is taken by ", it->second);
  }

 private:
  std::string what_;
  absl::flat_hash_map<std::string, std::string> seen_;
};

// One walk over a topology.
class Validator {
 public:
  explicit Validator(const internal::v1::Topology& topology) : topology_(topology) {}

  std::vector<TopologyProblem> Run() {
    CheckName("cluster", topology_.cluster(), kNameBytesMax);
    // Names first: every later part refers to them.
    CheckSize("regions", topology_.regions_size(), 1, kRegionsMax);
    for (int i = 0; i < topology_.regions_size(); ++i) CheckRegion(i);
    CheckSize("namespaces", topology_.namespaces_size(), 1, kNamespacesMax);
    for (int i = 0; i < topology_.namespaces_size(); ++i) CheckNamespace(i);
    for (int i = 0; i < topology_.round_trips_size(); ++i) CheckRoundTrip(i);
    if (!topology_.default_region().empty()) {
      CheckRegionKnown("default_region", topology_.default_region());
    }
    CheckGeo();
    CheckOptions("gateway", topology_.gateway(), GatewayOptionTable());
    CheckOptions("storage", topology_.storage(), StorageOptionTable());
    CheckBatchFitsCredit();
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string what) {
    problems_.push_back({std::move(path), std::move(what)});
  }

  // Adds `what` unless it is empty.
  void AddIf(const std::string& path, std::string what) {
    if (!what.empty()) Add(path, std::move(what));
  }

  bool CheckName(const std::string& path, absl::string_view name, size_t bytes_max) {
    if (IsName(name, bytes_max)) return true;
    Add(path, name.empty()
                  ? absl::StrCat("is missing; must be 1 to ", bytes_max, " of [a-z0-9-]")
                  : absl::StrCat(Quoted(name), ", must be 1 to ", bytes_max, " of [a-z0-9-]"));
    return false;
  }

  void CheckSize(const std::string& path, int size, int min, int max) {
    if (size < min) Add(path, absl::StrCat("must have at least ", min));
    if (size > max) Add(path, absl::StrCat("has ", size, ", at most ", max, " are possible"));
  }

  // True if the region is there, so that what is said of it can be checked too.
  bool CheckRegionKnown(const std::string& path, absl::string_view name) {
    if (name.empty()) {
      Add(path, "is missing; must name a region");
      return false;
    }
    if (region_with_replicas_.contains(name)) return true;
    Add(path, absl::StrCat("there is no region ", Quoted(name), "; there are ",
                           absl::StrJoin(region_names_, ", ")));
    return false;
  }

  void CheckCountry(const std::string& path, absl::string_view country) {
    if (IsCountryCode(country)) return;
    if (country.empty()) {
      Add(path, "is missing; must be an ISO 3166-1 alpha-2 code");
    } else if (country == "UK") {
      Add(path, "\"UK\" is not an ISO 3166-1 alpha-2 code; the United Kingdom is \"GB\"");
    } else {
      Add(path, absl::StrCat(Quoted(country), " is not an ISO 3166-1 alpha-2 code"));
    }
  }

  void CheckDegrees(const std::string& path, bool present, double degrees, double max) {
    if (!present) {
      Add(path, absl::StrCat("is missing; must be ", -max, " to ", max));
    } else if (!(degrees >= -max && degrees <= max)) {  // also when it is not a number
      Add(path, absl::StrCat(degrees, ", must be ", -max, " to ", max));
    }
  }

  // An address that others connect to, so with a port.
  void CheckAddress(const std::string& path, absl::string_view address) {
    if (address.empty()) {
      Add(path, "is missing; must be \"host:port\"");
      return;
    }
    const auto endpoint = Endpoint::Parse(address);
    if (!endpoint.ok()) {
      Add(path, std::string(endpoint.status().message()));
    } else if (endpoint->port == 0) {
      Add(path, absl::StrCat(Quoted(address), " has port 0, which nobody can connect to"));
    } else {
      AddIf(path, addresses_.See(endpoint->ToString(), path));
    }
  }

  void CheckRegion(int index) {
    const internal::v1::Region& region = topology_.regions(index);
    const std::string path = Item("regions", index);
    if (region.joining() && region.leaving()) {
      Add(Field(path, "leaving"), "a region can not join and leave at once");
    }
    if (CheckName(Field(path, "name"), region.name(), kNameBytesMax)) {
      AddIf(Field(path, "name"), region_unique_.See(region.name(), path));
      region_names_.push_back(region.name());
    }
    // A region with a bad name counts as known, so that the one mistake is one problem.
    region_with_replicas_[region.name()] |= !region.replicas().empty();
    CheckCountry(Field(path, "country"), region.country());
    CheckDegrees(Field(path, "latitude"), region.has_latitude(), region.latitude(), 90);
    CheckDegrees(Field(path, "longitude"), region.has_longitude(), region.longitude(), 180);
    if (region.gateways().empty() && region.replicas().empty()) {
      Add(path, "has neither gateways nor replicas");
    }
    CheckSize(Field(path, "gateways"), region.gateways_size(), 0, kGatewaysMax);
    for (int i = 0; i < region.gateways_size(); ++i) {
      CheckAddress(Item(Field(path, "gateways"), i), region.gateways(i));
    }
    CheckSize(Field(path, "replicas"), region.replicas_size(), 0, kReplicasMax);
    Unique names("replica name");
    for (int i = 0; i < region.replicas_size(); ++i) {
      const internal::v1::Replica& replica = region.replicas(i);
      const std::string replica_path = Item(Field(path, "replicas"), i);
      if (CheckName(Field(replica_path, "name"), replica.name(), kReplicaNameBytesMax)) {
        AddIf(Field(replica_path, "name"), names.See(replica.name(), replica_path));
      }
      CheckAddress(Field(replica_path, "address"), replica.address());
    }
  }

  void CheckNamespace(int index) {
    const internal::v1::Namespace& space = topology_.namespaces(index);
    const std::string path = Item("namespaces", index);
    if (CheckName(Field(path, "name"), space.name(), kNameBytesMax)) {
      AddIf(Field(path, "name"), namespace_unique_.See(space.name(), path));
    }
    if (!internal::v1::WriteMode_IsValid(space.write_mode())) {
      Add(Field(path, "write_mode"), absl::StrCat(space.write_mode(), " is not a write mode"));
    }
    if (!v1::RegionChoice_IsValid(space.region_choice())) {
      Add(Field(path, "region_choice"),
          absl::StrCat(space.region_choice(), " is not a region choice"));
    }
    if (space.default_consistency() != v1::CONSISTENCY_LEVEL_UNSPECIFIED &&
        space.default_consistency() != v1::CONSISTENCY_LEVEL_EVENTUAL &&
        space.default_consistency() != v1::CONSISTENCY_LEVEL_SESSION) {
      Add(Field(path, "default_consistency"), "must be session or eventual");
    }
    if (!internal::v1::ItemType_IsValid(space.item_type())) {
      Add(Field(path, "item_type"), absl::StrCat(space.item_type(), " is not a type of items"));
    }
    if (space.has_ttl()) CheckTtl(Field(path, "ttl"), space);
    Unique listed("region");
    for (int i = 0; i < space.regions_size(); ++i) {
      const std::string& name = space.regions(i);
      const std::string region_path = Item(Field(path, "regions"), i);
      if (!CheckRegionKnown(region_path, name)) continue;
      AddIf(region_path, listed.See(name, region_path));
      if (!region_with_replicas_[name]) {
        Add(region_path, absl::StrCat("the region ", Quoted(name), " has no replica to hold it"));
      }
    }
    if (space.regions().empty()) {
      bool held = false;
      for (const auto& [name, has_replicas] : region_with_replicas_) held |= has_replicas;
      if (!held) Add(path, "no region has a replica to hold it");
    }
  }

  void CheckTtl(const std::string& path, const internal::v1::Namespace& space) {
    if (space.item_type() == internal::v1::ITEM_TYPE_COUNTER ||
        space.item_type() == internal::v1::ITEM_TYPE_SET) {
      Add(path, "only registers expire; the namespace has another item_type");
      return;
    }
    const absl::Duration ttl = ToAbslDuration(space.ttl());
    if (ttl >= kTtlMin && ttl <= kTtlMax) return;
    Add(path, absl::StrCat(absl::FormatDuration(ttl), ", must be ", absl::FormatDuration(kTtlMin),
                           " to ", absl::FormatDuration(kTtlMax), " (3650 days)"));
  }

  void CheckRoundTrip(int index) {
    const internal::v1::RoundTrip& round_trip = topology_.round_trips(index);
    const std::string path = Item("round_trips", index);
    const bool from_known = CheckRegionKnown(Field(path, "from"), round_trip.from());
    const bool to_known = CheckRegionKnown(Field(path, "to"), round_trip.to());
    if (from_known && to_known) {
      if (round_trip.from() == round_trip.to()) {
        Add(path, absl::StrCat("goes from ", Quoted(round_trip.from()), " to itself"));
      } else {
        AddIf(path,
              pairs_.See(
                  absl::StrJoin(std::set<std::string>{round_trip.from(), round_trip.to()}, " - "),
                  path));
      }
    }
    const std::string value_path = Field(path, "round_trip");
    if (!round_trip.has_round_trip()) {
      Add(value_path, "is missing");
      return;
    }
    const absl::Duration value = ToAbslDuration(round_trip.round_trip());
    if (value <= absl::ZeroDuration() || value >= kRoundTripMax) {
      Add(value_path, absl::StrCat(absl::FormatDuration(value), ", must be above 0 and below ",
                                   absl::FormatDuration(kRoundTripMax)));
    }
  }

  void CheckGeo() {
    const internal::v1::Geo& geo = topology_.geo();
    CheckSize("geo.databases", geo.databases_size(), 0, kDatabasesMax);
    Unique databases("database");
    for (int i = 0; i < geo.databases_size(); ++i) {
      const std::string path = Field(Item("geo.databases", i), "path");
      if (geo.databases(i).path().empty()) {
        Add(path, "is missing");
      } else {
        AddIf(path, databases.See(geo.databases(i).path(), path));
      }
    }
    CheckSize("geo.cidr_rules", geo.cidr_rules_size(), 0, kCidrRulesMax);
    Unique ruled("range");
    for (int i = 0; i < geo.cidr_rules_size(); ++i) CheckCidrRule(i, ruled);
    CheckSize("geo.trusted_proxies", geo.trusted_proxies_size(), 0, kTrustedProxiesMax);
    Unique proxies("range");
    for (int i = 0; i < geo.trusted_proxies_size(); ++i) {
      CheckRange(Item("geo.trusted_proxies", i), geo.trusted_proxies(i), proxies);
    }
    CheckHeaderName("geo.client_address_header", geo.client_address_header());
    CheckSize("geo.region_rules", geo.region_rules_size(), 0, kRegionRulesMax);
    Unique matchers("matcher");
    for (int i = 0; i < geo.region_rules_size(); ++i) CheckRegionRule(i, matchers);
  }

  void CheckRange(const std::string& path, absl::string_view text, Unique& seen) {
    if (text.empty()) {
      Add(path, "is missing; must be an address range such as \"10.0.0.0/8\"");
      return;
    }
    const auto range = IpRange::Parse(text);
    if (!range.ok()) {
      Add(path, std::string(range.status().message()));
    } else {
      AddIf(path, seen.See(range->ToString(), path));
    }
  }

  void CheckCidrRule(int index, Unique& seen) {
    const internal::v1::CidrRule& rule = topology_.geo().cidr_rules(index);
    const std::string path = Item("geo.cidr_rules", index);
    CheckRange(Field(path, "range"), rule.range(), seen);
    if (rule.region().empty() == rule.country().empty()) {
      Add(path, rule.region().empty() ? "has neither a region nor a country; must have one"
                                      : "has a region and a country; must have one");
    }
    if (!rule.region().empty()) CheckRegionKnown(Field(path, "region"), rule.region());
    if (!rule.country().empty()) CheckCountry(Field(path, "country"), rule.country());
  }

  void CheckHeaderName(const std::string& path, absl::string_view name) {
    if (name.empty()) return;
    bool good = name.size() <= kHeaderNameBytesMax;
    for (const char c : name) {
      good &= absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
    }
    if (!good) {
      Add(path, absl::StrCat(Quoted(name), ", must be 1 to ", kHeaderNameBytesMax,
                             " of [a-z0-9-_.], as headers are written in HTTP/2"));
    } else if (absl::EndsWith(name, "-bin") || absl::StartsWith(name, "grpc-")) {
      Add(path, absl::StrCat(Quoted(name), " is a name that gRPC keeps for itself"));
    }
  }

  void CheckRegionRule(int index, Unique& seen) {
    const internal::v1::RegionRule& rule = topology_.geo().region_rules(index);
    const std::string path = Item("geo.region_rules", index);
    std::vector<std::string> matchers;
    if (!rule.country().empty()) {
      matchers.push_back(absl::StrCat("country ", rule.country()));
      CheckCountry(Field(path, "country"), rule.country());
    }
    if (!rule.subdivision().empty()) {
      matchers.push_back(absl::StrCat("subdivision ", rule.subdivision()));
      if (!IsSubdivisionCode(rule.subdivision())) {
        Add(Field(path, "subdivision"),
            absl::StrCat(Quoted(rule.subdivision()),
                         " is not an ISO 3166-2 code such as \"US-CA\""));
      }
    }
    if (!rule.continent().empty()) {
      matchers.push_back(absl::StrCat("continent ", rule.continent()));
      if (!IsContinentCode(rule.continent())) {
        Add(Field(path, "continent"),
            absl::StrCat(Quoted(rule.continent()), ", must be AF, AN, AS, EU, NA, OC or SA"));
      }
    }
    if (rule.asn() != 0) matchers.push_back(absl::StrCat("asn ", rule.asn()));
    if (matchers.size() != 1) {
      Add(path,
          absl::StrCat("has ", matchers.empty() ? "no matcher" : absl::StrJoin(matchers, " and "),
                       "; must have exactly one of country, subdivision, continent and asn"));
    } else {
      AddIf(path, seen.See(matchers[0], path));
    }
    CheckRegionKnown(Field(path, "region"), rule.region());
  }

  void CheckOptions(const std::string& path, const google::protobuf::Message& options,
                    const OptionTable& table) {
    for (const DurationOption& option : table.durations) {
      const absl::Duration value = EffectiveDuration(options, option);
      if (value >= option.min && value <= option.max) continue;
      Add(Field(path, option.field),
          absl::StrCat(absl::FormatDuration(value), ", must be ", absl::FormatDuration(option.min),
                       " to ", absl::FormatDuration(option.max)));
    }
    for (const NumberOption& option : table.numbers) {
      const uint64_t value = EffectiveNumber(options, option);
      if (value >= option.min && value <= option.max) continue;
      const bool bytes = IsSize(option.field);
      const auto show = [bytes](uint64_t n) { return bytes ? ShowBytes(n) : absl::StrCat(n); };
      Add(Field(path, option.field),
          absl::StrCat(show(value), ", must be ", show(option.min), " to ", show(option.max)));
    }
  }

  // A batch that is larger than the credit could never be sent.
  void CheckBatchFitsCredit() {
    uint64_t batch = 0;
    uint64_t credit = 0;
    for (const NumberOption& option : StorageOptionTable().numbers) {
      if (option.field == "batch_bytes") batch = EffectiveNumber(topology_.storage(), option);
      if (option.field == "credit_bytes") credit = EffectiveNumber(topology_.storage(), option);
    }
    if (batch > credit) {
      Add("storage.batch_bytes",
          absl::StrCat(ShowBytes(batch), " is more than storage.credit_bytes (", ShowBytes(credit),
                       ")"));
    }
  }

  const internal::v1::Topology& topology_;
  std::vector<TopologyProblem> problems_;
  Unique addresses_{"address"};
  Unique region_unique_{"region name"};
  Unique namespace_unique_{"namespace name"};
  Unique pairs_{"pair"};
  std::vector<std::string> region_names_;
  absl::flat_hash_map<std::string, bool> region_with_replicas_;
};

}  // namespace

std::vector<TopologyProblem> ValidateTopology(const internal::v1::Topology& topology) {
  return Validator(topology).Run();
}

}  // namespace homeport
