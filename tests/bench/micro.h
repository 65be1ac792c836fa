// What the gateway decides in nanoseconds: where a client is, and where its request goes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport::bench {

struct MicroResult {
  double locate_ns = 0;            // address to place
  double locate_to_region_ns = 0;  // address to the nearest region's index
  double plan_ns = 0;              // the whole plan of a request, the place being known
};

// One thread, for about `duration` each. Addresses are drawn at random from all public IPv4 space,
// regions are the demo's five. Errors: of the database.
absl::StatusOr<MicroResult> RunMicro(const std::string& database, absl::Duration duration);

}  // namespace homeport::bench
