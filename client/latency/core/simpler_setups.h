// What three simpler set-ups would have given the same requests in the same world.
//
// All three are given distance alone, without any time for their work, and learn of a lost region
// as soon as they look: what they are said to take is the least that they could.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace homeport {

// A time during which a region answers nobody, since the start of the run; `end` not included.
struct RegionOutage {
  size_t region = 0;
  absl::Duration begin;
  absl::Duration end;
};

struct SetupsWorld {
  // By client, then region. Each client has as many as there are regions.
  std::vector<std::vector<absl::Duration>> client_round_trips;
  // By region, then region.
  std::vector<std::vector<absl::Duration>> region_round_trips;
  std::vector<RegionOutage> outages;
  // The region that is the only one, or has the only store.
  size_t main_region = 0;
  // How long a client keeps what DNS said. Above 0.
  absl::Duration dns_cached_for = absl::Seconds(60);
  // Of the times at which clients ask DNS anew.
  uint64_t seed = 1;
};

// Pure: the answers for a request depend on its client and time alone, whatever the order of
// calls. Immutable, so thread-safe. nullopt: the request is not answered.
class SimplerSetups {
 public:
  // Indexes and sizes must fit each other; there is at least one region.
  explicit SimplerSetups(SetupsWorld world);

  // One region for all.
  std::optional<absl::Duration> OneRegion(size_t client, absl::Duration at) const;
  // A copy in each region; DNS names the nearest one that is up, and clients keep its answer. A
  // client whose region is lost gets no answer until it asks again. Each has asked before the run.
  std::optional<absl::Duration> NearestByDns(size_t client, absl::Duration at) const;
  // A proxy in each region, the nearest one that is up always found at once, before one store.
  std::optional<absl::Duration> GeoProxy(size_t client, absl::Duration at) const;

 private:
  bool IsUp(size_t region, absl::Duration at) const;
  std::optional<size_t> NearestUp(size_t client, absl::Duration at) const;

  const SetupsWorld world_;
  // When each client asks DNS for the first time within the run; from then on periodically.
  std::vector<absl::Duration> first_asks_;
};

}  // namespace homeport
