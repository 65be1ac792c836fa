// Claims that hold of every plan, over generated topologies, places and health.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/gateway/route/route_fixture.h"

namespace homeport {
namespace {

constexpr int kWorlds = 300;
constexpr int kRequests = 40;
const char* const kCountries[] = {"DE", "FR", "US", "JP", "BR", "AU"};
const char* const kContinents[] = {"EU", "NA", "AS", "SA"};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  int Below(int n) { return static_cast<int>(random_() % n); }
  bool Chance(int percent) { return Below(100) < percent; }

  internal::v1::Topology Topology() {
    internal::v1::Topology topology;
    topology.set_cluster("test");
    const int regions = 1 + Below(9);
    std::vector<std::string> names;
    std::vector<std::string> holders;
    for (int i = 0; i < regions; ++i) {
      const std::string name = absl::StrCat("r", Below(1000), "-", i);
      // Coarse coordinates, so that some regions are equally far.
      std::vector<std::string> replicas;
      const int count = i == 0 ? 1 + Below(3) : Below(4);
      for (int r = 0; r < count; ++r) replicas.push_back(absl::StrCat("x", (r * 7 + 3) % 5));
      AddRegion(topology, name, kCountries[Below(6)], Below(17) * 10 - 80, Below(36) * 10 - 180,
                replicas);
      names.push_back(name);
      if (!replicas.empty()) holders.push_back(name);
    }
    for (int i = 0; i < 3; ++i) {
      std::vector<std::string> held;
      for (const std::string& name : holders) {
        if (i > 0 && Chance(50)) held.push_back(name);
      }
      AddNamespace(topology, absl::StrCat("n", i), held, static_cast<v1::RegionChoice>(Below(4)));
    }
    for (int a = 0; a < regions; ++a) {
      for (int b = a + 1; b < regions; ++b) {
        if (Chance(70)) AddRoundTrip(topology, names[a], names[b], 10 * (1 + Below(9)));
      }
    }
    std::set<std::string> matchers;  // each may stand once
    for (int i = Below(5); i > 0; --i) {
      internal::v1::RegionRule rule;
      switch (Below(3)) {
        case 0:
          rule.set_asn(1 + Below(4));
          break;
        case 1:
          rule.set_country(kCountries[Below(6)]);
          break;
        default:
          rule.set_continent(kContinents[Below(4)]);
      }
      if (!matchers.insert(rule.SerializeAsString()).second) continue;
      rule.set_region(names[Below(regions)]);
      *topology.mutable_geo()->add_region_rules() = rule;
    }
    if (Chance(50)) topology.set_default_region(names[Below(regions)]);
    return topology;
  }

  Place APlace(const class Topology& topology) {
    Place place;
    if (Chance(80)) place.point = GeoPoint{Below(181) - 90.0, Below(361) - 180.0};
    if (Chance(70)) place.country = kCountries[Below(6)];
    if (Chance(70)) place.continent = kContinents[Below(4)];
    if (Chance(30)) place.asn = Below(6);
    if (Chance(10)) place.pinned_region = Below(topology.regions().size());
    if (Chance(10)) place.source = v1::PLACE_SOURCE_RESERVED;
    return place;
  }

  void Health(HealthSnapshot& health) {
    for (auto& region : health.targets) {
      for (TargetHealth& target : region) {
        target.state = Chance(50) ? HealthState::kHealthy : static_cast<HealthState>(Below(4));
        target.reason = "because";
        target.round_trip_measured = Chance(60);
        if (target.round_trip_measured) target.round_trip = absl::Milliseconds(10 * Below(9));
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

// Calls `check(world, facts)` for every generated case.
template <typename Check>
void ForAll(Check check) {
  for (int seed = 0; seed < kWorlds && !testing::Test::HasFailure(); ++seed) {
    Generator generator(seed);
    internal::v1::Topology proto = generator.Topology();
    const internal::v1::Region& self = proto.regions(generator.Below(proto.regions_size()));
    std::optional<int> local;
    if (self.replicas_size() > 0 && generator.Chance(60)) {
      local = generator.Below(self.replicas_size());
    }
    const std::string self_name = self.name();
    World world(std::move(proto), self_name, local);
    for (int i = 0; i < kRequests; ++i) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, ", request ", i));
      if (generator.Chance(50)) generator.Health(world.health);
      const Place place = generator.APlace(*world.topology);
      RequestFacts facts = world.Facts(absl::StrCat("n", generator.Below(3)), place);
      facts.region_choice = static_cast<v1::RegionChoice>(generator.Below(4));
      facts.local_only = generator.Chance(10);
      check(world, facts);
    }
  }
}

int ClassOf(HealthState state) {
  return state == HealthState::kEjected ? 2 : state == HealthState::kProbing ? 1 : 0;
}

// The rules of router.h, written down a second time and without any regard for speed.
class Model {
 public:
  Model(const World& world, const RequestFacts& facts) : world_(world), facts_(facts) {}

  std::vector<Target> Plan() const {
    const GatewayFacts& gateway = world_.router.gateway();
    if (facts_.local_only) {
      if (!gateway.local_replica || !Held(gateway.self_region)) return {};
      return {{gateway.self_region, *gateway.local_replica}};
    }
    const int first = FirstRegion();
    std::vector<int> order = facts_.name_space->regions;
    std::sort(order.begin(), order.end(), [&](int a, int b) {
      return std::tuple(a != first, RoundTrip(a), Name(a)) <
             std::tuple(b != first, RoundTrip(b), Name(b));
    });
    std::vector<Target> plan;
    for (int region : order) {
      std::map<std::pair<bool, std::string>, Target> replicas;
      for (int i = 0; i < static_cast<int>(Region(region).replicas.size()); ++i) {
        const bool local = region == gateway.self_region && gateway.local_replica == i;
        replicas[{!local, Region(region).replicas[i].name.value()}] = {region, i};
      }
      for (const auto& [key, target] : replicas) plan.push_back(target);
    }
    std::stable_sort(plan.begin(), plan.end(), [&](Target a, Target b) {
      return ClassOf(world_.health.Find(a)->state) < ClassOf(world_.health.Find(b)->state);
    });
    return plan;
  }

  int FirstRegion() const {
    const int self = world_.router.gateway().self_region;
    const v1::RegionChoice choice = facts_.region_choice == v1::REGION_CHOICE_UNSPECIFIED
                                        ? facts_.name_space->region_choice
                                        : facts_.region_choice;
    const std::vector<int>& held = facts_.name_space->regions;
    if (choice == v1::REGION_CHOICE_GATEWAY || choice == v1::REGION_CHOICE_FASTEST) {
      if (choice == v1::REGION_CHOICE_GATEWAY && Held(self)) return self;
      return *std::min_element(held.begin(), held.end(), [&](int a, int b) {
        return std::tuple(RoundTrip(a), Name(a)) < std::tuple(RoundTrip(b), Name(b));
      });
    }
    std::optional<int> named = Named();
    if (named && Held(*named)) return *named;
    const Place& place = *facts_.place;
    if (!named && !place.point) named = world_.topology->default_region().value_or(self);
    if (named && Held(*named) && !place.point) return *named;
    const GeoPoint from = place.point ? *place.point : Region(*named).point;
    return *std::min_element(held.begin(), held.end(), [&](int a, int b) {
      const double km_a = DistanceKm(from, Region(a).point);
      const double km_b = DistanceKm(from, Region(b).point);
      // Equal but for rounding.
      if (std::abs(km_a - km_b) > 1e-3) return km_a < km_b;
      return Name(a) < Name(b);
    });
  }

 private:
  const RegionInfo& Region(int region) const { return world_.topology->regions()[region]; }
  const std::string& Name(int region) const { return Region(region).name.value(); }
  bool Held(int region) const { return facts_.name_space->HeldBy(region); }

  std::optional<int> Named() const {
    const Place& place = *facts_.place;
    if (place.source == v1::PLACE_SOURCE_RESERVED) return world_.router.gateway().self_region;
    if (place.pinned_region) return place.pinned_region;
    for (const auto& rule : world_.topology->proto().geo().region_rules()) {
      if ((rule.asn() != 0 && rule.asn() == place.asn) ||
          (!rule.country().empty() && rule.country() == place.country) ||
          (!rule.continent().empty() && rule.continent() == place.continent)) {
        return world_.topology->FindRegion(rule.region());
      }
    }
    return std::nullopt;
  }

  absl::Duration RoundTrip(int region) const {
    std::optional<absl::Duration> least;
    for (const TargetHealth& target : world_.health.targets[region]) {
      if (target.round_trip_measured && (!least || target.round_trip < *least)) {
        least = target.round_trip;
      }
    }
    return least.value_or(world_.topology->RoundTrip(world_.router.gateway().self_region, region));
  }

  const World& world_;
  const RequestFacts& facts_;
};

TEST(RouterPropertyTest, EveryPlanIsTheOneThatTheRulesInWordsGive) {
  int equidistant = 0;
  ForAll([&](const World& world, const RequestFacts& facts) {
    const absl::StatusOr<Plan> plan = world.router.MakePlan(facts, world.health);
    std::vector<Target> targets;
    if (plan.ok()) {
      for (const Attempt& attempt : plan->attempts) targets.push_back(attempt.target);
    }
    const Model model(world, facts);
    if (plan.ok() && !facts.local_only && plan->preferred_region != model.FirstRegion()) {
      // The chord and the haversine may round a tie of mirrored places differently.
      const GeoPoint from = facts.place->point.value_or(GeoPoint{});
      const auto& regions = world.topology->regions();
      ASSERT_NEAR(DistanceKm(from, regions[plan->preferred_region].point),
                  DistanceKm(from, regions[model.FirstRegion()].point), 1e-3);
      ++equidistant;
      return;
    }
    ASSERT_EQ(targets, model.Plan());
  });
  EXPECT_LT(equidistant, kWorlds * kRequests / 100);
}

TEST(RouterPropertyTest, EveryReplicaOfTheNamespaceIsPlannedExactlyOnceAndNoOther) {
  ForAll([](const World& world, const RequestFacts& facts) {
    const absl::StatusOr<Plan> plan = world.router.MakePlan(facts, world.health);
    if (!plan.ok() || facts.local_only) return;
    std::set<Target> expected, planned;
    for (int region : facts.name_space->regions) {
      for (size_t i = 0; i < world.topology->regions()[region].replicas.size(); ++i) {
        expected.insert({region, static_cast<int>(i)});
      }
    }
    for (const Attempt& attempt : plan->attempts) {
      ASSERT_TRUE(planned.insert(attempt.target).second);
    }
    ASSERT_EQ(planned, expected);
  });
}

TEST(RouterPropertyTest, ExplainAgreesExactlyWithThePlanAndGivesEachReplicaAReason) {
  ForAll([](const World& world, const RequestFacts& facts) {
    const absl::StatusOr<Plan> plan = world.router.MakePlan(facts, world.health);
    const auto candidates = world.router.Explain(facts, world.health);
    ASSERT_EQ(plan.status(), candidates.status());
    if (!plan.ok()) return;
    size_t replicas = 0;
    for (const RegionInfo& region : world.topology->regions()) replicas += region.replicas.size();
    ASSERT_EQ(candidates->size(), replicas);
    std::set<Target> seen;
    for (size_t i = 0; i < candidates->size(); ++i) {
      const CandidateReason& candidate = (*candidates)[i];
      ASSERT_TRUE(seen.insert(candidate.target).second);
      ASSERT_FALSE(candidate.why.empty());
      if (i < plan->attempts.size()) {
        ASSERT_EQ(candidate.target, plan->attempts[i].target);
        ASSERT_EQ(candidate.order, static_cast<int>(i) + 1);
        const bool unhealthy = ClassOf(plan->attempts[i].health) > 0;
        ASSERT_EQ(candidate.why.find("ejected: because") != std::string::npos, unhealthy);
      } else {
        ASSERT_EQ(candidate.order, 0);
      }
    }
  });
}

TEST(RouterPropertyTest, RanksAreThePositionsOfThePlanWithoutHealth) {
  ForAll([](World& world, const RequestFacts& facts) {
    const absl::StatusOr<Plan> plan = world.router.MakePlan(facts, world.health);
    if (!plan.ok()) return;
    HealthSnapshot healthy = world.health;
    for (auto& region : healthy.targets) {
      for (TargetHealth& target : region) target.state = HealthState::kHealthy;
    }
    const Plan without = *world.router.MakePlan(facts, healthy);
    for (const Attempt& attempt : plan->attempts) {
      ASSERT_EQ(without.attempts[attempt.rank].target, attempt.target);
    }
    ASSERT_EQ(without.preferred_region, plan->preferred_region);
    ASSERT_EQ(without.reason, plan->reason);
  });
}

}  // namespace
}  // namespace homeport
