// The database that the repository brings.

#include <string>
#include <utility>
#include <vector>

#include "gateway/geo/countries.h"
#include "gateway/geo/mmdb/compare_databases.h"
#include "gateway/geo/mmdb/geo_reloader.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/geo_fixture.h"

namespace homeport {
namespace {

using testing::Ip;

const GeoReloader& Reloader() {
  static const GeoReloader* const reloader =
      new GeoReloader(testing::TopologyWithDatabases({HOMEPORT_GEOIP_DATABASE}), 0);
  return *reloader;
}

TEST(QuickStartDatabaseTest, KnowsAddressesOnEveryContinent) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"8.8.8.8", "US"},
      {"::ffff:8.8.8.8", "US"},
      {"64:ff9b::8.8.8.8", "US"},
      {"91.198.174.192", "NL"},
      {"200.160.2.3", "BR"},
      {"133.11.0.1", "JP"},
      {"1.128.0.1", "AU"},
      {"196.25.1.1", "ZA"},
      {"141.1.1.1", "DE"},
      {"2a00:1450:4001:81b::200e", "DE"},
      {"2001:200:dff:fff1::1", "JP"}};
  for (const auto& [address, country] : cases) {
    const Place place = Reloader().Get()->Locate(Ip(address));
    EXPECT_EQ(place.source, v1::PLACE_SOURCE_DATABASE) << address;
    EXPECT_EQ(place.country, country) << address;
    EXPECT_EQ(place.point, FindCountry(country)->point) << address;
    EXPECT_TRUE(place.country_point) << address;
    EXPECT_EQ(place.continent, FindCountry(country)->continent) << address;
    ASSERT_NE(place.database, nullptr) << address;
    EXPECT_EQ(absl::FormatTime("%Y-%m-%d", place.database->built, absl::UTCTimeZone()),
              "2026-06-01");
  }
}

TEST(QuickStartDatabaseTest, AnswersForMostOfTheInternet) {
  const auto database = Reloader().Get()->databases()[0];
  const DatabaseComparison same = CompareDatabases(*database, *database);
  EXPECT_GT(same.known_before, DatabaseComparison::kSamples * 9 / 10);
  EXPECT_EQ(same.lost, 0u);
  EXPECT_EQ(same.moved, 0u);
}

TEST(QuickStartDatabaseTest, PrivateAddressesAreNotLookedUp) {
  EXPECT_EQ(Reloader().Get()->Locate(Ip("192.168.1.1")).source, v1::PLACE_SOURCE_RESERVED);
}

}  // namespace
}  // namespace homeport
