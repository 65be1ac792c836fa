#include "client/demo/content.h"

#include "client/demo/claims.h"
#include "client/demo/travellers.h"
#include "client/world/world_topology.h"
#include "common/topology/topology.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RegionContent With(std::map<ItemAddress, ItemContent> items) {
  RegionContent content;
  content.items = std::move(items);
  return content;
}

const ItemAddress kItem{"demo", "a", "k"};

TEST(ContentTest, EqualRegionsDoNotDiffer) {
  const RegionContent content = With({{kItem, {"v", 7, 1}}});
  const Differences differences = Compare({"x", "y"}, {content, content});
  EXPECT_EQ(differences.count, 0u);
  EXPECT_THAT(differences.examples, IsEmpty());
}

TEST(ContentTest, AMissingItemIsADifferenceWhereverItIsMissing) {
  const RegionContent full = With({{kItem, {"v", 7, 1}}});
  EXPECT_THAT(Compare({"x", "y"}, {full, With({})}).examples,
              ElementsAre("demo/a[k] is missing in y"));
  EXPECT_THAT(Compare({"x", "y"}, {With({}), full}).examples,
              ElementsAre("demo/a[k] is missing in x"));
}

TEST(ContentTest, ValueAndVersionBothCount) {
  const RegionContent content = With({{kItem, {"v", 7, 1}}});
  EXPECT_EQ(Compare({"x", "y"}, {content, With({{kItem, {"w", 7, 1}}})}).count, 1u);
  EXPECT_EQ(Compare({"x", "y"}, {content, With({{kItem, {"v", 7, 2}}})}).count, 1u);
  EXPECT_THAT(Compare({"x", "y"}, {content, With({{kItem, {"v", 8, 1}}})}).examples,
              ElementsAre("demo/a[k] has 1 bytes of version 7 by 0000000000000001 in x and 1 bytes "
                          "of version 8 by 0000000000000001 in y"));
}

TEST(ContentTest, WhatWasAcknowledgedMustBeThereAsItWasWritten) {
  const std::map<ItemAddress, ItemContent> wanted = {{kItem, {"v", 7, 1}}};
  EXPECT_EQ(Missing(wanted, "x", With(wanted)).count, 0u);
  EXPECT_THAT(Missing(wanted, "x", With({})).examples, ElementsAre("demo/a[k] is missing in x"));
  EXPECT_EQ(Missing(wanted, "x", With({{kItem, {"v", 6, 1}}})).count, 1u);
}

TEST(ContentTest, ExamplesAreFewAndTheCountIsWhole) {
  std::map<ItemAddress, ItemContent> wanted;
  for (int i = 0; i < 100; ++i) wanted[{"demo", std::to_string(i), ""}] = {"v", 1, 1};
  const Differences differences = Missing(wanted, "x", With({}));
  EXPECT_EQ(differences.count, 100u);
  EXPECT_EQ(differences.examples.size(), 5u);
}

TEST(ClaimsTest, OneFalseClaimIsEnough) {
  Claims claims;
  EXPECT_FALSE(claims.AllHold());
  claims.Add("water is wet", true, "seen");
  EXPECT_TRUE(claims.AllHold());
  claims.Add("fire is cold", false, "not so");
  EXPECT_FALSE(claims.AllHold());
  EXPECT_EQ(claims.ToString(false),
            "         CLAIM         SEEN\n"
            "  ok     water is wet  seen\n"
            "  FALSE  fire is cold  not so\n");
}

TEST(TravellersTest, TheirRegionIsTheNearestAndEachRegionHasTwo) {
  std::map<std::string, int> first_ways;
  std::set<std::string> countries;
  for (const Traveller& traveller : Travellers()) {
    countries.insert(traveller.country);
    std::string nearest;
    double nearest_km = 1e9;
    for (const WorldRegion& region : FiveRegions()) {
      const double km = DistanceKm({traveller.latitude, traveller.longitude},
                                   {region.latitude, region.longitude});
      if (km < nearest_km) {
        nearest_km = km;
        nearest = region.name;
      }
    }
    EXPECT_EQ(traveller.region, nearest) << traveller.place;
    if (traveller.gateway.empty()) ++first_ways[traveller.region];
  }
  EXPECT_GE(countries.size(), 10u);
  ASSERT_EQ(first_ways.size(), FiveRegions().size());
  for (const auto& [region, count] : first_ways) EXPECT_GE(count, 2) << region;
}

TEST(TravellersTest, ARoundTripIsTheLastMileAndTheDistance) {
  Traveller traveller;
  traveller.last_mile = absl::Milliseconds(10);
  EXPECT_EQ(RoundTripTo(traveller, 0, 0), absl::Milliseconds(13.5));
  // A quarter of the globe: 10,007.6 km.
  EXPECT_NEAR(absl::ToDoubleMilliseconds(RoundTripTo(traveller, 90, 0)), 183.6, 0.1);
}

}  // namespace
}  // namespace homeport
