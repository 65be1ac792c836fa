// Routes in words, for provenance and explanations.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "gateway/dispatch/dispatcher.h"
#include "gateway/geo/place.h"
#include "gateway/route/plan.h"

namespace homeport {

// Why the region that answered was chosen; for people, not stable. `preferred_region` is the one
// that would have been first if all were healthy. Pure.
std::string RouteInWords(const Topology& topology, const Place& place, int preferred_region,
                         const DispatchResult& result);

// "healthy", "ejected", "probing" or "unknown".
absl::string_view HealthWord(HealthState state);

}  // namespace homeport
