// Seeds that are known to fail, and why that is not settled: docs/proof.md has the same list.
//
// A campaign runs and names them, and does not fail by them; while one fails nothing is claimed.
// One that passes again is to be taken from here. Anything that changes what is drawn changes what
// they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace homeport::sim {

inline constexpr uint64_t kOpenSeeds[] = {
    // a tombstone stays for more than a minute
    6262,
};

inline bool IsOpen(uint64_t seed) {
  return std::find(std::begin(kOpenSeeds), std::end(kOpenSeeds), seed) != std::end(kOpenSeeds);
}

}  // namespace homeport::sim
