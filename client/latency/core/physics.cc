#include "client/latency/core/physics.h"

#include <random>

#include "common/base/check.h"

namespace homeport {
namespace {

struct AccessRange {
  Access access;
  absl::string_view name;
  double shortest_ms;
  double longest_ms;
};

constexpr AccessRange kRanges[] = {
    {Access::kFibre, "fibre", 2, 10},
    {Access::k5g, "5g", 15, 30},
    {Access::kLte, "lte", 30, 60},
};

constexpr double kFixedMs = 3.5;
constexpr double kMsPerKilometre = 1.7 / 100;
// 2^64 over the golden ratio: neighbouring clients get seeds far apart.
constexpr uint64_t kSpread = 0x9E3779B97F4A7C15;

const AccessRange& RangeOf(Access access) {
  for (const AccessRange& range : kRanges) {
    if (range.access == access) return range;
  }
  HP_CHECK(false);
  return kRanges[0];
}

}  // namespace

std::optional<Access> ParseAccess(absl::string_view name) {
  for (const AccessRange& range : kRanges) {
    if (range.name == name) return range.access;
  }
  return std::nullopt;
}

absl::string_view AccessName(Access access) { return RangeOf(access).name; }

absl::Duration LastMile(Access access, uint64_t seed, uint64_t client) {
  const AccessRange& range = RangeOf(access);
  std::mt19937_64 generator(seed ^ ((client + 1) * kSpread));
  const double share = static_cast<double>(generator() >> 11) * 0x1p-53;
  return absl::Milliseconds(range.shortest_ms + share * (range.longest_ms - range.shortest_ms));
}

absl::Duration ClientRoundTrip(absl::Duration last_mile, double kilometres) {
  HP_CHECK(kilometres >= 0);
  return last_mile + absl::Milliseconds(kFixedMs + kMsPerKilometre * kilometres);
}

std::optional<size_t> NearestAllowed(const std::vector<absl::Duration>& round_trips,
                                     const std::vector<bool>& allowed) {
  HP_CHECK(round_trips.size() == allowed.size());
  std::optional<size_t> nearest;
  for (size_t i = 0; i < round_trips.size(); ++i) {
    if (!allowed[i]) continue;
    if (!nearest.has_value() || round_trips[i] < round_trips[*nearest]) nearest = i;
  }
  return nearest;
}

}  // namespace homeport
