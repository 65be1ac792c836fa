// What becomes of traffic when a region fails or becomes slow: the dispatcher and the health
// tracker in simulated time, with requests, pings and stores that take as long as a test says.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "gateway/dispatch/dispatcher.h"
#include "tests/unit/gateway/dispatch/fleet.h"

namespace homeport {
namespace {

constexpr absl::Duration kPingInterval = absl::Milliseconds(500);
constexpr absl::Duration kPingTimeout = absl::Seconds(2);
constexpr absl::Duration kRequestInterval = absl::Milliseconds(20);

class TrafficTest : public testing::Test {
 protected:
  struct Region {
    std::function<absl::Duration()> answer;
    absl::Duration round_trip;
    bool dead = false;
    bool lost = false;
    std::vector<SteadyTime> asked;
  };

  class TimedStore final : public RecordStore {
   public:
    TimedStore(TrafficTest* test, Target target) : test_(test), target_(target) {}
    void Execute(const CallContext& context, const internal::v1::StoreRequest&,
                 internal::v1::StoreResponse*, Done done) override {
      Region& region = test_->regions_[target_];
      const SteadyTime now = test_->clock_.SteadyNow();
      region.asked.push_back(now);
      if (region.lost) return done(Unreachable());
      const SteadyTime answered = now + region.answer();
      const bool late = region.dead || answered > context.deadline;
      auto held = std::make_shared<Done>(std::move(done));
      test_->At(late ? context.deadline : answered, [held, late] {
        (*held)(late ? Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadline)
                     : absl::OkStatus());
      });
    }

   private:
    TrafficTest* const test_;
    const Target target_;
  };

  TrafficTest() {
    Place(kUs, absl::Milliseconds(80));
    Place(kAp, absl::Milliseconds(150));
    Place(kEuB, absl::Milliseconds(110));
    Requests();
  }

  void Place(Target target, absl::Duration latency) {
    Region& region = regions_[target];
    region.round_trip = latency;
    region.answer = [latency] { return latency; };
    stores_[target] = std::make_shared<TimedStore>(this, target);
    Ping(target);
  }

  void At(SteadyTime time, std::function<void()> what) {
    events_.emplace(std::pair(time, ++events_made_), std::move(what));
  }
  void Run(absl::Duration time) {
    const SteadyTime until = clock_.SteadyNow() + time;
    while (!events_.empty() && events_.begin()->first.first <= until) {
      auto event = events_.extract(events_.begin());
      clock_.Advance(event.key().first - clock_.SteadyNow());
      event.mapped()();
    }
    clock_.Advance(until - clock_.SteadyNow());
  }

  void Ping(Target target) {
    Region& region = regions_[target];
    const SteadyTime now = clock_.SteadyNow();
    const bool answered = !region.dead && region.round_trip < kPingTimeout;
    At(now + (answered ? region.round_trip : kPingTimeout), [this, target, answered, now] {
      Region& pinged = regions_[target];
      const SteadyTime ended = clock_.SteadyNow();
      if (answered) {
        pinged.lost = false;
        health_.OnRoundTrip(target, ended - now, ended);
      } else if (!pinged.lost) {
        pinged.lost = true;
        health_.OnConnectionLost(target, "silent", ended);
      }
      At(std::max(ended, now + kPingInterval), [this, target] { Ping(target); });
    });
  }

  // Prefers us, then eu/b, then ap, as far as they are healthy.
  void Requests() {
    Plan plan;
    const auto health = health_.Snapshot(clock_.SteadyNow());
    for (Target target : {kUs, kEuB, kAp}) {
      plan.attempts.push_back({.target = target,
                               .health = health->Find(target)->state,
                               .rank = static_cast<uint16_t>(plan.attempts.size())});
    }
    std::stable_sort(plan.attempts.begin(), plan.attempts.end(),
                     [](const Attempt& a, const Attempt& b) {
                       return HealthOrder(a.health) < HealthOrder(b.health);
                     });
    const SteadyTime now = clock_.SteadyNow();
    auto response = std::make_shared<internal::v1::StoreResponse>();
    CallContext context{now + absl::Seconds(4), nullptr};
    dispatcher_.Dispatch(std::move(plan), context, request_, response.get(),
                         [this, now, response](absl::Status status, const DispatchResult&) {
                           (status.ok() ? answered_ : failed_)[now] = clock_.SteadyNow() - now;
                         });
    At(now + kRequestInterval, [this] { Requests(); });
  }

  int AskedSince(Target target, SteadyTime time) const {
    int count = 0;
    for (SteadyTime asked : regions_.at(target).asked) count += asked >= time;
    return count;
  }
  // The slowest answer to a request that came at `time` or later.
  absl::Duration SlowestSince(SteadyTime time) const {
    absl::Duration slowest;
    for (auto it = answered_.lower_bound(time); it != answered_.end(); ++it) {
      slowest = std::max(slowest, it->second);
    }
    return slowest;
  }
  SteadyTime Now() const { return clock_.SteadyNow(); }
  HealthState StateOf(Target target) { return health_.Snapshot(Now())->Find(target)->state; }

  // After a fault of us: who asks within three seconds is answered late at worst, and then only
  // single requests find out whether it is back.
  void ExpectItsTrafficGoesWithinThreeSeconds() {
    const SteadyTime fault = Now();
    Run(absl::Seconds(3));
    EXPECT_GT(HealthOrder(StateOf(kUs)), 0);
    EXPECT_GT(AskedSince(kUs, fault), 0);
    Run(absl::Seconds(30));
    EXPECT_LE(AskedSince(kUs, fault + absl::Seconds(3)), 8);
    EXPECT_GE(AskedSince(kEuB, fault + absl::Seconds(3)), 1400);
    EXPECT_TRUE(failed_.empty());
  }
  void ExpectItsTrafficComesBack() {
    const SteadyTime healed = Now();
    Run(absl::Seconds(12));
    EXPECT_EQ(StateOf(kUs), HealthState::kHealthy);
    EXPECT_GE(AskedSince(kUs, Now() - absl::Seconds(1)), 45);
    EXPECT_TRUE(failed_.empty());
    EXPECT_LE(SlowestSince(healed + absl::Seconds(11)), absl::Milliseconds(150));
  }

  SimulatedClock clock_;
  std::shared_ptr<const Topology> topology_ = ThreeRegions();
  HealthTracker health_{topology_, GatewayFacts{0, 0}, HealthOptions{}};
  std::map<std::pair<SteadyTime, int64_t>, std::function<void()>> events_;
  int64_t events_made_ = 0;
  std::map<Target, Region> regions_;
  std::map<Target, std::shared_ptr<RecordStore>> stores_;
  internal::v1::StoreRequest request_ = [] {
    internal::v1::StoreRequest request;
    request.mutable_get()->set_id("x");
    return request;
  }();
  Dispatcher dispatcher_{&clock_, [this](Target target) { return stores_[target]; }, &health_,
                         DispatchOptions{}};
  std::map<SteadyTime, absl::Duration> answered_;
  std::map<SteadyTime, absl::Duration> failed_;
};

TEST_F(TrafficTest, ADeadRegionLosesItsTrafficWithinThreeSecondsAndGetsItBack) {
  Run(absl::Seconds(20));
  regions_[kUs].dead = true;
  ExpectItsTrafficGoesWithinThreeSeconds();
  regions_[kUs].dead = false;
  ExpectItsTrafficComesBack();
}

TEST_F(TrafficTest, ARegionTenTimesSlowLosesItsTrafficWithinThreeSecondsAndGetsItBack) {
  Run(absl::Seconds(20));
  regions_[kUs].answer = [] { return absl::Milliseconds(800); };
  regions_[kUs].round_trip = absl::Milliseconds(800);
  ExpectItsTrafficGoesWithinThreeSeconds();
  regions_[kUs].answer = [] { return absl::Milliseconds(80); };
  regions_[kUs].round_trip = absl::Milliseconds(80);
  ExpectItsTrafficComesBack();
}

TEST_F(TrafficTest, ARegionThatAnswersPingsAtOnceAndRequestsSlowlyIsSlow) {
  Run(absl::Seconds(20));
  regions_[kUs].answer = [] { return absl::Milliseconds(800); };
  ExpectItsTrafficGoesWithinThreeSeconds();
  regions_[kUs].answer = [] { return absl::Milliseconds(80); };
  ExpectItsTrafficComesBack();
}

TEST_F(TrafficTest, ASlowRegionKeepsItsTrafficWhileTheOthersAreSlowAsWell) {
  Run(absl::Seconds(20));
  const auto slow_down = [this](Target target) {
    const absl::Duration round_trip = 10 * regions_[target].round_trip;
    regions_[target].answer = [round_trip] { return round_trip; };
    regions_[target].round_trip = round_trip;
  };
  slow_down(kEuB);
  slow_down(kAp);
  Run(absl::Seconds(2));
  slow_down(kUs);
  const SteadyTime slow = Now();
  Run(absl::Seconds(5));
  EXPECT_NE(StateOf(kUs), HealthState::kEjected);
  EXPECT_GE(AskedSince(kUs, slow), 240);
}

TEST_F(TrafficTest, NoiseEjectsNobody) {
  std::mt19937_64 random(3);
  for (Target target : {kUs, kEuB, kAp}) {
    const double usual = absl::ToDoubleMilliseconds(regions_[target].round_trip);
    regions_[target].answer = [&random, usual] {
      std::lognormal_distribution<double> jitter(0, 0.4);
      double latency = usual * jitter(random);
      if (random() % 50 == 0) latency *= 15;
      return absl::Milliseconds(latency);
    };
  }
  for (int i = 0; i < 600; ++i) {
    Run(absl::Seconds(1));
    for (Target target : {kUs, kEuB, kAp}) {
      ASSERT_LE(HealthOrder(StateOf(target)), 0) << "second " << i;
    }
  }
}

}  // namespace
}  // namespace homeport
