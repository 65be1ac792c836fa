// For each planted bug the seeds that are kept because they find it.
#pragma once

#include <cstdint>

namespace homeport::sim {

struct Killer {
  const char* mutant;
  uint64_t seed;
};

inline constexpr Killer kKillers[] = {
    {"kDependenciesIgnored", 1},
};

}  // namespace homeport::sim
