// A small world for the gateway's tests: three regions, scripted stores, a clock turned by hand.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "common/time/simulated_clock.h"
#include "gateway/server/gateway.h"

namespace homeport {

// A store that does what the test says, and remembers what it was asked. Thread-safe.
class ScriptedStore : public RecordStore {
 public:
  struct Call {
    CallContext context;
    internal::v1::StoreRequest request;
    internal::v1::StoreResponse* response;
    Done done;
  };

  explicit ScriptedStore(std::string region) : region_(std::move(region)) {}

  void Execute(const CallContext& context, const internal::v1::StoreRequest& request,
               internal::v1::StoreResponse* response, Done done) override {
    absl::Status answer;
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(request);
      deadlines_.push_back(context.deadline);
      if (holding_) {
        held_.push_back({context, request, response, std::move(done)});
        return;
      }
      answer = std::exchange(next_answer_, std::nullopt).value_or(answer_);
    }
    if (answer.ok()) Fill(request, response);
    done(answer);
  }

  std::shared_ptr<const StoreFreshness> freshness() const override {
    absl::MutexLock lock(&mutex_);
    return freshness_;
  }
  // What is known of how far the replica is behind.
  void SetFreshness(std::shared_ptr<const StoreFreshness> freshness) {
    absl::MutexLock lock(&mutex_);
    freshness_ = std::move(freshness);
  }

  // Every call from now on is answered so; an OK answer has a result of the request's kind.
  void AnswerWith(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(status);
    next_answer_.reset();
  }
  // The next call is answered so.
  void AnswerWithNext(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    next_answer_ = std::move(status);
  }
  // Calls from now on are not answered until TakeHeld() is called.
  void Hold() {
    absl::MutexLock lock(&mutex_);
    holding_ = true;
  }
  // Waits until `count` calls are held and takes them.
  std::vector<Call> TakeHeld(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]()
                            ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return held_.size() >= count; };
    mutex_.Await(absl::Condition(&enough));
    return std::exchange(held_, {});
  }
  void Answer(Call call) {
    Fill(call.request, call.response);
    call.done(absl::OkStatus());
  }

  std::vector<internal::v1::StoreRequest> requests() const {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }
  std::vector<SteadyTime> deadlines() const {
    absl::MutexLock lock(&mutex_);
    return deadlines_;
  }

 private:
  template <typename Result>
  Result* Common(Result* result) {
    result->mutable_version()->set_hybrid_time(7);
    result->set_session_token("token");
    result->mutable_provenance()->set_region(region_);
    result->mutable_provenance()->set_replica(region_ + "/a");
    result->mutable_provenance()->set_level_met(v1::CONSISTENCY_LEVEL_SESSION);
    return result;
  }
  void Fill(const internal::v1::StoreRequest& request, internal::v1::StoreResponse* response) {
    using internal::v1::StoreRequest;
    switch (request.operation_case()) {
      case StoreRequest::kGet: {
        auto* get = Common(response->mutable_get());
        get->mutable_item()->set_key(request.get().key());
        get->mutable_item()->set_value("value of " + request.get().id());
        break;
      }
      case StoreRequest::kBatchGet: {
        auto* batch = Common(response->mutable_batch_get());
        for (const v1::ItemName& name : request.batch_get().names()) {
          batch->add_results()->mutable_item()->set_key(name.key());
        }
        break;
      }
      case StoreRequest::kMutate:
        Common(response->mutable_mutate());
        break;
      case StoreRequest::kListItems:
        Common(response->mutable_list_items())->add_items()->set_key("k");
        break;
      default:
        Common(response->mutable_list_records())->add_ids("o-1");
        break;
    }
  }

  const std::string region_;
  mutable absl::Mutex mutex_;
  absl::Status answer_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> next_answer_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const StoreFreshness> freshness_ ABSL_GUARDED_BY(mutex_);
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<internal::v1::StoreRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<SteadyTime> deadlines_ ABSL_GUARDED_BY(mutex_);
  std::vector<Call> held_ ABSL_GUARDED_BY(mutex_);
};

// Region indexes of the world's topology.
inline constexpr int kUs = 0;
inline constexpr int kEu = 1;
inline constexpr int kAu = 2;

// us-east-1, eu-central-1 and ap-southeast-2 with a replica "a" each; the first two have gateways.
// Clients of 198.51.100.0/24 are in Germany, of 203.0.113.0/24 in Australia, of 192.0.2.0/24 in the
// United States; 10.0.0.0/8 are trusted proxies. Namespaces: "orders" everywhere, "cache"
// everywhere and EVENTUAL, "german" in eu-central-1 alone.
inline internal::v1::Topology WorldTopology() {
  internal::v1::Topology topology;
  topology.set_cluster("test");
  const auto region = [&topology](const char* name, const char* country, double latitude,
                                  double longitude, const char* gateway) {
    internal::v1::Region* region = topology.add_regions();
    region->set_name(name);
    region->set_country(country);
    region->set_latitude(latitude);
    region->set_longitude(longitude);
    if (*gateway != 0) region->add_gateways(gateway);
    region->add_replicas()->set_name("a");
    region->mutable_replicas(0)->set_address("127.0.0.1:" +
                                             std::to_string(7000 + topology.regions_size()));
  };
  region("us-east-1", "US", 39.0, -77.5, "us.example:8080");
  region("eu-central-1", "DE", 50.1, 8.7, "eu.example:8080");
  region("ap-southeast-2", "AU", -33.9, 151.2, "");
  topology.add_namespaces()->set_name("orders");
  internal::v1::Namespace* cache = topology.add_namespaces();
  cache->set_name("cache");
  cache->set_default_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
  internal::v1::Namespace* german = topology.add_namespaces();
  german->set_name("german");
  german->add_regions("eu-central-1");
  const auto place = [&topology](const char* range, const char* country) {
    internal::v1::CidrRule* rule = topology.mutable_geo()->add_cidr_rules();
    rule->set_range(range);
    rule->set_country(country);
  };
  place("198.51.100.0/24", "DE");
  place("203.0.113.0/24", "AU");
  place("192.0.2.0/24", "US");
  topology.mutable_geo()->add_trusted_proxies("10.0.0.0/8");
  return topology;
}

// The world as a gateway in us-east-1 with a replica in its process sees it.
class TestWorld {
 public:
  explicit TestWorld(GatewayFacts facts = {.self_region = kUs, .local_replica = 0},
                     const Clock* clock = nullptr)
      : facts_(facts), clock_in_use_(clock != nullptr ? clock : &clock_) {
    for (const char* region : {"us-east-1", "eu-central-1", "ap-southeast-2"}) {
      stores_.push_back(std::make_shared<ScriptedStore>(region));
    }
    gateway_ = std::make_unique<Gateway>(clock_in_use_, MakeState(WorldTopology()));
  }

  std::shared_ptr<const GatewayState> MakeState(internal::v1::Topology proto,
                                                const std::string& proxies = "10.0.0.0/8") {
    auto topology = Topology::Create(std::move(proto));
    HP_CHECK(topology.ok());
    auto state = std::make_shared<GatewayState>();
    state->router = std::make_shared<Router>(*topology, facts_);
    state->locator = std::make_shared<GeoLocator>(
        *topology, facts_.self_region, std::vector<std::shared_ptr<const GeoDatabase>>{});
    state->addresses = std::make_shared<ClientAddressResolver>(
        std::vector<IpRange>{IpRange::Parse(proxies).value()}, "");
    state->health = std::make_shared<HealthTracker>(*topology, facts_, HealthOptions{});
    state->dispatcher = std::make_shared<Dispatcher>(
        clock_in_use_,
        [stores = stores_](Target target) -> std::shared_ptr<RecordStore> {
          return stores[target.region];
        },
        state->health.get(), DispatchOptions{});
    return state;
  }

  SimulatedClock& clock() { return clock_; }
  Gateway& gateway() { return *gateway_; }
  ScriptedStore& store(int region) { return *stores_[region]; }
  HealthTracker& health() { return *gateway_->state()->health; }

 private:
  const GatewayFacts facts_;
  SimulatedClock clock_;
  const Clock* const clock_in_use_;
  std::vector<std::shared_ptr<ScriptedStore>> stores_;
  std::unique_ptr<Gateway> gateway_;
};

}  // namespace homeport
