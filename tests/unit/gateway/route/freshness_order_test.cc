#include "gateway/route/freshness_order.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/route/route_fixture.h"

namespace homeport {
namespace {

absl::Duration Ms(int64_t count) { return absl::Milliseconds(count); }

// Comes 50 ms old, every 500 ms.
WatermarkPace Pace(absl::Duration age, bool advancing = true) {
  return {.age = age, .least_age = Ms(50), .interval = Ms(500), .advancing = advancing};
}

// A gateway in us-east with a replica there; namespace "west" is held by us-east and sa-east, which
// is 115 ms away, "all" by all.
class FreshnessOrderTest : public testing::Test {
 protected:
  FreshnessOrderTest() : world_(SixRegions(), "us-east", 0) {}

  // What `replica` has of every writer.
  void Say(const std::string& replica, const WatermarkPace& pace) {
    auto said = std::make_shared<StoreFreshness>();
    said->as_of = kNow;
    for (const RegionInfo& region : world_.topology->regions()) {
      for (const ReplicaInfo& writer : region.replicas) {
        const bool is_self = writer.name.value() == replica;
        said->writers.push_back(
            {writer.name.value(), is_self ? WatermarkPace{.age = absl::ZeroDuration()} : pace});
      }
    }
    said_[world_.TargetOf(replica)] = std::move(said);
  }
  // The replicas in their order, "sa-east/a us-east/a".
  std::string Order(const std::string& name_space, const Place& place, absl::Duration bound,
                    absl::Duration time = absl::Seconds(5),
                    v1::RegionChoice choice = v1::REGION_CHOICE_UNSPECIFIED) {
    RequestFacts request = world_.Facts(name_space, place);
    request.region_choice = choice;
    plan_ = *world_.router.MakePlan(request, world_.health);
    FreshnessFacts facts;
    facts.topology = world_.topology.get();
    facts.name_space = request.name_space;
    facts.gateway = world_.router.gateway();
    facts.health = &world_.health;
    facts.max_staleness = bound;
    facts.now = kNow;
    facts.deadline = kNow + time;
    facts.freshness = [this](Target target) {
      auto found = said_.find(target);
      return found == said_.end() ? nullptr : found->second;
    };
    OrderByFreshness(facts, plan_);
    for (size_t i = 0; i < plan_.attempts.size(); ++i) ranks_.push_back(plan_.attempts[i].rank);
    return absl::StrJoin(plan_.attempts, " ", [this](std::string* out, const Attempt& attempt) {
      out->append(world_.NameOf(attempt.target));
    });
  }

  static constexpr SteadyTime kNow = absl::Hours(1);
  World world_;
  std::map<Target, std::shared_ptr<const StoreFreshness>> said_;
  Plan plan_;
  std::vector<int> ranks_;
};

TEST_F(FreshnessOrderTest, APreferredRegionThatMeetsTheBoundStaysFirst) {
  Say("us-east/a", Pace(Ms(100)));
  Say("sa-east/a", Pace(Ms(10)));
  EXPECT_EQ(Order("west", NewYork(), Ms(300)), "us-east/a sa-east/a");
  EXPECT_EQ(plan_.attempts[0].reason, v1::ROUTE_REASON_NEAREST);
  // The client's region, although an answer from here would come sooner.
  EXPECT_EQ(Order("west", Lima(), Ms(600)), "sa-east/a us-east/a");
}

TEST_F(FreshnessOrderTest, ARegionThatIsCutOffIsPassedOver) {
  Say("us-east/a", Pace(absl::Seconds(10), false));
  Say("sa-east/a", Pace(Ms(10)));
  EXPECT_EQ(Order("west", NewYork(), Ms(500)), "sa-east/a us-east/a");
  EXPECT_EQ(plan_.attempts[0].reason, v1::ROUTE_REASON_FRESHNESS);
  EXPECT_EQ(plan_.attempts[1].reason, v1::ROUTE_REASON_NEAREST);
  EXPECT_THAT(ranks_, testing::ElementsAre(0, 1));
}

TEST_F(FreshnessOrderTest, OneWaitsWhereItIsIfThatIsQuickerThanGoingElsewhere) {
  Say("sa-east/a", Pace(Ms(50)));
  // The next watermark comes in 110 ms, 5 ms before an answer from sa-east would.
  Say("us-east/a", Pace(Ms(440)));
  EXPECT_EQ(Order("west", NewYork(), Ms(200)), "us-east/a sa-east/a");
  Say("us-east/a", Pace(Ms(430)));
  EXPECT_EQ(Order("west", NewYork(), Ms(200)), "sa-east/a us-east/a");
}

TEST_F(FreshnessOrderTest, AnAnswerAfterTheDeadlineMeetsNothing) {
  Say("us-east/a", Pace(Ms(300)));
  Say("sa-east/a", Pace(Ms(50)));
  EXPECT_EQ(Order("west", NewYork(), Ms(200), Ms(300)), "sa-east/a us-east/a");
  EXPECT_EQ(Order("west", NewYork(), Ms(200), Ms(110)), "us-east/a sa-east/a");
}

TEST_F(FreshnessOrderTest, WhatIsNotKnownComesBetweenWhatMeetsItAndWhatDoesNot) {
  Say("us-east/a", Pace(absl::Seconds(10), false));
  Say("ap-southeast/a", Pace(Ms(50)));
  Say("sa-east/a", Pace(absl::Seconds(10), false));
  const std::string order = Order("all", NewYork(), Ms(800));
  EXPECT_EQ(order.substr(0, order.find(' ')), "ap-southeast/a");
  EXPECT_TRUE(absl::EndsWith(order, " us-east/a sa-east/a")) << order;
}

TEST_F(FreshnessOrderTest, APreferredRegionOfWhichNothingIsKnownIsAsked) {
  Say("us-east/a", Pace(Ms(10)));
  EXPECT_EQ(Order("west", Lima(), Ms(800)), "sa-east/a us-east/a");
  EXPECT_EQ(plan_.attempts[0].reason, v1::ROUTE_REASON_NEAREST);
}

TEST_F(FreshnessOrderTest, TheFastestIsWhoMeetsTheBoundFirstWaitsIncluded) {
  const auto fastest = [this](absl::Duration bound) {
    return Order("west", Lima(), bound, absl::Seconds(5), v1::REGION_CHOICE_FASTEST);
  };
  // Here nothing is to be waited for, although the client is nearer to sa-east.
  Say("us-east/a", Pace(Ms(100)));
  Say("sa-east/a", Pace(Ms(10)));
  EXPECT_EQ(fastest(Ms(300)), "us-east/a sa-east/a");
  EXPECT_EQ(plan_.attempts[0].reason, v1::ROUTE_REASON_FASTEST);
  // The next watermark here comes in 110 ms, an answer from sa-east in 115; and the other way
  // round.
  Say("us-east/a", Pace(Ms(440)));
  EXPECT_EQ(fastest(Ms(200)), "us-east/a sa-east/a");
  Say("us-east/a", Pace(Ms(430)));
  EXPECT_EQ(fastest(Ms(200)), "sa-east/a us-east/a");
  EXPECT_EQ(plan_.attempts[0].reason, v1::ROUTE_REASON_FASTEST);
  // What is known to meet it goes before what is not known.
  said_.erase(world_.TargetOf("us-east/a"));
  EXPECT_EQ(fastest(Ms(200)), "sa-east/a us-east/a");
}

TEST_F(FreshnessOrderTest, AnEjectedReplicaStaysLastHoweverFreshItWas) {
  Say("us-east/a", Pace(absl::Seconds(10), false));
  Say("sa-east/a", Pace(Ms(10)));
  world_.HealthOf("sa-east/a").state = HealthState::kEjected;
  EXPECT_EQ(Order("west", NewYork(), Ms(500)), "us-east/a sa-east/a");
  EXPECT_EQ(plan_.attempts[0].reason, v1::ROUTE_REASON_NEAREST);
  // But as if all were healthy it would be first.
  EXPECT_THAT(ranks_, testing::ElementsAre(1, 0));
}

TEST_F(FreshnessOrderTest, AReplicaThatDoesNotNameAWriterIsNotKnown) {
  Say("us-east/a", Pace(Ms(10)));
  auto said = std::make_shared<StoreFreshness>(*said_[world_.TargetOf("us-east/a")]);
  said->writers.erase(said->writers.begin());
  FreshnessFacts facts;
  facts.topology = world_.topology.get();
  facts.name_space = world_.topology->FindNamespace("west");
  facts.gateway = world_.router.gateway();
  facts.health = &world_.health;
  facts.max_staleness = Ms(500);
  facts.now = kNow;
  facts.freshness = [said](Target) { return said; };
  EXPECT_EQ(PredictAnswer(facts, world_.TargetOf("us-east/a")), std::nullopt);
}

}  // namespace
}  // namespace homeport
