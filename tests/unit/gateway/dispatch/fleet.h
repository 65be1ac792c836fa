// Three regions for tests of dispatch, "eu" (replicas a and b), "us" and "ap", and stores that
// answer as they are told and remember what they saw.
#pragma once

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "common/store/record_store.h"
#include "common/time/simulated_clock.h"
#include "common/topology/topology.h"
#include "gateway/dispatch/health_tracker.h"
#include "gateway/route/plan.h"

namespace homeport {

inline constexpr Target kEuA{0, 0};
inline constexpr Target kEuB{0, 1};
inline constexpr Target kUs{1, 0};
inline constexpr Target kAp{2, 0};

inline std::shared_ptr<const Topology> ThreeRegions() {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  int port = 7000;
  for (const auto& [name, replicas] :
       std::vector<std::pair<std::string, std::string>>{{"eu", "ab"}, {"us", "a"}, {"ap", "a"}}) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(name);
    region->set_country("DE");
    region->set_latitude(10 * proto.regions_size());
    region->set_longitude(10);
    region->add_gateways(absl::StrCat("127.0.0.1:", port++));
    for (char replica : replicas) {
      internal::v1::Replica* added = region->add_replicas();
      added->set_name(std::string(1, replica));
      added->set_address(absl::StrCat("127.0.0.1:", port++));
    }
  }
  proto.add_namespaces()->set_name("all");
  for (const auto& [name, milliseconds] :
       std::vector<std::pair<std::string, int>>{{"us", 100}, {"ap", 200}}) {
    internal::v1::RoundTrip* trip = proto.add_round_trips();
    trip->set_from("eu");
    trip->set_to(name);
    trip->mutable_round_trip()->set_nanos(milliseconds * 1'000'000);
  }
  auto topology = Topology::Create(std::move(proto));
  if (!topology.ok()) std::fprintf(stderr, "%s\n", topology.status().ToString().c_str());
  HP_CHECK(topology.ok());
  return *topology;
}

// An error as a store gives it.
inline absl::Status Error(absl::StatusCode code, absl::string_view reason,
                          ErrorMetadata metadata = {}) {
  return MakeError(code, reason, absl::StrCat("scripted ", reason), metadata);
}
inline absl::Status Unavailable(absl::string_view reason) {
  return Error(absl::StatusCode::kUnavailable, reason);
}
inline absl::Status Unreachable() { return Unavailable(reason::kUnreachable); }
inline absl::Status OutcomeUnknown() { return Unavailable(reason::kOutcomeUnknown); }

// Answers with the next status of its script, after that with OK; or keeps the call until told.
class ScriptedStore final : public RecordStore {
 public:
  ScriptedStore(SimulatedClock* clock, std::string name) : clock_(clock), name_(std::move(name)) {}

  struct Call {
    CallContext context;
    internal::v1::StoreResponse* response;
    Done done;
  };

  void Execute(const CallContext& context, const internal::v1::StoreRequest&,
               internal::v1::StoreResponse* response, Done done) override {
    ++asked;
    deadlines.push_back(context.deadline);
    if (during) during();
    response_was_empty &= response->ByteSizeLong() == 0;
    if (hold) {
      held.push_back({context, response, std::move(done)});
      return;
    }
    Answer({context, response, std::move(done)});
  }

  // Answers the oldest call that is kept.
  void Release() {
    Call call = std::move(held.front());
    held.pop_front();
    Answer(std::move(call));
  }

  std::deque<absl::Status> script;
  absl::Duration takes;  // by the clock, before each answer
  bool hold = false;
  std::function<void()> during;

  int asked = 0;
  std::vector<SteadyTime> deadlines;
  std::deque<Call> held;
  bool response_was_empty = true;

 private:
  void Answer(Call call) {
    clock_->Advance(takes);
    absl::Status status;
    if (!script.empty()) {
      status = std::move(script.front());
      script.pop_front();
    }
    // What an error leaves in the response is not specified.
    call.response->mutable_get()->mutable_provenance()->set_replica(name_);
    call.done(std::move(status));
  }

  SimulatedClock* const clock_;
  const std::string name_;
};

}  // namespace homeport
