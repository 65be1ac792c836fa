#include "tests/sim/shrink.h"

#include <algorithm>

#include "tests/sim/run.h"

namespace homeport::sim {

std::vector<bool> Shrink(uint64_t seed) {
  const size_t count = FaultsOf(seed, ShapeOf(seed)).size();
  std::vector<bool> masked(count, false);
  const auto fails = [seed](const std::vector<bool>& mask) {
    RunOptions options;
    options.seed = seed;
    options.masked = mask;
    return !RunSeed(options).failure.empty();
  };
  // Halves first, then quarters, down to single faults, until none can go.
  for (size_t size = std::max<size_t>(1, count / 2); size > 0;) {
    bool less = false;
    for (size_t begin = 0; begin < count; begin += size) {
      std::vector<bool> tried = masked;
      for (size_t i = begin; i < std::min(count, begin + size); ++i) tried[i] = true;
      if (tried == masked || !fails(tried)) continue;
      masked = tried;
      less = true;
    }
    if (!less) size /= 2;
  }
  return masked;
}

}  // namespace homeport::sim
