#include "gateway/geo/geo_locator.h"

#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/net/ip_table.h"
#include "gateway/geo/countries.h"
#include "gateway/geo/reserved_ranges.h"

namespace homeport {
namespace {

// Fills in what the country alone tells.
void CompleteFromCountry(Place& place) {
  if (place.country.empty() || (place.point && !place.continent.empty())) return;
  const Country* country = FindCountry(place.country);
  if (country == nullptr) return;
  if (place.continent.empty()) place.continent.assign(country->continent, 2);
  if (!place.point) {
    place.point = country->point;
    place.country_point = true;
  }
}

Place RegionPlace(const RegionInfo& region, v1::PlaceSource source) {
  Place place;
  place.country = region.country;
  place.point = region.point;
  place.source = source;
  CompleteFromCountry(place);
  return place;
}

bool HasLocation(const Place& place) { return !place.country.empty() || place.point; }

}  // namespace

struct GeoLocator::Tables {
  std::shared_ptr<const Topology> topology;
  std::vector<std::shared_ptr<const GeoDatabase>> databases;
  Place self;
  IpTable rules;
  std::vector<Place> rule_places;  // by the rule's index

  std::optional<int> FindRule(const IpAddress& client,
                              const std::optional<IpAddress>& embedded) const {
    std::optional<int> rule = rules.Find(client);
    if (!rule && embedded) rule = rules.Find(*embedded);
    return rule;
  }
};

GeoLocator::GeoLocator(std::shared_ptr<const Topology> topology, int self_region,
                       std::vector<std::shared_ptr<const GeoDatabase>> databases) {
  HP_CHECK(self_region >= 0 && static_cast<size_t>(self_region) < topology->regions().size());
  auto tables = std::make_unique<Tables>();
  tables->self =
      RegionPlace(topology->regions()[static_cast<size_t>(self_region)], v1::PLACE_SOURCE_RESERVED);
  std::vector<IpRange> ranges;
  for (const auto& rule : topology->proto().geo().cidr_rules()) {
    const auto range = IpRange::Parse(rule.range());
    HP_CHECK(range.ok());  // a topology is checked before it is made
    Place place;
    const std::optional<int> region = topology->FindRegion(rule.region());
    if (region) {
      place = RegionPlace(topology->regions()[static_cast<size_t>(*region)], v1::PLACE_SOURCE_CIDR);
      place.pinned_region = region;
    }
    if (!rule.country().empty() && rule.country() != place.country) {
      place = Place();
      place.country = rule.country();
      place.source = v1::PLACE_SOURCE_CIDR;
      place.pinned_region = region;
      CompleteFromCountry(place);
    }
    ranges.push_back(*range);
    tables->rule_places.push_back(std::move(place));
  }
  tables->rules = IpTable(ranges);
  tables->topology = std::move(topology);
  tables->databases = std::move(databases);
  tables_ = std::move(tables);
}

GeoLocator::~GeoLocator() = default;

const std::vector<std::shared_ptr<const GeoDatabase>>& GeoLocator::databases() const {
  return tables_->databases;
}

Place GeoLocator::Locate(const IpAddress& client) const {
  const std::optional<IpAddress> embedded = EmbeddedIpv4(client);
  if (const std::optional<int> rule = tables_->FindRule(client, embedded)) {
    return tables_->rule_places[static_cast<size_t>(*rule)];
  }
  if (IsReservedAddress(client)) return tables_->self;
  const IpAddress& address = embedded ? *embedded : client;
  Place place;
  for (const std::shared_ptr<const GeoDatabase>& database : tables_->databases) {
    const bool had_location = HasLocation(place);
    if (!database->Lookup(address, place)) continue;
    // The answer is credited to the one that said where; one that knows the network only is
    // credited if none says where.
    if (place.database == nullptr || (!had_location && HasLocation(place))) {
      place.database = database->info();
    }
    place.source = v1::PLACE_SOURCE_DATABASE;
  }
  CompleteFromCountry(place);
  return place;
}

}  // namespace homeport
