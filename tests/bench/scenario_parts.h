// What several scenarios do: one closed-loop measurement, with the servers' CPU time.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/load.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenarios.h"

namespace homeport::bench {

inline constexpr char kNamespace[] = "bench";
inline constexpr size_t kValueBytes = 100;

// The measurements of one path, one a round.
struct PathSamples {
  std::vector<double> per_second;
  std::vector<double> p50_ms;
  std::vector<double> p99_ms;
  // Of all servers on the path together, CPU seconds for 1,000 requests.
  std::vector<double> cpu_per_thousand;
};

// Runs the load once and adds what it shows. `servers` are the processes on the path.
inline absl::Status MeasureOnce(const BenchOptions& options, LoadOptions load,
                                const std::vector<pid_t>& servers, PathSamples& samples) {
  absl::Duration before, after;
  load.warm_up = options.warm_up;
  load.duration = options.duration;
  load.on_begin = [&] { before = CpuTime(servers); };
  load.on_end = [&] { after = CpuTime(servers); };
  const auto result = RunLoad(load);
  if (!result.ok()) return result.status();
  samples.per_second.push_back(result->per_second);
  samples.p50_ms.push_back(absl::ToDoubleMilliseconds(result->p50));
  samples.p99_ms.push_back(absl::ToDoubleMilliseconds(result->p99));
  samples.cpu_per_thousand.push_back(absl::ToDoubleSeconds(after - before) * 1000 /
                                     static_cast<double>(result->answered));
  return absl::OkStatus();
}

inline void AddPath(const std::string& name, const PathSamples& samples, Report& report) {
  report.AddFigure(name, samples.per_second, "req/s");
  report.AddFigure(name + ", p50", samples.p50_ms, "ms", 2);
  report.AddFigure(name + ", p99", samples.p99_ms, "ms", 2);
  report.AddFigure(name + ", servers", samples.cpu_per_thousand, "CPU-s per 1k", 4);
}

}  // namespace homeport::bench
