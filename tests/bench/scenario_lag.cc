#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/world/world.h"
#include "tests/bench/scenario_parts.h"

namespace homeport::bench {
namespace {

constexpr double kOneWayMs = 40;
constexpr double kWritesPerSecond = 5000;

double Quantile(std::vector<double> samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto index = static_cast<size_t>(share * static_cast<double>(samples.size()));
  return samples[std::min(index, samples.size() - 1)];
}

}  // namespace

absl::Status MeasureLag(const BenchOptions& options, Report& report) {
  // Two regions, the relay between them and the client share the whole machine: what is measured
  // is a delay, and nothing may be late for want of a core.
  std::vector<int> all = options.client_cores;
  all.insert(all.end(), options.server_cores.begin(), options.server_cores.end());
  OnCores on(all, options.client_cores);

  WorldOptions world_options;
  world_options.program = options.program;
  world_options.regions.clear();
  for (const WorldRegion& region : FiveRegions()) {
    if (region.name == "us-east-1" || region.name == "eu-central-1") {
      world_options.regions.push_back(region);
    }
  }
  auto round_trips = RoundTrips::Parse("from,to,round_trip_ms\nus-east-1,eu-central-1,80\n");
  if (!round_trips.ok()) return round_trips.status();
  world_options.round_trips = *round_trips;
  world_options.jitter = absl::ZeroDuration();
  world_options.namespaces = {kNamespace};
  world_options.folder = options.folder + "/lag";
  std::filesystem::create_directories(world_options.folder);
  auto world = World::Start(std::move(world_options));
  if (!world.ok()) return world.status();

  LagOptions lag;
  lag.write_address = (*world)->gateway(0);
  lag.read_address = (*world)->gateway(1);
  lag.name_space = kNamespace;
  lag.value_bytes = kValueBytes;
  lag.writes_per_second = kWritesPerSecond;
  lag.duration = options.lag_duration;
  auto result = RunLag(lag);
  if (!result.ok()) return result.status();
  if (result->failed_writes > 0) {
    return absl::InternalError(absl::StrCat(result->failed_writes, " writes failed"));
  }

  const auto ratio = [](const std::vector<double>& samples, double share) {
    return std::vector<double>{Quantile(samples, share) / kOneWayMs};
  };
  const bool p50 = report.AddRatio("lag over 40 ms at 5,000 writes/s, p50 / 40 ms",
                                   ratio(result->from_acknowledgement_ms, 0.50),
                                   Mark{Mark::Kind::kAtMost, 1.10}, 3);
  const bool p99 = report.AddRatio("lag over 40 ms at 5,000 writes/s, p99 / 40 ms",
                                   ratio(result->from_acknowledgement_ms, 0.99),
                                   Mark{Mark::Kind::kAtMost, 1.5}, 3);
  report.AddRatio("the same from the write's start, p50", ratio(result->from_start_ms, 0.50),
                  std::nullopt, 3);
  report.AddRatio("the same from the write's start, p99", ratio(result->from_start_ms, 0.99),
                  std::nullopt, 3);
  report.AddFigure("lag: writes acknowledged", {result->writes_per_second}, "writes/s");
  report.AddFigure("lag: writes followed to the other region",
                   {static_cast<double>(result->from_acknowledgement_ms.size())}, "writes");
  report.AddFigure("lag: synced write, p50", {Quantile(result->write_ms, 0.50)}, "ms", 2);
  report.AddFigure("lag: synced write, p99", {Quantile(result->write_ms, 0.99)}, "ms", 2);
  if (!p50 || !p99 || options.profile_all) {
    std::string text;
    LagOptions again = lag;
    again.duration = absl::Seconds(3);
    std::vector<pid_t> pids = {(*world)->process(0).pid(), (*world)->process(1).pid()};
    std::thread sampler([&] { text = ProfileOf(pids, absl::Seconds(2), options.folder); });
    (void)RunLag(again);
    sampler.join();
    report.AddProfile("lag, both regions' processes: where their time goes", text);
  }
  return absl::OkStatus();
}

}  // namespace homeport::bench
