#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/bench/engine_parts.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenario_parts.h"

namespace homeport::bench {

absl::Status MeasureDigests(const BenchOptions& options, Report& report) {
  OnCores on(options.server_cores, options.client_cores);
  CoreLoad load;
  load.folder = options.folder + "/digests";
  load.value_bytes = kValueBytes;
  load.entries = 100'000;
  for (const int group : {16, 256}) {
    std::vector<double> shares, writes, digests;
    for (int round = 0; round < options.rounds; ++round) {
      auto cost = RunDigestCost(load, group);
      if (!cost.ok()) return cost.status();
      const absl::Duration extra = cost->with - cost->without;
      shares.push_back(absl::FDivDuration(extra, cost->write));
      writes.push_back(absl::ToDoubleMicroseconds(cost->write));
      digests.push_back(absl::ToDoubleMicroseconds(extra));
    }
    const std::string name = absl::StrCat("commits of ", group, " writes");
    report.AddRatio("digests: share of a write's CPU time in the core, " + name, shares,
                    Mark{Mark::Kind::kAtMost, 0.05}, 3);
    report.AddFigure("core: CPU of a write, " + name, writes, "us", 2);
    report.AddFigure("digests: CPU of a write, " + name, digests, "us", 2);
  }
  std::filesystem::remove_all(load.folder);
  return absl::OkStatus();
}

}  // namespace homeport::bench
