// Seeds run by several processes, so that one that dies takes no other with it.
#pragma once

#include <cstdint>
#include <functional>

#include "tests/sim/run.h"

namespace homeport::sim {

// What a process tells of a seed.
struct SeedReport {
  uint64_t seed = 0;
  bool failed = false;
  bool died = false;  // the process did, or it took too long
  char failure[480] = {};
  uint64_t events = 0;
  int acknowledged = 0;
  int writes_lost = 0;
  int regions = 0;
  int fault_kinds = 0;
  Micros converged_after = 0;
  Coverage coverage;
};

// Runs [first, first + seeds) in `jobs` processes; one of twenty seeds twice, and compared.
// `prepare` is called in each. `report` returns false to end it all. A seed that takes longer than
// `seconds_max` of real time has died; the seeds that its process had left are run by another.
void RunSeeds(uint64_t first, uint64_t seeds, int jobs, unsigned seconds_max,
              const std::function<void()>& prepare,
              const std::function<bool(const SeedReport&)>& report);

}  // namespace homeport::sim
