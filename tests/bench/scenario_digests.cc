#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "homeport/v1/key_value.pb.h"
#include "tests/bench/engine_parts.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenario_parts.h"
#include "tests/bench/servers.h"

namespace homeport::bench {
namespace {

constexpr int kServedRecords = 20'000;

// What a synced Put takes a server, CPU time, with 256 calls under way.
absl::StatusOr<absl::Duration> ServedWriteCost(const BenchOptions& options) {
  RegionsOptions world;
  world.program = options.program;
  world.database = options.database;
  world.folder = options.folder + "/digest-puts";
  world.regions = {"eu-central-1"};
  world.more_flags = {"--threads", absl::StrCat(options.server_threads)};
  std::optional<OnCores> on(std::in_place, options.server_cores, options.client_cores);
  auto regions = StartRegions(world);
  on.reset();
  if (!regions.ok()) return regions.status();
  LoadOptions load;
  load.address = (*regions)[0].address;
  load.method = kPutMethod;
  for (int i = 0; i < kServedRecords; ++i) {
    v1::PutRequest put;
    put.set_namespace_(kNamespace);
    put.set_id(absl::StrFormat("put%08d", i));
    put.set_value(std::string(kValueBytes, 'v'));
    load.requests.push_back(put.SerializeAsString());
  }
  load.outstanding = 256;
  PathSamples samples;
  for (int round = 0; round < options.rounds; ++round) {
    auto status = MeasureOnce(options, load, (*regions)[0].pids, samples);
    if (!status.ok()) return status;
  }
  return absl::Milliseconds(SpreadOf(samples.cpu_per_thousand).median);
}

}  // namespace

absl::Status MeasureDigests(const BenchOptions& options, Report& report) {
  auto serving = ServedWriteCost(options);
  if (!serving.ok()) return serving.status();
  OnCores on(options.server_cores, options.client_cores);
  CoreLoad load;
  load.folder = options.folder + "/digests";
  load.value_bytes = kValueBytes;
  load.entries = 102'400;
  for (const int group : {16, 256}) {
    std::vector<double> of_core, of_serving, writes, digests;
    for (int round = 0; round < options.rounds; ++round) {
      auto cost = RunDigestCost(load, group);
      if (!cost.ok()) return cost.status();
      of_core.push_back(absl::FDivDuration(cost->digests, cost->write));
      of_serving.push_back(absl::FDivDuration(cost->digests, *serving));
      writes.push_back(absl::ToDoubleMicroseconds(cost->write));
      digests.push_back(absl::ToDoubleMicroseconds(cost->digests));
    }
    const std::string name = absl::StrCat("commits of ", group, " writes");
    report.AddRatio("digests: share of a write's CPU time in the core, " + name, of_core,
                    Mark{Mark::Kind::kAtMost, 0.05}, 3);
    report.AddRatio("digests: share of a served Put's CPU time, " + name, of_serving,
                    Mark{Mark::Kind::kAtMost, 0.05}, 3);
    report.AddFigure("core: CPU of a write, " + name, writes, "us", 2);
    report.AddFigure("digests: CPU of a write, " + name, digests, "us", 2);
  }
  report.AddFigure("served Put of 256 clients: CPU of the server",
                   {absl::ToDoubleMicroseconds(*serving)}, "us", 1);
  std::filesystem::remove_all(load.folder);
  return absl::OkStatus();
}

}  // namespace homeport::bench
