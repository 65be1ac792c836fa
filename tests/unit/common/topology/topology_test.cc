#include "common/topology/topology.h"

#include <string>

#include "absl/strings/str_split.h"
#include "common/status/error.h"
#include "common/topology/option_ranges.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "tests/unit/common/topology/test_topology.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const Topology> Sound() {
  auto topology = Topology::Create(SoundTopology());
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

TEST(TopologyTest, RegionsReplicasAndNamespacesAreFoundByName) {
  const auto topology = Sound();
  EXPECT_EQ(topology->cluster(), "world");
  EXPECT_EQ(topology->FindRegion("us-east-1"), 1);
  EXPECT_EQ(topology->FindRegion("mars"), std::nullopt);
  EXPECT_EQ(topology->FindRegion(""), std::nullopt);

  const ReplicaInfo* replica = topology->FindReplica(ReplicaName("us-east-1/b"));
  ASSERT_NE(replica, nullptr);
  EXPECT_EQ(replica->address, "127.0.0.1:7023");
  EXPECT_EQ(replica->name.value(), "us-east-1/b");
  for (const char* name : {"us-east-1/c", "us-east-1", "mars/a", "us-east-1/b/x", ""}) {
    EXPECT_EQ(topology->FindReplica(ReplicaName(name)), nullptr) << name;
  }

  ASSERT_NE(topology->FindNamespace("users"), nullptr);
  EXPECT_EQ(topology->FindNamespace("orders"), nullptr);
}

TEST(TopologyTest, ANamespaceWithoutRegionsIsHeldByAllThatHaveReplicas) {
  const auto topology = Sound();
  const NamespaceInfo& users = *topology->FindNamespace("users");
  EXPECT_THAT(users.regions, ElementsAre(0, 1));
  EXPECT_TRUE(users.HeldBy(0));
  EXPECT_TRUE(users.HeldBy(1));
  EXPECT_FALSE(users.HeldBy(2));
  EXPECT_THAT(topology->proto().namespaces(0).regions(), ElementsAre("eu-central-1", "us-east-1"));
}

TEST(TopologyTest, ANamespacesRegionsAreAscendingWhateverTheFilesOrder) {
  internal::v1::Topology proto = SoundTopology();
  auto* space = proto.add_namespaces();
  space->set_name("orders");
  space->add_regions("us-east-1");
  space->add_regions("eu-central-1");
  const auto topology = Topology::Create(proto);
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_THAT((*topology)->FindNamespace("orders")->regions, ElementsAre(0, 1));
  EXPECT_EQ((*topology)->namespaces()[0].name.value(), "orders");
  EXPECT_EQ((*topology)->namespaces()[1].name.value(), "users");
}

TEST(TopologyTest, DefaultsAreFilledIn) {
  const auto topology = Sound();
  const NamespaceInfo& users = *topology->FindNamespace("users");
  EXPECT_EQ(users.region_choice, v1::REGION_CHOICE_CLIENT);
  EXPECT_EQ(users.default_consistency, v1::CONSISTENCY_LEVEL_SESSION);
  EXPECT_EQ(users.item_type, internal::v1::ITEM_TYPE_REGISTER);
  EXPECT_EQ(users.ttl, absl::ZeroDuration());
  const internal::v1::Topology& proto = topology->proto();
  EXPECT_EQ(proto.namespaces(0).write_mode(), internal::v1::WRITE_MODE_ANY_REGION);
  EXPECT_EQ(proto.gateway().default_deadline().seconds(), 5);
  EXPECT_EQ(proto.gateway().ejection_failures(), 5);
  EXPECT_EQ(proto.gateway().ejection_time().seconds(), 1);
  EXPECT_EQ(proto.gateway().attempts_max(), 3);
  EXPECT_EQ(proto.gateway().drain_delay().seconds(), 1);
  EXPECT_EQ(proto.gateway().ping_interval().nanos(), 500'000'000);
  EXPECT_EQ(proto.storage().heartbeat_interval().nanos(), 500'000'000);
  EXPECT_EQ(proto.storage().batch_bytes(), 256 << 10);
  EXPECT_EQ(proto.storage().credit_bytes(), 32 << 20);
  EXPECT_EQ(proto.storage().clock_drift_max().nanos(), 500'000'000);
  EXPECT_EQ(proto.storage().request_id_window().seconds(), 600);
  EXPECT_EQ(proto.storage().disk_reserve_bytes(), 64 << 20);
}

TEST(TopologyTest, WhatTheFileSaysIsKept) {
  internal::v1::Topology proto = SoundTopology();
  proto.mutable_gateway()->mutable_drain_delay();
  proto.mutable_gateway()->set_attempts_max(1);
  const auto topology = Topology::Create(proto);
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ((*topology)->proto().gateway().drain_delay().seconds(), 0);
  EXPECT_EQ((*topology)->proto().gateway().attempts_max(), 1);
}

TEST(TopologyTest, AFilledInTopologyIsItsOwnFixedPoint) {
  const auto topology = Sound();
  const auto again = Topology::Create(topology->proto());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->fingerprint(), topology->fingerprint());
}

TEST(TopologyTest, TheFingerprintNamesTheContent) {
  EXPECT_EQ(Sound()->fingerprint(), Sound()->fingerprint());
  EXPECT_EQ(Sound()->fingerprint().size(), 16);
  internal::v1::Topology proto = SoundTopology();
  proto.mutable_regions(2)->set_gateways(0, "127.0.0.1:7032");
  EXPECT_NE((*Topology::Create(proto))->fingerprint(), Sound()->fingerprint());
}

TEST(TopologyTest, WhereARegionKeepsItsDatabaseIsNoDifference) {
  internal::v1::Topology proto = SoundTopology();
  EXPECT_EQ((*Topology::Create(proto))->fingerprint(), Sound()->fingerprint());
  auto* database = proto.mutable_geo()->add_databases();
  database->set_path("/opt/homeport/country.mmdb");
  const std::string there = (*Topology::Create(proto))->fingerprint();
  database->set_path("country.mmdb");
  EXPECT_EQ((*Topology::Create(proto))->fingerprint(), there);
  EXPECT_EQ((*Topology::Create(proto))->proto().geo().databases(0).path(), "country.mmdb");
  database->set_path("city.mmdb");
  EXPECT_NE((*Topology::Create(proto))->fingerprint(), there);
}

TEST(TopologyTest, RoundTripsAreSymmetricAndEstimatedWhereTheFileIsSilent) {
  const auto topology = Sound();
  EXPECT_EQ(topology->RoundTrip(0, 1), absl::Milliseconds(93));
  EXPECT_EQ(topology->RoundTrip(1, 0), absl::Milliseconds(93));
  EXPECT_EQ(topology->RoundTrip(2, 2), absl::Milliseconds(1));
  // Frankfurt to Tokyo is about 9,350 km.
  EXPECT_NEAR(absl::ToDoubleMilliseconds(topology->RoundTrip(0, 2)), 3.5 + 1.7 * 93.5, 1.5);
  EXPECT_EQ(topology->RoundTrip(0, 2), topology->RoundTrip(2, 0));
}

TEST(TopologyTest, TheDefaultRegionIsTheGatewaysOwnUnlessNamed) {
  EXPECT_EQ(Sound()->default_region(), std::nullopt);
  internal::v1::Topology proto = SoundTopology();
  proto.set_default_region("us-east-1");
  EXPECT_EQ((*Topology::Create(proto))->default_region(), 1);
}

TEST(TopologyTest, AllProblemsAreInTheErrorOneALine) {
  internal::v1::Topology proto = SoundTopology();
  proto.set_cluster("");
  proto.mutable_regions(0)->set_country("");
  const auto topology = Topology::Create(proto);
  EXPECT_EQ(topology.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(topology.status()), reason::kFieldInvalid);
  EXPECT_EQ(ErrorMetadataOf(topology.status(), "field"), "cluster");
  const std::vector<std::string> lines =
      absl::StrSplit(std::string(topology.status().message()), '\n');
  EXPECT_THAT(lines, ElementsAre(HasSubstr("cluster: is missing"),
                                 HasSubstr("regions[0].country: is missing")));
}

TEST(TopologyTest, ALongListOfProblemsIsCutAndCounted) {
  internal::v1::Topology proto = SoundTopology();
  for (int i = 0; i < 150; ++i) proto.mutable_namespaces(0)->add_regions("mars");
  const auto topology = Topology::Create(proto);
  EXPECT_THAT(std::string(topology.status().message()), HasSubstr("\nand 50 more"));
}

TEST(DistanceKmTest, IsTheGreatCircle) {
  const GeoPoint frankfurt{50.11, 8.68};
  const GeoPoint new_york{40.71, -74.01};
  EXPECT_NEAR(DistanceKm(frankfurt, new_york), 6201, 10);
  EXPECT_EQ(DistanceKm(frankfurt, frankfurt), 0);
  EXPECT_NEAR(DistanceKm({0, 0}, {0, 180}), 20015, 1);
  EXPECT_NEAR(DistanceKm({90, 0}, {-90, 77}), 20015, 1);
  // Across the date line.
  EXPECT_NEAR(DistanceKm({0, 179.5}, {0, -179.5}), 111.2, 0.1);
}

void ExpectEveryFieldHasARow(const google::protobuf::Descriptor& message,
                             const OptionTable& table) {
  for (int i = 0; i < message.field_count(); ++i) {
    int rows = 0;
    for (const DurationOption& option : table.durations)
      rows += option.field == message.field(i)->name();
    for (const NumberOption& option : table.numbers)
      rows += option.field == message.field(i)->name();
    EXPECT_EQ(rows, 1) << message.field(i)->full_name();
  }
  EXPECT_EQ(table.durations.size() + table.numbers.size(), message.field_count());
}

TEST(OptionTableTest, EveryFieldOfTheSchemaHasItsRangeAndADefaultInsideIt) {
  ExpectEveryFieldHasARow(*internal::v1::GatewayOptions::descriptor(), GatewayOptionTable());
  ExpectEveryFieldHasARow(*internal::v1::StorageOptions::descriptor(), StorageOptionTable());
  for (const OptionTable* table : {&GatewayOptionTable(), &StorageOptionTable()}) {
    for (const DurationOption& option : table->durations) {
      EXPECT_LE(option.min, option.standard) << std::string(option.field);
      EXPECT_GE(option.max, option.standard) << std::string(option.field);
    }
    for (const NumberOption& option : table->numbers) {
      EXPECT_LE(option.min, option.standard) << std::string(option.field);
      EXPECT_GE(option.max, option.standard) << std::string(option.field);
    }
  }
}

}  // namespace
}  // namespace homeport
