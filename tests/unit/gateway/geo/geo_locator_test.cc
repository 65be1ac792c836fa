#include "gateway/geo/geo_locator.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/geo/countries.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/geo_fixture.h"

namespace homeport {
namespace {

using testing::GeoTopology;
using testing::Ip;

// Knows what it was told.
class ScriptedDatabase : public GeoDatabase {
 public:
  explicit ScriptedDatabase(std::string path) {
    info_ =
        std::make_shared<const GeoDatabaseInfo>(GeoDatabaseInfo{path, "Scripted", "credit", {}});
  }
  Place& operator[](absl::string_view address) { return places_[Ip(address)]; }

  bool Lookup(const IpAddress& address, Place& place) const override {
    const auto known = places_.find(address);
    if (known == places_.end()) return false;
    if (place.country.empty()) place.country = known->second.country;
    if (place.city.empty()) place.city = known->second.city;
    if (!place.point) place.point = known->second.point;
    if (place.asn == 0) place.asn = known->second.asn;
    return true;
  }
  const std::shared_ptr<const GeoDatabaseInfo>& info() const override { return info_; }

 private:
  std::map<IpAddress, Place> places_;
  std::shared_ptr<const GeoDatabaseInfo> info_;
};

GeoLocator Locator(const internal::v1::Geo& geo,
                   std::vector<std::shared_ptr<const GeoDatabase>> databases = {}) {
  return GeoLocator(GeoTopology(geo), 1, std::move(databases));
}

void AddRule(internal::v1::Geo& geo, const std::string& range, const std::string& region,
             const std::string& country = "") {
  auto* rule = geo.add_cidr_rules();
  rule->set_range(range);
  rule->set_region(region);
  rule->set_country(country);
}

TEST(GeoLocatorTest, WithoutDatabasesAPublicAddressHasNoPlace) {
  const Place place = Locator({}).Locate(Ip("8.8.8.8"));
  EXPECT_EQ(place.source, v1::PLACE_SOURCE_DEFAULT);
  EXPECT_EQ(place.country, "");
  EXPECT_EQ(place.continent, "");
  EXPECT_EQ(place.point, std::nullopt);
  EXPECT_EQ(place.pinned_region, std::nullopt);
  EXPECT_EQ(place.database, nullptr);
}

TEST(GeoLocatorTest, PrivateAndReservedAddressesAreInThisGatewaysRegion) {
  for (const char* address :
       {"127.0.0.1", "10.0.0.1", "192.168.1.1", "fe80::1", "fd00::1", "::1"}) {
    const Place place = Locator({}).Locate(Ip(address));
    EXPECT_EQ(place.source, v1::PLACE_SOURCE_RESERVED) << address;
    EXPECT_EQ(place.country, "US") << address;
    EXPECT_EQ(place.continent, "NA") << address;
    EXPECT_EQ(place.point, (GeoPoint{39, -77})) << address;
    EXPECT_FALSE(place.country_point) << address;
  }
}

TEST(GeoLocatorTest, ADatabaseIsNotAskedForReservedAddresses) {
  auto database = std::make_shared<ScriptedDatabase>("a.mmdb");
  (*database)["192.168.1.1"].country = "AU";
  EXPECT_EQ(Locator({}, {database}).Locate(Ip("192.168.1.1")).country, "US");
}

TEST(GeoLocatorTest, TheOperatorsLongestRangeGoesBeforeAll) {
  internal::v1::Geo geo;
  AddRule(geo, "10.0.0.0/8", "us");
  AddRule(geo, "10.1.0.0/16", "eu");
  AddRule(geo, "8.8.8.0/24", "", "JP");
  AddRule(geo, "2001:db8::/32", "eu");
  auto database = std::make_shared<ScriptedDatabase>("a.mmdb");
  (*database)["8.8.8.8"].country = "US";
  const GeoLocator locator = Locator(geo, {database});

  Place place = locator.Locate(Ip("10.1.2.3"));
  EXPECT_EQ(place.source, v1::PLACE_SOURCE_CIDR);
  EXPECT_EQ(place.pinned_region, 0);
  EXPECT_EQ(place.country, "DE");
  EXPECT_EQ(place.point, (GeoPoint{50, 9}));
  EXPECT_EQ(locator.Locate(Ip("10.2.0.0")).pinned_region, 1);
  EXPECT_EQ(locator.Locate(Ip("2001:db8::5")).pinned_region, 0);

  place = locator.Locate(Ip("8.8.8.8"));
  EXPECT_EQ(place.source, v1::PLACE_SOURCE_CIDR);
  EXPECT_EQ(place.country, "JP");
  EXPECT_EQ(place.continent, "AS");
  EXPECT_EQ(place.pinned_region, std::nullopt);
  EXPECT_EQ(place.point, FindCountry("JP")->point);
  EXPECT_TRUE(place.country_point);
  EXPECT_EQ(place.database, nullptr);
}

TEST(GeoLocatorTest, ACountryAloneGivesItsPointAndContinent) {
  auto database = std::make_shared<ScriptedDatabase>("a.mmdb");
  (*database)["9.9.9.9"].country = "CH";
  const Place place = Locator({}, {database}).Locate(Ip("9.9.9.9"));
  EXPECT_EQ(place.source, v1::PLACE_SOURCE_DATABASE);
  EXPECT_EQ(place.continent, "EU");
  EXPECT_EQ(place.point, FindCountry("CH")->point);
  EXPECT_TRUE(place.country_point);
  EXPECT_EQ(place.database->path, "a.mmdb");
}

TEST(GeoLocatorTest, ALaterDatabaseAddsWhatEarlierOnesDoNotKnow) {
  auto networks = std::make_shared<ScriptedDatabase>("asn.mmdb");
  (*networks)["9.9.9.9"].asn = 19281;
  (*networks)["7.7.7.7"].asn = 7;
  auto countries = std::make_shared<ScriptedDatabase>("country.mmdb");
  (*countries)["9.9.9.9"].country = "CH";
  auto cities = std::make_shared<ScriptedDatabase>("city.mmdb");
  (*cities)["9.9.9.9"].city = "Zurich";
  (*cities)["9.9.9.9"].point = GeoPoint{47.4, 8.5};
  const GeoLocator locator = Locator({}, {networks, countries, cities});

  Place place = locator.Locate(Ip("9.9.9.9"));
  EXPECT_EQ(place.asn, 19281u);
  EXPECT_EQ(place.country, "CH");
  EXPECT_EQ(place.city, "Zurich");
  EXPECT_EQ(place.point, (GeoPoint{47.4, 8.5}));
  EXPECT_FALSE(place.country_point);
  EXPECT_EQ(place.database->path, "country.mmdb");  // the first that said where

  place = locator.Locate(Ip("7.7.7.7"));
  EXPECT_EQ(place.source, v1::PLACE_SOURCE_DATABASE);
  EXPECT_EQ(place.database->path, "asn.mmdb");
  EXPECT_EQ(place.point, std::nullopt);
}

TEST(GeoLocatorTest, MappedAndTranslatedAddressesAreLookedUpAsIpv4) {
  internal::v1::Geo geo;
  AddRule(geo, "7.7.0.0/16", "eu");
  auto database = std::make_shared<ScriptedDatabase>("a.mmdb");
  (*database)["8.8.8.8"].country = "US";
  const GeoLocator locator = Locator(geo, {database});
  EXPECT_EQ(locator.Locate(Ip("::ffff:8.8.8.8")).country, "US");
  EXPECT_EQ(locator.Locate(Ip("64:ff9b::8.8.8.8")).country, "US");
  EXPECT_EQ(locator.Locate(Ip("2002:808:808::1")).country, "US");
  EXPECT_EQ(locator.Locate(Ip("::ffff:7.7.1.1")).pinned_region, 0);
  EXPECT_EQ(locator.Locate(Ip("64:ff9b::7.7.1.1")).pinned_region, 0);
}

}  // namespace
}  // namespace homeport
