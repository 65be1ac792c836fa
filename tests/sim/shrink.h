// Which of a failing seed's faults it takes to fail.
#pragma once

#include <cstdint>
#include <vector>

namespace homeport::sim {

// A mask of faults that can be left out so that the seed still fails; no further single fault can
// be (after Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
std::vector<bool> Shrink(uint64_t seed);

}  // namespace homeport::sim
