// The demo: five regions on one machine, real addresses, real distances, cuts and a kill.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/world/round_trips.h"

namespace homeport {

struct DemoOptions {
  // The `homeport` program that serves a region.
  std::string program;
  // The GeoIP country database.
  std::string database;
  RoundTrips round_trips = RoundTrips::Default();
  // Leaves the world running at the end, until Ctrl-C.
  bool keep = false;
  bool colours = false;
};

// Runs it, printing to stdout. Returns whether every claim held. Errors: CANCELLED after SIGINT or
// SIGTERM; otherwise what kept the demo from going on. Takes SIGINT and SIGTERM over while it runs.
// Call it from the main thread (see ChildProcess).
absl::StatusOr<bool> RunDemo(const DemoOptions& options);

}  // namespace homeport
