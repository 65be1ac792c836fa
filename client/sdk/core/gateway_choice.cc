#include "client/sdk/core/gateway_choice.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace homeport::sdk {

GatewayChoice::GatewayChoice(std::vector<std::string> gateways, GatewayChoiceOptions options)
    : options_(options) {
  HP_CHECK(!gateways.empty() && gateways.size() <= kGatewaysMax);
  absl::MutexLock lock(&mutex_);
  for (std::string& address : gateways) {
    if (Find(address) == nullptr) gateways_.push_back({.address = std::move(address)});
  }
}

GatewayChoice::Gateway* GatewayChoice::Find(absl::string_view address) {
  auto it = std::find_if(gateways_.begin(), gateways_.end(),
                         [&](const Gateway& gateway) { return gateway.address == address; });
  return it == gateways_.end() ? nullptr : &*it;
}

bool GatewayChoice::Fit(const Gateway& gateway, SteadyTime now) const {
  return gateway.ejections == 0 || (now >= gateway.out_until && now >= gateway.probe_until);
}

std::string GatewayChoice::Pick(SteadyTime now, absl::string_view not_this) {
  absl::MutexLock lock(&mutex_);
  Gateway* picked = nullptr;
  for (Gateway& gateway : gateways_) {
    if (gateway.address == not_this || !Fit(gateway, now)) continue;
    picked = &gateway;
    break;
  }
  if (picked == nullptr) {
    if (Gateway* same = Find(not_this); same != nullptr && Fit(*same, now)) picked = same;
  }
  if (picked == nullptr) {
    picked = &*std::min_element(
        gateways_.begin(), gateways_.end(),
        [](const Gateway& a, const Gateway& b) { return a.out_until < b.out_until; });
  }
  if (picked->ejections > 0) picked->probe_until = now + options_.probe_turn;
  return picked->address;
}

void GatewayChoice::Ended(absl::string_view gateway, GatewayVerdict verdict, SteadyTime now,
                          Chance chance) {
  absl::MutexLock lock(&mutex_);
  Gateway* of = Find(gateway);
  if (of == nullptr) return;
  switch (verdict) {
    case GatewayVerdict::kNoVerdict:
      of->probe_until = now;
      return;
    case GatewayVerdict::kAnswers:
      of->timeouts = 0;
      of->ejections = 0;
      return;
    case GatewayVerdict::kTimedOut:
      if (++of->timeouts < options_.timeouts_max && of->ejections == 0) return;
      break;
    case GatewayVerdict::kFailed:
      break;
  }
  // Requests that were under way together fail together: that is one failure.
  if (of->ejections > 0 && now < of->out_until) return;
  const absl::Duration out =
      Backoff(1, {.backoff_base = options_.ejection_base}, chance) / 2 +
      std::min(options_.ejection_max, options_.ejection_base * (1 << std::min(of->ejections, 10)));
  ++of->ejections;
  of->timeouts = 0;
  of->out_until = now + out;
  of->probe_until = now;
}

void GatewayChoice::ToldOf(absl::string_view gateway, absl::string_view nearest, SteadyTime now) {
  if (!options_.follow_nearest || nearest.empty() || nearest == gateway) return;
  absl::MutexLock lock(&mutex_);
  // What one says that is only asked in place of another is nothing new: that other is away.
  if (gateways_.front().address != gateway || now < moved_ + options_.move_interval) return;
  moved_ = now;
  auto there = std::find_if(gateways_.begin(), gateways_.end(),
                            [&](const Gateway& g) { return g.address == nearest; });
  Gateway preferred{.address = std::string(nearest), .told = true};
  if (there != gateways_.end()) {
    preferred = std::move(*there);
    gateways_.erase(there);
  } else if (gateways_.size() == kGatewaysMax) {
    auto oldest =
        std::find_if(gateways_.rbegin(), gateways_.rend(), [](const Gateway& g) { return g.told; });
    if (oldest == gateways_.rend()) oldest = gateways_.rbegin();
    gateways_.erase(std::next(oldest).base());
  }
  gateways_.insert(gateways_.begin(), std::move(preferred));
}

std::string GatewayChoice::preferred() const {
  absl::MutexLock lock(&mutex_);
  return gateways_.front().address;
}

bool GatewayChoice::HasOther(absl::string_view gateway, SteadyTime now) const {
  absl::MutexLock lock(&mutex_);
  return std::any_of(gateways_.begin(), gateways_.end(), [&](const Gateway& other) {
    return other.address != gateway && Fit(other, now);
  });
}

}  // namespace homeport::sdk
