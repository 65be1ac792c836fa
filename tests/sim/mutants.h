// Planted bugs, and the seeds that are known to find them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace homeport::sim {

// False if there is no such mutant.
bool ChooseMutant(absl::string_view name);

// Runs every mutant that is planted against its kept seeds, and prints which are killed. The exit
// code: 0 if all are.
int RunMutants(int jobs);

// Prints for each mutant the first seeds up to `seeds` that kill it, as lines of the table.
int FindKillers(uint64_t seeds, int jobs);

}  // namespace homeport::sim
