#include "client/world/round_trips.h"

#include "client/world/world_topology.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(RoundTripsTest, APairIsFoundEitherWayRound) {
  auto table = RoundTrips::Parse("# source\nfrom,to,round_trip_ms\n\na,b,12.5\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(*table->Between("a", "b"), absl::Microseconds(12'500));
  EXPECT_EQ(*table->Between("b", "a"), absl::Microseconds(12'500));
  EXPECT_EQ(*table->Between("a", "a"), absl::ZeroDuration());
  EXPECT_EQ(table->Between("a", "c").status().code(), absl::StatusCode::kNotFound);
}

TEST(RoundTripsTest, AWrongLineIsNamed) {
  const struct {
    const char* text;
    const char* problem;
  } cases[] = {
      {"", "no header \"from,to,round_trip_ms\""},
      {"a,b,1\n", "line 1: the header must be \"from,to,round_trip_ms\""},
      {"from,to,round_trip_ms\na,b\n", "line 2: must have three fields"},
      {"from,to,round_trip_ms\na,a,1\n", "line 2: must name two regions"},
      {"from,to,round_trip_ms\na,b,0\n", "line 2: \"0\" is not above 0 and below 10,000 ms"},
      {"from,to,round_trip_ms\na,b,nan\n", "line 2: \"nan\" is not above 0 and below 10,000 ms"},
      {"from,to,round_trip_ms\na,b,1\nb,a,1\n", "line 3: b and a stand twice"},
  };
  for (const auto& c : cases) {
    auto table = RoundTrips::Parse(c.text);
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_EQ(table.status().message(), c.problem);
  }
}

TEST(RoundTripsTest, TheBuiltInTableHasEveryPairOfTheFiveRegions) {
  const RoundTrips table = RoundTrips::Default();
  for (const WorldRegion& a : FiveRegions()) {
    for (const WorldRegion& b : FiveRegions()) {
      EXPECT_TRUE(table.Between(a.name, b.name).ok()) << a.name << " " << b.name;
    }
  }
  EXPECT_EQ(*table.Between("sa-east-1", "ap-southeast-2"), absl::Milliseconds(312));
}

TEST(WorldTopologyTest, TheFileNamesRegionsAddressesRoundTripsAndDatabases) {
  WorldTopology topology;
  topology.regions = {FiveRegions()[0], FiveRegions()[2]};
  topology.addresses = {{"127.0.0.1:1", "127.0.0.1:2"}, {"127.0.0.1:3", "127.0.0.1:4"}};
  topology.namespaces = {"demo"};
  topology.databases = {"/data/a \"b\".mmdb"};
  topology.database_credit = "someone";
  topology.more = "storage:\n  heartbeat_interval: 100ms\n";
  auto yaml = TopologyYaml(topology, RoundTrips::Default());
  ASSERT_TRUE(yaml.ok()) << yaml.status();
  EXPECT_EQ(*yaml, R"(cluster: world
regions:
  - name: us-east-1
    country: "US"
    latitude: 38.95
    longitude: -77.45
    gateways: ["127.0.0.1:1"]
    replicas:
      - name: a
        address: "127.0.0.1:2"
  - name: eu-central-1
    country: "DE"
    latitude: 50.11
    longitude: 8.68
    gateways: ["127.0.0.1:3"]
    replicas:
      - name: a
        address: "127.0.0.1:4"
namespaces:
  - name: demo
round_trips:
  - {from: us-east-1, to: eu-central-1, round_trip: 93ms}
geo:
  trusted_proxies: ["127.0.0.0/8", "::1/128"]
  databases:
    - path: "/data/a \"b\".mmdb"
      credit: "someone"
storage:
  heartbeat_interval: 100ms
)");
}

TEST(WorldTopologyTest, APairWithoutRoundTripIsNamed) {
  WorldTopology topology;
  topology.regions = {FiveRegions()[0], {"moon", "US", "Tranquility", 0, 0}};
  topology.addresses.resize(2);
  auto yaml = TopologyYaml(topology, RoundTrips::Default());
  EXPECT_EQ(yaml.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(yaml.status().message(), "no round trip between us-east-1 and moon");
}

}  // namespace
}  // namespace homeport
