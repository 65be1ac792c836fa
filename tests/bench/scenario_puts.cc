#include <algorithm>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "homeport/v1/key_value.pb.h"
#include "tests/bench/engine_load.h"
#include "tests/bench/scenario_parts.h"
#include "tests/bench/servers.h"

namespace homeport::bench {
namespace {

constexpr int kRecords = 20000;
constexpr int kClients[] = {1, 16, 256};
constexpr int kThreads[] = {1, 16, 64, 256};
constexpr int kChannels = 4;

LoadOptions PutLoad(const std::string& address, int clients) {
  LoadOptions load;
  load.address = address;
  load.method = kPutMethod;
  for (int i = 0; i < kRecords; ++i) {
    v1::PutRequest put;
    put.set_namespace_(kNamespace);
    put.set_id(absl::StrFormat("put%08d", i));
    put.set_value(std::string(kValueBytes, 'v'));
    load.requests.push_back(put.SerializeAsString());
  }
  load.outstanding = clients;
  load.channels = std::min(clients, kChannels);
  return load;
}

absl::Status MeasureEngine(const BenchOptions& options, int threads, std::vector<double>& samples) {
  EngineLoadOptions engine;
  engine.folder = options.folder + "/engine";
  engine.threads = threads;
  engine.value_bytes = kValueBytes;
  engine.warm_up = options.warm_up;
  engine.duration = options.duration;
  std::filesystem::remove_all(engine.folder);
  auto rate = RunEngineLoad(engine);
  std::filesystem::remove_all(engine.folder);
  if (!rate.ok()) return rate.status();
  samples.push_back(*rate);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasurePuts(const BenchOptions& options, Report& report) {
  std::vector<Server> regions;
  {
    OnCores on(options.server_cores, options.client_cores);
    RegionsOptions world;
    world.program = options.program;
    world.database = options.database;
    world.folder = options.folder + "/puts";
    world.regions = {"eu-central-1"};
    world.more_flags = {"--threads", absl::StrCat(options.server_threads)};
    auto started = StartRegions(world);
    if (!started.ok()) return started.status();
    regions = *std::move(started);
  }
  PathSamples puts[std::size(kClients)];
  std::vector<double> engine[std::size(kThreads)];
  const int rounds = std::max(2, options.rounds * 3 / 5);
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < std::size(kThreads); ++i) {
      if (i < std::size(kClients)) {
        auto status = MeasureOnce(options, PutLoad(regions[0].address, kClients[i]),
                                  regions[0].pids, puts[i]);
        if (!status.ok()) return status;
      }
      // The engine takes the servers' place.
      OnCores on(options.server_cores, options.client_cores);
      if (auto status = MeasureEngine(options, kThreads[i], engine[i]); !status.ok()) return status;
    }
  }

  report.AddRatio("synced Put: 1 client / engine with 1 thread",
                  Ratios(puts[0].per_second, engine[0]), std::nullopt);
  report.AddRatio("synced Put: 16 clients / engine with 16 threads",
                  Ratios(puts[1].per_second, engine[1]), std::nullopt);
  const bool met =
      report.AddRatio("synced Put: 256 clients / engine with 64 threads",
                      Ratios(puts[2].per_second, engine[2]), Mark{Mark::Kind::kAtLeast, 0.5});
  report.AddRatio("synced Put: 256 clients / engine with 256 threads",
                  Ratios(puts[2].per_second, engine[3]), std::nullopt);
  for (size_t i = 0; i < std::size(kClients); ++i) {
    AddPath(absl::StrCat("synced Put, ", kClients[i], i == 0 ? " client" : " clients"), puts[i],
            report);
  }
  for (size_t i = 0; i < std::size(kThreads); ++i) {
    report.AddFigure(absl::StrCat("engine alone, ", kThreads[i], i == 0 ? " thread" : " threads"),
                     engine[i], "synced puts/s");
  }
  if (!met || options.profile_all) {
    BenchOptions longer = options;
    longer.duration = absl::Seconds(3);
    PathSamples ignored;
    std::string text;
    std::thread sampler(
        [&] { text = ProfileOf(regions[0].pids, absl::Seconds(2), options.folder); });
    (void)MeasureOnce(longer, PutLoad(regions[0].address, 256), regions[0].pids, ignored);
    sampler.join();
    report.AddProfile("synced Put, 256 clients: where the server's time goes", text);
  }
  return absl::OkStatus();
}

}  // namespace homeport::bench
