#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/topology/topology.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/topology/test_topology.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using internal::v1::Topology;

// Each problem as "path: what".
std::vector<std::string> ProblemsOf(const Topology& topology) {
  std::vector<std::string> lines;
  for (const TopologyProblem& problem : ValidateTopology(topology)) {
    lines.push_back(absl::StrCat(problem.path, ": ", problem.what));
  }
  return lines;
}

// The problems of the sound topology after one change.
std::vector<std::string> After(const std::function<void(Topology&)>& change) {
  Topology topology = SoundTopology();
  change(topology);
  return ProblemsOf(topology);
}

TEST(ValidateTopologyTest, ASoundTopologyHasNoProblem) {
  EXPECT_THAT(ProblemsOf(SoundTopology()), IsEmpty());
}

TEST(ValidateTopologyTest, AnEmptyTopologyNamesAllThatIsMissing) {
  EXPECT_THAT(ProblemsOf(Topology()),
              ElementsAre("cluster: is missing; must be 1 to 63 of [a-z0-9-]",
                          "regions: must have at least 1", "namespaces: must have at least 1"));
}

TEST(ValidateTopologyTest, EveryProblemIsReportedAtOnce) {
  EXPECT_THAT(
      After([](Topology& t) {
        t.set_cluster("World");
        t.mutable_regions(0)->set_country("UK");
        t.mutable_regions(1)->mutable_replicas(0)->set_address("10.0.0.7");
        t.mutable_namespaces(0)->add_regions("mars");
        t.set_default_region("venus");
      }),
      ElementsAre(
          "cluster: \"World\", must be 1 to 63 of [a-z0-9-]",
          "regions[0].country: \"UK\" is not an ISO 3166-1 alpha-2 code; the United Kingdom "
          "is \"GB\"",
          "regions[1].replicas[0].address: \"10.0.0.7\" has no port",
          "namespaces[0].regions[0]: there is no region \"mars\"; there are eu-central-1, "
          "us-east-1, ap-northeast-1",
          "default_region: there is no region \"venus\"; there are eu-central-1, us-east-1, "
          "ap-northeast-1"));
}

TEST(ValidateTopologyTest, NamesAreTakenAtTheLimitAndRefusedOnePast) {
  EXPECT_THAT(After([](Topology& t) {
                t.set_cluster(std::string(63, 'a'));
                t.mutable_namespaces(0)->set_name(std::string(63, 'n'));
                t.mutable_regions(0)->mutable_replicas(0)->set_name(std::string(31, 'r'));
              }),
              IsEmpty());
  EXPECT_EQ(After([](Topology& t) {
              t.set_cluster(std::string(64, 'a'));
              t.mutable_namespaces(0)->set_name(std::string(64, 'n'));
              t.mutable_regions(0)->mutable_replicas(0)->set_name(std::string(32, 'r'));
            }).size(),
            3);
}

TEST(ValidateTopologyTest, DuplicatesNameTheFirst) {
  EXPECT_THAT(
      After([](Topology& t) {
        t.mutable_round_trips()->Clear();
        t.mutable_regions(1)->set_name("eu-central-1");
      }),
      ElementsAre("regions[1].name: the region name \"eu-central-1\" is taken by regions[0]"));
  EXPECT_THAT(After([](Topology& t) { t.mutable_regions(1)->mutable_replicas(1)->set_name("a"); }),
              ElementsAre("regions[1].replicas[1].name: the replica name \"a\" is taken by "
                          "regions[1].replicas[0]"));
  EXPECT_THAT(After([](Topology& t) { t.add_namespaces()->set_name("users"); }),
              ElementsAre("namespaces[1].name: the namespace name \"users\" is taken by "
                          "namespaces[0]"));
}

TEST(ValidateTopologyTest, AnAddressIsTakenOnceInTheWholeTopology) {
  EXPECT_THAT(
      After([](Topology& t) {
        t.mutable_regions(1)->mutable_replicas(0)->set_address("127.0.0.1:7011");
      }),
      ElementsAre("regions[1].replicas[0].address: the address \"127.0.0.1:7011\" is taken by "
                  "regions[0].gateways[0]"));
}

TEST(ValidateTopologyTest, AnAddressThatNobodyCanConnectToIsRefused) {
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_regions(0)->set_gateways(0, "127.0.0.1:0");
                t.mutable_regions(0)->mutable_replicas(0)->clear_address();
              }),
              ElementsAre("regions[0].gateways[0]: \"127.0.0.1:0\" has port 0, which nobody can "
                          "connect to",
                          "regions[0].replicas[0].address: is missing; must be \"host:port\""));
}

TEST(ValidateTopologyTest, CoordinatesMustBeThereAndOnEarth) {
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_regions(0)->set_latitude(90);
                t.mutable_regions(0)->set_longitude(-180);
                t.mutable_regions(1)->set_latitude(0);
              }),
              IsEmpty());
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_regions(0)->clear_latitude();
                t.mutable_regions(0)->set_longitude(180.5);
                t.mutable_regions(1)->set_latitude(std::numeric_limits<double>::quiet_NaN());
              }),
              ElementsAre("regions[0].latitude: is missing; must be -90 to 90",
                          "regions[0].longitude: 180.5, must be -180 to 180",
                          "regions[1].latitude: nan, must be -90 to 90"));
}

TEST(ValidateTopologyTest, ARegionOfNothingIsRefused) {
  EXPECT_THAT(After([](Topology& t) { t.mutable_regions(2)->clear_gateways(); }),
              ElementsAre("regions[2]: has neither gateways nor replicas"));
}

TEST(ValidateTopologyTest, ANamespaceNeedsRegionsWithReplicas) {
  EXPECT_THAT(
      After([](Topology& t) {
        t.mutable_namespaces(0)->add_regions("eu-central-1");
        t.mutable_namespaces(0)->add_regions("ap-northeast-1");
        t.mutable_namespaces(0)->add_regions("eu-central-1");
      }),
      ElementsAre("namespaces[0].regions[1]: the region \"ap-northeast-1\" has no replica to "
                  "hold it",
                  "namespaces[0].regions[2]: the region \"eu-central-1\" is taken by "
                  "namespaces[0].regions[0]"));
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_regions(0)->clear_replicas();
                t.mutable_regions(1)->clear_replicas();
              }),
              ElementsAre("namespaces[0]: no region has a replica to hold it"));
}

TEST(ValidateTopologyTest, LevelsThatAreNotServedCanNotBeADefault) {
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_namespaces(0)->set_default_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
              }),
              IsEmpty());
  for (const auto level : {v1::CONSISTENCY_LEVEL_BOUNDED, v1::CONSISTENCY_LEVEL_LATEST}) {
    EXPECT_THAT(
        After([&](Topology& t) { t.mutable_namespaces(0)->set_default_consistency(level); }),
        ElementsAre("namespaces[0].default_consistency: must be session or eventual"));
  }
}

TEST(ValidateTopologyTest, APairHasOneRoundTripWhicheverWayRound) {
  EXPECT_THAT(After([](Topology& t) {
                auto* second = t.add_round_trips();
                *second = t.round_trips(0);
                second->set_from("eu-central-1");
                second->set_to("us-east-1");
              }),
              ElementsAre("round_trips[1]: the pair \"eu-central-1 - us-east-1\" is taken by "
                          "round_trips[0]"));
  EXPECT_THAT(After([](Topology& t) { t.mutable_round_trips(0)->set_to("us-east-1"); }),
              ElementsAre("round_trips[0]: goes from \"us-east-1\" to itself"));
}

TEST(ValidateTopologyTest, ARoundTripIsAboveZeroAndBelowTenSeconds) {
  const auto with = [](int64_t seconds, int nanos) {
    return After([=](Topology& t) {
      t.mutable_round_trips(0)->mutable_round_trip()->set_seconds(seconds);
      t.mutable_round_trips(0)->mutable_round_trip()->set_nanos(nanos);
    });
  };
  EXPECT_THAT(with(0, 1), IsEmpty());
  EXPECT_THAT(with(9, 999'999'999), IsEmpty());
  EXPECT_THAT(with(0, 0),
              ElementsAre("round_trips[0].round_trip: 0, must be above 0 and below 10s"));
  EXPECT_THAT(with(10, 0),
              ElementsAre("round_trips[0].round_trip: 10s, must be above 0 and below 10s"));
  EXPECT_THAT(with(-1, 0),
              ElementsAre("round_trips[0].round_trip: -1s, must be above 0 and below 10s"));
  EXPECT_THAT(After([](Topology& t) { t.mutable_round_trips(0)->clear_round_trip(); }),
              ElementsAre("round_trips[0].round_trip: is missing"));
}

TEST(ValidateTopologyTest, RangesAreCheckedAndStandOnce) {
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_geo()->add_trusted_proxies("127.0.0.0/8");
                t.mutable_geo()->add_trusted_proxies("::1");
                auto* rule = t.mutable_geo()->add_cidr_rules();
                rule->set_range("2001:db8::/32");
                rule->set_country("JP");
              }),
              IsEmpty());
  const std::vector<std::string> problems = After([](Topology& t) {
    t.mutable_geo()->add_trusted_proxies("10.0.0.1/8");
    t.mutable_geo()->add_trusted_proxies("");
    t.mutable_geo()->add_trusted_proxies("::1/128");
    t.mutable_geo()->add_trusted_proxies("::1");
  });
  ASSERT_EQ(problems.size(), 3);
  EXPECT_THAT(problems[0], testing::StartsWith("geo.trusted_proxies[0]: "));
  EXPECT_EQ(problems[1],
            "geo.trusted_proxies[1]: is missing; must be an address range such as \"10.0.0.0/8\"");
  EXPECT_THAT(problems[2], testing::EndsWith("is taken by geo.trusted_proxies[2]"));
}

TEST(ValidateTopologyTest, ACidrRuleHasOnePlace) {
  EXPECT_THAT(After([](Topology& t) {
                auto* none = t.mutable_geo()->add_cidr_rules();
                none->set_range("10.1.0.0/16");
                auto* both = t.mutable_geo()->add_cidr_rules();
                both->set_range("10.2.0.0/16");
                both->set_region("us-east-1");
                both->set_country("US");
                auto* dangling = t.mutable_geo()->add_cidr_rules();
                dangling->set_range("10.3.0.0/16");
                dangling->set_region("us-east-2");
              }),
              ElementsAre("geo.cidr_rules[0]: has neither a region nor a country; must have one",
                          "geo.cidr_rules[1]: has a region and a country; must have one",
                          "geo.cidr_rules[2].region: there is no region \"us-east-2\"; there are "
                          "eu-central-1, us-east-1, ap-northeast-1"));
}

TEST(ValidateTopologyTest, ARegionRuleHasExactlyOneMatcher) {
  const auto rules = [](Topology& t) -> internal::v1::RegionRule& {
    auto* rule = t.mutable_geo()->add_region_rules();
    rule->set_region("us-east-1");
    return *rule;
  };
  EXPECT_THAT(After([&](Topology& t) {
                rules(t).set_country("BR");
                rules(t).set_subdivision("US-CA");
                rules(t).set_continent("SA");
                rules(t).set_asn(64512);
              }),
              IsEmpty());
  EXPECT_THAT(
      After([&](Topology& t) {
        rules(t);
        auto& two = rules(t);
        two.set_country("BR");
        two.set_asn(7);
        rules(t).set_country("XX");
        rules(t).set_subdivision("California");
        rules(t).set_continent("EMEA");
      }),
      ElementsAre(
          "geo.region_rules[0]: has no matcher; must have exactly one of country, "
          "subdivision, continent and asn",
          "geo.region_rules[1]: has country BR and asn 7; must have exactly one of country, "
          "subdivision, continent and asn",
          "geo.region_rules[2].country: \"XX\" is not an ISO 3166-1 alpha-2 code",
          "geo.region_rules[3].subdivision: \"California\" is not an ISO 3166-2 code such as "
          "\"US-CA\"",
          "geo.region_rules[4].continent: \"EMEA\", must be AF, AN, AS, EU, NA, OC or SA"));
}

TEST(ValidateTopologyTest, ARegionRuleThatCanNeverMatchIsRefused) {
  EXPECT_THAT(After([](Topology& t) {
                for (const char* region : {"us-east-1", "eu-central-1"}) {
                  auto* rule = t.mutable_geo()->add_region_rules();
                  rule->set_country("BR");
                  rule->set_region(region);
                }
              }),
              ElementsAre("geo.region_rules[1]: the matcher \"country BR\" is taken by "
                          "geo.region_rules[0]"));
}

TEST(ValidateTopologyTest, AClientAddressHeaderIsWrittenAsInHttp2) {
  const auto with = [](const std::string& name) {
    return After([&](Topology& t) { t.mutable_geo()->set_client_address_header(name); });
  };
  EXPECT_THAT(with("x-real-ip"), IsEmpty());
  EXPECT_THAT(with("X-Real-IP"),
              ElementsAre("geo.client_address_header: \"X-Real-IP\", must be 1 to 64 of "
                          "[a-z0-9-_.], as headers are written in HTTP/2"));
  EXPECT_THAT(
      with("address-bin"),
      ElementsAre("geo.client_address_header: \"address-bin\" is a name that gRPC keeps for "
                  "itself"));
}

TEST(ValidateTopologyTest, OptionsAreInTheirRanges) {
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_gateway()->mutable_default_deadline()->set_seconds(60);
                t.mutable_gateway()->mutable_drain_delay();
                t.mutable_gateway()->set_attempts_max(10);
                t.mutable_storage()->set_disk_reserve_bytes(1 << 20);
              }),
              IsEmpty());
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_gateway()->mutable_default_deadline()->set_seconds(61);
                t.mutable_gateway()->mutable_ping_interval()->set_nanos(9'999'999);
                t.mutable_gateway()->set_ejection_failures(0);
                t.mutable_gateway()->set_attempts_max(11);
                t.mutable_storage()->mutable_clock_drift_max()->set_seconds(601);
                t.mutable_storage()->set_batch_bytes(1000);
                t.mutable_storage()->set_disk_reserve_bytes((1ULL << 40) + 1);
                t.mutable_storage()->set_log_bytes_max(1);
                t.mutable_storage()->mutable_log_age_max()->set_seconds(9);
              }),
              ElementsAre("gateway.default_deadline: 1m1s, must be 10ms to 1m",
                          "gateway.ping_interval: 9.999999ms, must be 10ms to 1m",
                          "gateway.ejection_failures: 0, must be 1 to 1000",
                          "gateway.attempts_max: 11, must be 1 to 10",
                          "storage.clock_drift_max: 10m1s, must be 1ms to 10m",
                          "storage.log_age_max: 9s, must be 10s to 8760h",
                          "storage.batch_bytes: 1000 bytes, must be 1 KiB to 4 MiB",
                          "storage.disk_reserve_bytes: 1099511627777 bytes, must be 1 MiB to 1 TiB",
                          "storage.log_bytes_max: 1 bytes, must be 1 MiB to 16 TiB"));
}

TEST(ValidateTopologyTest, ARegionCanNotJoinAndLeaveAtOnce) {
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_regions(0)->set_joining(true);
                t.mutable_regions(1)->set_leaving(true);
              }),
              IsEmpty());
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_regions(1)->set_joining(true);
                t.mutable_regions(1)->set_leaving(true);
              }),
              ElementsAre("regions[1].leaving: a region can not join and leave at once"));
}

TEST(ValidateTopologyTest, ABatchMustFitTheCredit) {
  EXPECT_THAT(
      After([](Topology& t) { t.mutable_storage()->set_credit_bytes(128 << 10); }),
      ElementsAre("storage.batch_bytes: 256 KiB is more than storage.credit_bytes (128 KiB)"));
}

TEST(ValidateTopologyTest, ListsHaveLimits) {
  EXPECT_THAT(After([](Topology& t) {
                for (int i = 0; i < 16; ++i) {
                  t.mutable_regions(2)->add_gateways(absl::StrCat("gateway-", i, ":7000"));
                }
              }),
              ElementsAre("regions[2].gateways: has 17, at most 16 are possible"));
}

TEST(ValidateTopologyTest, OnlyRegistersHaveATimeToLiveAndItIsInItsRange) {
  const auto with = [](internal::v1::ItemType type, int64_t seconds, int32_t nanos = 0) {
    return After([=](Topology& t) {
      t.mutable_namespaces(0)->set_item_type(type);
      t.mutable_namespaces(0)->mutable_ttl()->set_seconds(seconds);
      t.mutable_namespaces(0)->mutable_ttl()->set_nanos(nanos);
    });
  };
  constexpr int64_t kMost = int64_t{3650} * 24 * 3600;
  for (auto type : {internal::v1::ITEM_TYPE_UNSPECIFIED, internal::v1::ITEM_TYPE_REGISTER}) {
    EXPECT_THAT(with(type, 1), IsEmpty());
    EXPECT_THAT(with(type, kMost), IsEmpty());
    EXPECT_THAT(with(type, 0, 999'999'999),
                ElementsAre("namespaces[0].ttl: 999.999999ms, must be 1s to 87600h (3650 days)"));
    EXPECT_THAT(with(type, kMost + 1),
                ElementsAre("namespaces[0].ttl: 87600h1s, must be 1s to 87600h (3650 days)"));
  }
  for (auto type : {internal::v1::ITEM_TYPE_COUNTER, internal::v1::ITEM_TYPE_SET}) {
    EXPECT_THAT(with(type, 60), ElementsAre("namespaces[0].ttl: only registers expire; the "
                                            "namespace has another item_type"));
  }
  EXPECT_THAT(After([](Topology& t) {
                t.mutable_namespaces(0)->set_item_type(static_cast<internal::v1::ItemType>(9));
              }),
              ElementsAre("namespaces[0].item_type: 9 is not a type of items"));
}

}  // namespace
}  // namespace homeport
