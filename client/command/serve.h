// `homeport serve`: one region's gateway and replica.
#pragma once

#include <string>
#include <vector>

namespace homeport {

// Serves until SIGTERM, which drains. Returns the exit code.
int RunServe(const std::vector<std::string>& arguments);

}  // namespace homeport
