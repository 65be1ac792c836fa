// Many seeds, by several processes, and whether they are worth anything.
#pragma once

#include <cstdint>
#include <string>

namespace homeport::sim {

struct CampaignOptions {
  uint64_t first = 1;
  // 0: HOMEPORT_SEEDS of the environment, or a number that fits a test.
  uint64_t seeds = 0;
  int jobs = 1;
  // Where the campaign has come to; it goes on from there, and `seeds` are done besides.
  std::string state_file;
};

// Prints how it goes. The exit code: 0 if every seed passed and the coverage is honest.
int RunCampaign(const CampaignOptions& options);

// Prints the seed, its shape, what was wrong and the faults that it takes.
void ReportFailure(uint64_t seed, const std::string& failure);

}  // namespace homeport::sim
