// The scenes of the demo, in their order. Each prints what it sees and adds its claims; an error is
// what kept it from going on (CANCELLED when interrupted).
#pragma once

#include "absl/status/status.h"
#include "client/demo/stage.h"

namespace homeport {

// Clients at real addresses write and read, near and far.
absl::Status TravellersScene(Stage& stage);
// One region is cut off, both sides go on, and are equal after healing.
absl::Status IsolationScene(Stage& stage);
// One region is killed under load and started again; what was acknowledged is everywhere.
absl::Status KillScene(Stage& stage);
// A new region is added under load; it catches up, is compared, and serves.
absl::Status JoinScene(Stage& stage);
// All links are cut, and every region is read by itself and compared with the others.
absl::Status ComparisonScene(Stage& stage);

}  // namespace homeport
