// What distance alone costs a client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace homeport {

// How a client is connected. Round trips of this last mile alone: fibre 2 to 10 ms, 5G 15 to 30 ms,
// LTE 30 to 60 ms.
enum class Access { kFibre, k5g, kLte };

// "fibre", "5g", "lte"; nullopt for anything else.
std::optional<Access> ParseAccess(absl::string_view name);
absl::string_view AccessName(Access access);

// A client's last mile, there and back: evenly drawn from its access' range, the same for the same
// seed and client.
absl::Duration LastMile(Access access, uint64_t seed, uint64_t client);

// Round trip from a client to a region `kilometres` of great circle away: the last mile, 3.5 ms,
// and 1.7 ms per 100 km (measurements of cloud regions show 1.3 to 2.2). `kilometres` not below 0.
absl::Duration ClientRoundTrip(absl::Duration last_mile, double kilometres);

// The index of the shortest round trip among those regions that are allowed, the first one of
// equals: no answer that keeps to the policy can be quicker. nullopt if none is allowed. Both
// lists are by region, of equal length.
std::optional<size_t> NearestAllowed(const std::vector<absl::Duration>& round_trips,
                                     const std::vector<bool>& allowed);

}  // namespace homeport
