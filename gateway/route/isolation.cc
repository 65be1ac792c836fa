#include "gateway/route/isolation.h"

namespace homeport {

bool IsIsolated(const NamespaceInfo& name_space, int self_region, const HealthSnapshot& health) {
  if (name_space.regions.size() < 2 || !name_space.HeldBy(self_region)) return false;
  for (const int region : name_space.regions) {
    if (region == self_region) continue;
    if (static_cast<size_t>(region) >= health.targets.size()) return false;
    for (const TargetHealth& target : health.targets[region]) {
      if (!target.unreachable) return false;
    }
  }
  return true;
}

Plan IsolatedPart(const Plan& plan, int self_region) {
  Plan part;
  part.preferred_region = plan.preferred_region;
  part.reason = v1::ROUTE_REASON_ISOLATED;
  for (const Attempt& attempt : plan.attempts) {
    if (attempt.target.region != self_region) continue;
    part.attempts.push_back(attempt);
    part.attempts.back().reason = v1::ROUTE_REASON_ISOLATED;
  }
  return part;
}

}  // namespace homeport
