#include "gateway/server/serving_state.h"

#include <optional>

#include "absl/strings/strip.h"
#include "gateway/server/target_health.h"

namespace homeport {

ServingState::Answer ServingState::Of(absl::string_view name) const {
  Answer answer = Answer::kNoService;
  if (name.empty() || name == "homeport.v1.KeyValue" || name == "homeport.v1.Locator" ||
      name == "homeport.v1.Admin") {
    answer = Answer::kServing;
  } else if (absl::ConsumePrefix(&name, "region/")) {
    answer = OfRegion(name);
  }
  if (answer != Answer::kNoService && draining()) return Answer::kNotServing;
  return answer;
}

ServingState::Answer ServingState::OfRegion(absl::string_view region) const {
  const std::shared_ptr<const GatewayState> state = gateway_->state();
  const Topology& topology = state->router->topology();
  const std::optional<int> index = topology.FindRegion(region);
  if (!index || topology.regions()[*index].replicas.empty()) return Answer::kNoService;

  const GatewayFacts& facts = state->router->gateway();
  const std::shared_ptr<const HealthSnapshot> health =
      state->health->Snapshot(gateway_->clock().SteadyNow());
  bool unknown = false;
  for (int i = 0; i < static_cast<int>(topology.regions()[*index].replicas.size()); ++i) {
    const bool local = *index == facts.self_region && facts.local_replica == i;
    switch (HealthOf(topology, facts.self_region, *health, Target{*index, i}).state) {
      case HealthState::kHealthy:
        return Answer::kServing;
      case HealthState::kUnknown:
        if (local) return Answer::kServing;
        unknown = true;
        break;
      case HealthState::kProbing:
      case HealthState::kEjected:
        break;
    }
  }
  return unknown ? Answer::kUnknown : Answer::kNotServing;
}

}  // namespace homeport
