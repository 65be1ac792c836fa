#include "client/latency/core/simpler_setups.h"

#include <random>
#include <utility>

#include "client/latency/core/physics.h"
#include "common/base/check.h"

namespace homeport {

SimplerSetups::SimplerSetups(SetupsWorld world) : world_(std::move(world)) {
  const size_t regions = world_.region_round_trips.size();
  HP_CHECK(world_.main_region < regions && world_.dns_cached_for > absl::ZeroDuration());
  for (const auto& row : world_.region_round_trips) HP_CHECK(row.size() == regions);
  for (const auto& row : world_.client_round_trips) HP_CHECK(row.size() == regions);
  for (const RegionOutage& outage : world_.outages) HP_CHECK(outage.region < regions);
  std::mt19937_64 generator(world_.seed);
  for (size_t i = 0; i < world_.client_round_trips.size(); ++i) {
    const double share = static_cast<double>(generator() >> 11) * 0x1p-53;
    first_asks_.push_back(share * world_.dns_cached_for);
  }
}

bool SimplerSetups::IsUp(size_t region, absl::Duration at) const {
  for (const RegionOutage& outage : world_.outages) {
    if (outage.region == region && at >= outage.begin && at < outage.end) return false;
  }
  return true;
}

std::optional<size_t> SimplerSetups::NearestUp(size_t client, absl::Duration at) const {
  const std::vector<absl::Duration>& round_trips = world_.client_round_trips[client];
  std::vector<bool> up;
  up.reserve(round_trips.size());
  for (size_t region = 0; region < round_trips.size(); ++region) up.push_back(IsUp(region, at));
  return NearestAllowed(round_trips, up);
}

std::optional<absl::Duration> SimplerSetups::OneRegion(size_t client, absl::Duration at) const {
  HP_CHECK(client < first_asks_.size());
  if (!IsUp(world_.main_region, at)) return std::nullopt;
  return world_.client_round_trips[client][world_.main_region];
}

std::optional<absl::Duration> SimplerSetups::NearestByDns(size_t client, absl::Duration at) const {
  HP_CHECK(client < first_asks_.size());
  absl::Duration asked = first_asks_[client] - world_.dns_cached_for;
  if (at >= first_asks_[client]) {
    asked = at - (at - first_asks_[client]) % world_.dns_cached_for;
  }
  const std::optional<size_t> region = NearestUp(client, asked);
  if (!region.has_value() || !IsUp(*region, at)) return std::nullopt;
  return world_.client_round_trips[client][*region];
}

std::optional<absl::Duration> SimplerSetups::GeoProxy(size_t client, absl::Duration at) const {
  HP_CHECK(client < first_asks_.size());
  const std::optional<size_t> proxy = NearestUp(client, at);
  if (!proxy.has_value() || !IsUp(world_.main_region, at)) return std::nullopt;
  return world_.client_round_trips[client][*proxy] +
         (*proxy == world_.main_region ? absl::ZeroDuration()
                                       : world_.region_round_trips[*proxy][world_.main_region]);
}

}  // namespace homeport
