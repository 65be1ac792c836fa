#include "gateway/route/router.h"

#include <gtest/gtest.h>

#include "common/status/error.h"
#include "tests/unit/gateway/route/route_fixture.h"

namespace homeport {
namespace {

v1::RouteReason ReasonOfPlan(const World& world, const RequestFacts& facts) {
  absl::StatusOr<Plan> plan = world.router.MakePlan(facts, world.health);
  return plan.ok() ? plan->reason : v1::ROUTE_REASON_UNSPECIFIED;
}

TEST(RouterTest, TheNearestRegionIsFirstAndTheOthersFollowByRoundTrip) {
  World world;
  EXPECT_EQ(world.Order("all", Paris()),
            "eu-central/a eu-central/b us-east/a sa-east/a ap-northeast/a ap-southeast/a");
  // From Osaka the gateway's own region is the first to fail over to: it has the least round trip.
  EXPECT_EQ(world.Order("all", Osaka()),
            "ap-northeast/a eu-central/a eu-central/b us-east/a sa-east/a ap-southeast/a");
  EXPECT_EQ(ReasonOfPlan(world, world.Facts("all", Osaka())), v1::ROUTE_REASON_NEAREST);
}

TEST(RouterTest, OnlyThePreferredRegionsAttemptsCarryThePlansReason) {
  World world;
  const Place paris = Paris();
  const Plan plan = *world.router.MakePlan(world.Facts("all", paris), world.health);
  ASSERT_EQ(plan.attempts.size(), 6);
  EXPECT_EQ(plan.attempts[0].reason, v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(plan.attempts[1].reason, v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(plan.attempts[2].reason, v1::ROUTE_REASON_FAILOVER);
  EXPECT_EQ(plan.preferred_region, *world.topology->FindRegion("eu-central"));
}

TEST(RouterTest, ARegionThatDoesNotHoldTheNamespaceIsNeverAsked) {
  World world;
  EXPECT_EQ(world.Order("west", Paris()), "us-east/a sa-east/a");
  EXPECT_EQ(world.Order("west", Lima()), "sa-east/a us-east/a");
  EXPECT_EQ(world.Order("tokyo", Paris()), "ap-northeast/a");
}

TEST(RouterTest, EqualDistancesAreDecidedByName) {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  AddRegion(proto, "zeta", "FR", 48, 2, {"a"});
  AddRegion(proto, "alpha", "FR", 48, 2, {"a"});
  AddNamespace(proto, "all", {});
  World world(proto, "zeta");
  EXPECT_EQ(world.First("all", Paris()), "alpha/a");
}

TEST(RouterTest, EqualRoundTripsAreDecidedByName) {
  World world;
  for (const char* replica : {"us-east/a", "sa-east/a", "ap-northeast/a", "ap-southeast/a"}) {
    world.Measure(replica, absl::Milliseconds(50));
  }
  EXPECT_EQ(world.Order("all", Paris()),
            "eu-central/a eu-central/b ap-northeast/a ap-southeast/a sa-east/a us-east/a");
}

TEST(RouterTest, MeasuredRoundTripsTakeThePlaceOfTheTopologys) {
  World world;
  world.Measure("ap-southeast/a", absl::Milliseconds(20));
  world.Measure("us-east/a", absl::Milliseconds(230));
  EXPECT_EQ(world.Order("all", Paris()),
            "eu-central/a eu-central/b ap-southeast/a sa-east/a ap-northeast/a us-east/a");
}

TEST(RouterTest, ARegionsRoundTripIsThatOfItsFastestMeasuredReplica) {
  World world(SixRegions(), "us-east");
  world.Measure("eu-central/a", absl::Milliseconds(400));
  EXPECT_EQ(world.Order("all", NewYork()),
            "us-east/a sa-east/a ap-northeast/a ap-southeast/a eu-central/a eu-central/b");
  world.Measure("eu-central/b", absl::Milliseconds(100));
  EXPECT_EQ(world.Order("all", NewYork()),
            "us-east/a eu-central/a eu-central/b sa-east/a ap-northeast/a ap-southeast/a");
}

TEST(RouterTest, ThisProcessReplicaIsTheFirstOfItsRegion) {
  World world(SixRegions(), "eu-central", /*local=*/0);  // eu-central/b
  EXPECT_EQ(world.Order("all", Paris()).substr(0, 25), "eu-central/b eu-central/a");
}

TEST(RouterTest, EjectedReplicasGoLastAndKeepTheirOrder) {
  World world;
  world.HealthOf("eu-central/a").state = HealthState::kEjected;
  world.HealthOf("us-east/a").state = HealthState::kEjected;
  EXPECT_EQ(world.Order("all", Paris()),
            "eu-central/b sa-east/a ap-northeast/a ap-southeast/a eu-central/a us-east/a");
}

TEST(RouterTest, ProbingReplicasGoBetweenHealthyAndEjectedOnesAndKeepTheirRank) {
  World world;
  world.HealthOf("eu-central/a").state = HealthState::kProbing;
  world.HealthOf("eu-central/b").state = HealthState::kEjected;
  const Place paris = Paris();
  EXPECT_EQ(world.Order("all", paris),
            "us-east/a sa-east/a ap-northeast/a ap-southeast/a eu-central/a eu-central/b");
  const Plan plan = *world.router.MakePlan(world.Facts("all", paris), world.health);
  EXPECT_EQ(plan.attempts[0].rank, 2);
  EXPECT_EQ(plan.attempts[4].rank, 0);
  EXPECT_EQ(plan.attempts[4].health, HealthState::kProbing);
}

TEST(RouterTest, WhenEverythingIsEjectedEverythingIsStillTriedInTheSameOrder) {
  World world;
  const std::string before = world.Order("all", Paris());
  for (auto& region : world.health.targets) {
    for (TargetHealth& target : region) target.state = HealthState::kEjected;
  }
  EXPECT_EQ(world.Order("all", Paris()), before);
}

TEST(RouterTest, UnknownHealthCountsAsHealthy) {
  World world;
  const std::string before = world.Order("all", Paris());
  world.HealthOf("us-east/a").state = HealthState::kHealthy;
  EXPECT_EQ(world.Order("all", Paris()), before);
  world.health.targets.clear();
  EXPECT_EQ(world.Order("all", Paris()), before);
}

TEST(RouterTest, TheFirstMatchingRuleInTheFilesOrderWinsOverDistance) {
  internal::v1::Topology proto = SixRegions();
  const auto rule = [&proto](const std::string& region) {
    internal::v1::RegionRule* added = proto.mutable_geo()->add_region_rules();
    added->set_region(region);
    return added;
  };
  rule("sa-east")->set_asn(64500);
  rule("ap-southeast")->set_subdivision("US-NY");
  rule("ap-northeast")->set_country("US");
  rule("us-east")->set_country("FR");
  rule("ap-southeast")->set_continent("EU");
  rule("sa-east")->set_continent("NA");
  World world(proto);

  Place new_york = NewYork();
  EXPECT_EQ(world.First("all", new_york), "ap-southeast/a");
  new_york.asn = 64500;
  EXPECT_EQ(world.First("all", new_york), "sa-east/a");
  new_york.asn = 64501;
  new_york.subdivision = "CA";
  EXPECT_EQ(world.First("all", new_york), "ap-northeast/a");
  EXPECT_EQ(world.First("all", Paris()), "us-east/a");
  EXPECT_EQ(world.First("all", PlaceAt(52.5, 13.4, "DE", "EU")), "ap-southeast/a");
  EXPECT_EQ(world.First("all", PlaceAt(45.4, -75.7, "CA", "NA")), "sa-east/a");
  EXPECT_EQ(world.First("all", Osaka()), "ap-northeast/a");
  const Place paris = Paris();
  EXPECT_EQ(ReasonOfPlan(world, world.Facts("all", paris)), v1::ROUTE_REASON_RULE);
  EXPECT_EQ(world.Why(world.Facts("all", paris), "us-east/a"),
            "rule: country FR names this region");
}

TEST(RouterTest, ARuleOfAnotherKindThatStandsEarlierWins) {
  internal::v1::Topology proto = SixRegions();
  for (const char* continent : {"EU", ""}) {
    internal::v1::RegionRule* added = proto.mutable_geo()->add_region_rules();
    added->set_region(*continent ? "sa-east" : "us-east");
    *continent ? added->set_continent(continent) : added->set_country("FR");
  }
  EXPECT_EQ(World(proto).First("all", Paris()), "sa-east/a");
}

TEST(RouterTest, ARulesRegionWithoutTheNamespaceGivesWayToTheNearestToTheClientThatHoldsIt) {
  internal::v1::Topology proto = SixRegions();
  internal::v1::RegionRule* rule = proto.mutable_geo()->add_region_rules();
  rule->set_region("eu-central");
  rule->set_country("PE");
  World world(proto);
  const Place lima = Lima();
  EXPECT_EQ(world.First("all", lima), "eu-central/a");
  EXPECT_EQ(world.Order("west", lima), "sa-east/a us-east/a");
  EXPECT_EQ(world.Why(world.Facts("west", lima), "sa-east/a"),
            "'eu-central' (rule: country PE names this region) does not hold 'west'; nearest of "
            "the regions that hold 'west': 3454 km");
  // Without coordinates the client is taken to be where the rule sends it.
  Place peru = lima;
  peru.point.reset();
  EXPECT_EQ(world.Order("west", peru), "us-east/a sa-east/a");
}

TEST(RouterTest, AnAddressRangeThatNamesARegionWinsOverRulesAndDistance) {
  internal::v1::Topology proto = SixRegions();
  internal::v1::RegionRule* rule = proto.mutable_geo()->add_region_rules();
  rule->set_region("us-east");
  rule->set_country("FR");
  World world(proto);
  Place place = Paris();
  place.pinned_region = world.topology->FindRegion("sa-east");
  place.source = v1::PLACE_SOURCE_CIDR;
  EXPECT_EQ(world.First("all", place), "sa-east/a");
  EXPECT_EQ(ReasonOfPlan(world, world.Facts("all", place)), v1::ROUTE_REASON_RULE);
  EXPECT_EQ(world.Why(world.Facts("all", place), "sa-east/a"),
            "rule: the client's address range names this region");
}

TEST(RouterTest, ARegionOfAnotherTopologyIsNoPin) {
  World world;
  Place place = Paris();
  for (int beyond : {6, 1000, -1}) {
    place.pinned_region = beyond;
    EXPECT_EQ(world.First("all", place), "eu-central/a");
  }
}

TEST(RouterTest, AReservedAddressIsOfThisGatewaysRegion) {
  World world(SixRegions(), "sa-east");
  Place place;
  place.source = v1::PLACE_SOURCE_RESERVED;
  EXPECT_EQ(world.First("all", place), "sa-east/a");
  EXPECT_EQ(ReasonOfPlan(world, world.Facts("all", place)), v1::ROUTE_REASON_GATEWAY_REGION);
}

TEST(RouterTest, AnUnknownPlaceGoesToTheDefaultRegion) {
  const Place unknown;
  World own(SixRegions(), "sa-east");
  EXPECT_EQ(own.First("all", unknown), "sa-east/a");
  EXPECT_EQ(ReasonOfPlan(own, own.Facts("all", unknown)), v1::ROUTE_REASON_DEFAULT);
  EXPECT_EQ(own.Why(own.Facts("all", unknown), "sa-east/a"),
            "the client's place is not known: this gateway's region");

  internal::v1::Topology proto = SixRegions();
  proto.set_default_region("ap-southeast");
  World configured(proto, "sa-east");
  EXPECT_EQ(configured.First("all", unknown), "ap-southeast/a");
  EXPECT_EQ(configured.Preferred(unknown), "ap-southeast");
  EXPECT_EQ(configured.First("tokyo", unknown), "ap-northeast/a");
  RequestFacts nothing = configured.Facts("all", unknown);
  nothing.place = nullptr;
  EXPECT_EQ(configured.Order(nothing), configured.Order("all", unknown));
}

TEST(RouterTest, ADefaultRegionWithoutTheNamespaceGivesWayToTheNearestToItThatHoldsIt) {
  internal::v1::Topology proto = SixRegions();
  proto.set_default_region("ap-southeast");
  World world(proto);
  const Place unknown;
  EXPECT_EQ(world.First("west", unknown), "sa-east/a");  // Sydney to São Paulo is nearer
  EXPECT_EQ(ReasonOfPlan(world, world.Facts("west", unknown)), v1::ROUTE_REASON_DEFAULT);
}

TEST(RouterTest, RegionChoiceGatewayTakesThisGatewaysRegionWhereverTheClientIs) {
  World world;
  const Place osaka = Osaka();
  EXPECT_EQ(world.First("edge", osaka), "eu-central/a");
  EXPECT_EQ(ReasonOfPlan(world, world.Facts("edge", osaka)), v1::ROUTE_REASON_GATEWAY_REGION);
  RequestFacts facts = world.Facts("all", osaka);
  facts.region_choice = v1::REGION_CHOICE_GATEWAY;
  EXPECT_EQ(world.Order(facts), world.Order("edge", osaka));
  facts = world.Facts("edge", osaka);
  facts.region_choice = v1::REGION_CHOICE_CLIENT;
  EXPECT_EQ(world.Order(facts), world.Order("all", osaka));
}

TEST(RouterTest, RegionChoiceFastestTakesTheLeastRoundTripWhereverTheClientIs) {
  World world(SixRegions(), "eu-central", 1);
  RequestFacts facts = world.Facts("west", Lima());
  facts.region_choice = v1::REGION_CHOICE_FASTEST;
  EXPECT_EQ(world.Order(facts), "us-east/a sa-east/a");
  EXPECT_EQ(world.router.MakePlan(facts, world.health)->attempts[0].reason,
            v1::ROUTE_REASON_FASTEST);
  EXPECT_EQ(world.Why(facts, "us-east/a"),
            "the least round trip by the topology, 93 ms, of the regions that hold 'west'");
  world.Measure("us-east/a", absl::Milliseconds(930));
  world.Measure("sa-east/a", absl::Milliseconds(180));
  EXPECT_EQ(world.Order(facts), "sa-east/a us-east/a");
  EXPECT_EQ(world.Why(facts, "sa-east/a"),
            "the least measured round trip, 180 ms, of the regions that hold 'west'");
  world.HealthOf("sa-east/a").state = HealthState::kEjected;
  EXPECT_EQ(world.Order(facts), "us-east/a sa-east/a");
  EXPECT_EQ(world.router.MakePlan(facts, world.health)->attempts[0].reason,
            v1::ROUTE_REASON_FAILOVER);
}

TEST(RouterTest, RegionChoiceFastestCanBeANamespacesOwn) {
  internal::v1::Topology proto = SixRegions();
  AddNamespace(proto, "quick", {}, v1::REGION_CHOICE_FASTEST);
  World world(proto, "us-east");
  EXPECT_EQ(world.First("quick", Osaka()), "us-east/a");
  RequestFacts facts = world.Facts("quick", Osaka());
  facts.region_choice = v1::REGION_CHOICE_CLIENT;
  EXPECT_EQ(world.Order(facts).substr(0, 14), "ap-northeast/a");
}

TEST(RouterTest, RegionChoiceGatewayWithoutTheNamespaceGoesByRoundTrip) {
  World world(SixRegions(), "eu-central");
  RequestFacts facts = world.Facts("west", Paris());
  facts.region_choice = v1::REGION_CHOICE_GATEWAY;
  EXPECT_EQ(world.Order(facts), "us-east/a sa-east/a");
  EXPECT_EQ(world.Why(facts, "us-east/a"),
            "this gateway's region 'eu-central' is not one of the regions that hold 'west'; the "
            "least round trip by the topology, 93 ms");
  world.Measure("us-east/a", absl::Milliseconds(300));
  EXPECT_EQ(world.Order(facts), "sa-east/a us-east/a");
}

TEST(RouterTest, LocalOnlyAsksThisProcessReplicaWhateverItsHealth) {
  World world(SixRegions(), "eu-central", /*local=*/1);
  world.HealthOf("eu-central/a").state = HealthState::kEjected;
  RequestFacts facts = world.Facts("all", Osaka());
  facts.local_only = true;
  EXPECT_EQ(world.Order(facts), "eu-central/a");
  EXPECT_EQ(ReasonOfPlan(world, facts), v1::ROUTE_REASON_LOCAL_ONLY);
  EXPECT_EQ(world.Why(facts, "us-east/a"), "local_only: not the replica in this process");
}

TEST(RouterTest, LocalOnlyWithoutAReplicaOfTheNamespaceIsAnErrorThatNamesTheRegion) {
  World without_replica;
  World without_namespace(SixRegions(), "eu-central", 1);
  const Place paris = Paris();
  for (auto& [world, name_space] :
       {std::pair<World&, const char*>(without_replica, "all"), {without_namespace, "west"}}) {
    RequestFacts facts = world.Facts(name_space, paris);
    facts.local_only = true;
    const absl::Status status = world.router.MakePlan(facts, world.health).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(status), reason::kNoLocalReplica);
    EXPECT_EQ(ErrorMetadataOf(status, "region"), "eu-central");
    EXPECT_EQ(world.router.Explain(facts, world.health).status(), status);
  }
}

TEST(RouterTest, AGatewayOnlyRegionIsPreferredButNeverAsked) {
  World world;
  const Place dubai = PlaceAt(25, 55, "AE", "AS");
  EXPECT_EQ(world.Preferred(dubai), "me-edge");
  EXPECT_EQ(world.First("all", dubai), "eu-central/a");
  World at_edge(SixRegions(), "me-edge");
  Place reserved;
  reserved.source = v1::PLACE_SOURCE_RESERVED;
  EXPECT_EQ(at_edge.Preferred(reserved), "me-edge");
  EXPECT_EQ(at_edge.First("all", reserved), "eu-central/a");
}

TEST(RouterTest, PreferredRegionSaysWhy) {
  World world;
  EXPECT_EQ(world.router.PreferredRegion(Paris()).second, v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(world.router.PreferredRegion(Place()).second, v1::ROUTE_REASON_DEFAULT);
}

TEST(RouterTest, ExplainGivesEveryReplicaAndWhyItStandsThere) {
  World world(SixRegions(), "eu-central", /*local=*/1);
  world.Measure("us-east/a", absl::Milliseconds(93));
  world.HealthOf("eu-central/b").state = HealthState::kEjected;
  world.HealthOf("eu-central/b").reason = "5 failures in a row";
  const Place osaka = Osaka();
  const RequestFacts facts = world.Facts("all", osaka);
  EXPECT_EQ(world.Why(facts, "ap-northeast/a"), "nearest of the regions that hold 'all': 397 km");
  EXPECT_EQ(world.Why(facts, "eu-central/a"), "next by round trip: in this process");
  EXPECT_EQ(world.Why(facts, "us-east/a"), "next by measured round trip, 93 ms");
  EXPECT_EQ(world.Why(facts, "sa-east/a"), "next by the topology's round trip, 204 ms");
  EXPECT_EQ(
      world.Why(facts, "eu-central/b"),
      "ejected: 5 failures in a row; tried last (otherwise: another replica of 'eu-central')");
  EXPECT_EQ(world.Why(world.Facts("west", osaka), "eu-central/a"), "does not hold 'west'");
  EXPECT_EQ(world.Why(world.Facts("tokyo", osaka), "ap-northeast/a"),
            "the only region that holds 'tokyo'");
}

TEST(RouterTest, ExplainGivesDistancesOfAllReplicasWhenThePlaceIsKnown) {
  World world;
  const Place paris = Paris(), unknown;
  const auto known = *world.router.Explain(world.Facts("tokyo", paris), world.health);
  ASSERT_EQ(known.size(), 6);
  EXPECT_NEAR(*known[0].distance_km, 9700, 100);
  EXPECT_EQ(known[0].order, 1);
  for (size_t i = 1; i < known.size(); ++i) EXPECT_EQ(known[i].order, 0);
  const auto all = *world.router.Explain(world.Facts("all", unknown), world.health);
  for (const auto& candidate : all) {
    EXPECT_FALSE(candidate.distance_km.has_value());
  }
}

TEST(RouterTest, DescribeNamesTheWholeTree) {
  internal::v1::Topology proto = SixRegions();
  proto.set_default_region("us-east");
  internal::v1::RegionRule* rule = proto.mutable_geo()->add_region_rules();
  rule->set_region("us-east");
  rule->set_country("FR");
  World world(proto, "eu-central", 1);
  EXPECT_EQ(world.router.Describe(*world.topology->FindNamespace("west")),
            "choice(default: client, client: health(failover(held(first_of(pinned, rules(1), "
            "nearest(sa-east, us-east), default(us-east)), else nearest(sa-east, us-east)), by "
            "round trip)), gateway: health(failover(fastest(sa-east, us-east), by round trip)), "
            "fastest: health(failover(fastest(sa-east, us-east), by round trip)), "
            "local_only: none)");
}

TEST(RouterTest, ATreeThatNeedsNoNodeLosesIt) {
  World world;
  EXPECT_EQ(world.router.Describe(*world.topology->FindNamespace("tokyo")),
            "choice(default: client, client: region(ap-northeast), gateway: region(ap-northeast), "
            "fastest: region(ap-northeast), local_only: none)");
}

}  // namespace
}  // namespace homeport
