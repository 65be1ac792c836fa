#include "gateway/route/read_targets.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/route/route_fixture.h"

namespace homeport {
namespace {

constexpr auto kEventual = v1::CONSISTENCY_LEVEL_EVENTUAL;
constexpr auto kSession = v1::CONSISTENCY_LEVEL_SESSION;
constexpr auto kBounded = v1::CONSISTENCY_LEVEL_BOUNDED;

v1::ReadTarget MakeTarget(v1::ConsistencyLevel level, int latency_ms, int max_staleness_ms = 0) {
  v1::ReadTarget target;
  target.set_consistency(level);
  target.mutable_latency()->set_nanos(latency_ms * 1'000'000);
  if (max_staleness_ms > 0) {
    target.mutable_max_staleness()->set_seconds(max_staleness_ms / 1000);
    target.mutable_max_staleness()->set_nanos(max_staleness_ms % 1000 * 1'000'000);
  }
  return target;
}

// A gateway in us-east with a replica there; "west" is held by us-east and sa-east, 115 ms away.
class ReadTargetsTest : public testing::Test {
 protected:
  ReadTargetsTest() : world_(SixRegions(), "us-east", 0) {}

  // What `replica` has of all writers is so old, and gets no younger.
  void Say(const std::string& replica, absl::Duration age) {
    auto said = std::make_shared<StoreFreshness>();
    said->as_of = kNow;
    for (const RegionInfo& region : world_.topology->regions()) {
      for (const ReplicaInfo& writer : region.replicas) {
        said->writers.push_back({writer.name.value(), {.age = age}});
      }
    }
    said_[world_.TargetOf(replica)] = std::move(said);
  }
  TargetChoice Choose(const std::vector<v1::ReadTarget>& targets, const Place& place = NewYork(),
                      int from = 0) {
    const RequestFacts request = world_.Facts("west", place);
    FreshnessFacts facts;
    facts.topology = world_.topology.get();
    facts.name_space = request.name_space;
    facts.gateway = world_.router.gateway();
    facts.health = &world_.health;
    facts.now = kNow;
    facts.deadline = kNow + absl::Seconds(5);
    facts.freshness = [this](Target target) {
      auto found = said_.find(target);
      return found == said_.end() ? nullptr : found->second;
    };
    return ChooseTarget(facts, targets, from, kNow,
                        *world_.router.MakePlan(request, world_.health));
  }
  std::string Order(const TargetChoice& choice) const {
    return absl::StrJoin(choice.plan.attempts, " ", [this](std::string* out, const Attempt& a) {
      out->append(world_.NameOf(a.target));
    });
  }

  static constexpr SteadyTime kNow = absl::Hours(1);
  World world_;
  std::map<Target, std::shared_ptr<const StoreFreshness>> said_;
};

TEST_F(ReadTargetsTest, TheFirstThatSomeRegionIsPredictedToMeetIsChosen) {
  Say("us-east/a", absl::Seconds(3));
  Say("sa-east/a", absl::Seconds(1));
  TargetChoice choice = Choose({MakeTarget(kBounded, 200, 2000), MakeTarget(kEventual, 50)});
  EXPECT_EQ(choice.target, 0);
  EXPECT_EQ(Order(choice), "sa-east/a");
  EXPECT_EQ(choice.plan.attempts[0].reason, v1::ROUTE_REASON_FRESHNESS);
  EXPECT_EQ(choice.deadline, kNow + absl::Milliseconds(200));
}

TEST_F(ReadTargetsTest, ATargetThatIsTooFarAwayForItsLatencyIsPassedOver) {
  Say("us-east/a", absl::Seconds(3));
  Say("sa-east/a", absl::Seconds(1));
  TargetChoice choice = Choose({MakeTarget(kBounded, 115, 2000), MakeTarget(kBounded, 100, 4000),
                                MakeTarget(kEventual, 150)});
  EXPECT_EQ(choice.target, 1);
  EXPECT_EQ(Order(choice), "us-east/a");
}

TEST_F(ReadTargetsTest, TheChosenRegionStaysWhereItMeetsTheTarget) {
  TargetChoice choice = Choose({MakeTarget(kSession, 300), MakeTarget(kEventual, 400)}, Lima());
  EXPECT_EQ(choice.target, 0);
  EXPECT_EQ(Order(choice), "sa-east/a us-east/a");
  // Half of the time would not do for the first, so it gets all.
  choice = Choose({MakeTarget(kSession, 200), MakeTarget(kEventual, 400)}, Lima());
  EXPECT_EQ(Order(choice), "sa-east/a");
  // A latency that it can not keep makes another region the better one.
  choice = Choose({MakeTarget(kSession, 100), MakeTarget(kEventual, 400)}, Lima());
  EXPECT_EQ(choice.target, 0);
  EXPECT_EQ(Order(choice), "us-east/a");
}

TEST_F(ReadTargetsTest, WithoutAnyThatIsPredictedTheLastIsTriedEverywhereToTheDeadline) {
  Say("us-east/a", absl::Seconds(9));
  Say("sa-east/a", absl::Seconds(8));
  TargetChoice choice = Choose({MakeTarget(kBounded, 500, 100), MakeTarget(kBounded, 500, 2000)});
  EXPECT_EQ(choice.target, 1);
  EXPECT_EQ(Order(choice), "us-east/a sa-east/a");
  EXPECT_EQ(choice.deadline, kNow + absl::Seconds(5));
}

TEST_F(ReadTargetsTest, WhatIsNotKnownIsNotPredicted) {
  EXPECT_EQ(Choose({MakeTarget(kBounded, 500, 2000), MakeTarget(kEventual, 500)}).target, 1);
}

TEST_F(ReadTargetsTest, AnEjectedReplicaIsNotCountedOn) {
  Say("us-east/a", absl::Seconds(3));
  Say("sa-east/a", absl::Seconds(1));
  world_.HealthOf("sa-east/a").state = HealthState::kEjected;
  EXPECT_EQ(Choose({MakeTarget(kBounded, 200, 2000), MakeTarget(kEventual, 500)}).target, 1);
}

TEST_F(ReadTargetsTest, AfterAFailureOnlyLaterTargetsAreLeft) {
  TargetChoice choice =
      Choose({MakeTarget(kSession, 50), MakeTarget(kEventual, 50), MakeTarget(kEventual, 500)},
             NewYork(), 1);
  EXPECT_EQ(choice.target, 1);
}

TEST_F(ReadTargetsTest, WhatIsMetGoesByTheAnswerAndNotByThePlan) {
  const std::vector<v1::ReadTarget> targets = {
      MakeTarget(kBounded, 50, 1000), MakeTarget(kSession, 100), MakeTarget(kEventual, 200)};
  v1::Provenance provenance;
  provenance.set_level_met(kEventual);
  const auto met = [&](int latency_ms) {
    return TargetMet(targets, provenance, absl::Milliseconds(latency_ms));
  };
  EXPECT_EQ(met(10), 3);
  EXPECT_EQ(met(200), 3);
  EXPECT_EQ(met(201), 0);
  provenance.mutable_age()->set_seconds(1);
  EXPECT_EQ(met(50), 1);
  EXPECT_EQ(met(51), 3);
  provenance.mutable_age()->set_nanos(1);
  EXPECT_EQ(met(50), 3);
  provenance.set_level_met(kSession);
  EXPECT_EQ(met(100), 2);
  EXPECT_EQ(met(101), 3);
}

}  // namespace
}  // namespace homeport
