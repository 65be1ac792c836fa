#include <algorithm>

#include "tests/bench/micro.h"
#include "tests/bench/scenarios.h"

namespace homeport::bench {

absl::Status MeasureDecisions(const BenchOptions& options, Report& report) {
  std::vector<double> locate, region, plan;
  for (int round = 0; round < options.rounds; ++round) {
    auto result = RunMicro(options.database, std::min(options.duration, absl::Milliseconds(200)));
    if (!result.ok()) return result.status();
    locate.push_back(result->locate_ns);
    region.push_back(result->locate_to_region_ns);
    plan.push_back(result->plan_ns);
  }
  std::vector<double> micros;
  for (double ns : region) micros.push_back(ns / 1000);
  report.AddRatio("address to region, µs", micros, Mark{Mark::Kind::kAtMost, 0.5}, 3);
  report.AddFigure("address to place", locate, "ns");
  report.AddFigure("address to region", region, "ns");
  report.AddFigure("plan of a request", plan, "ns");
  return absl::OkStatus();
}

}  // namespace homeport::bench
