// One run of a seed, from its shape to the last check.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/coverage.h"
#include "tests/sim/faults.h"
#include "tests/sim/shape.h"

namespace homeport::sim {

struct RunResult {
  std::string failure;  // empty: nothing was wrong
  uint64_t hash = 0;
  uint64_t events = 0;
  int acknowledged = 0;
  int reads = 0;
  int writes_lost = 0;
  int regions = 0;
  int fault_kinds = 0;
  Micros converged_after = 0;
  Coverage coverage;
};

struct RunOptions {
  uint64_t seed = 1;
  // Faults to leave out, by their place in the seed's list.
  std::vector<bool> masked;
  // Gets the story; null: nobody does.
  std::function<void(const std::string&)> tell;
};

Shape ShapeOf(uint64_t seed);
std::vector<Fault> FaultsOf(uint64_t seed, const Shape& shape);
RunResult RunSeed(const RunOptions& options);

}  // namespace homeport::sim
