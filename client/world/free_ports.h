// Ports of 127.0.0.1 for servers that are started later, and started again.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

namespace homeport {

// `count` different ports that nobody listens on now. They lie below the range from which the
// kernel takes ports of outgoing connections: in that range a client could be given the port of a
// server that is down. Another process may still take one before it is used. RESOURCE_EXHAUSTED if
// there are too few.
absl::StatusOr<std::vector<int>> FreePorts(int count);

}  // namespace homeport
