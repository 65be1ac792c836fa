#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "homeport/v1/key_value.pb.h"
#include "tests/bench/engine_parts.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenario_parts.h"
#include "tests/bench/two_regions.h"

namespace homeport::bench {
namespace {

constexpr int kRecords = 20'000;
constexpr int kFollowerEntries = 100'000;
constexpr double kWritersShare = 0.6;
constexpr size_t kLargeBytes = 64 * 1024;
constexpr int kLargeRecords = 256;
constexpr absl::Duration kLongRoundTrip = absl::Milliseconds(150);
constexpr double kMeshWritesPerSecond = 5000;
// Sessions that write one after the other, so many that slow answers do not keep them from their
// pace.
constexpr int kMeshThreads = 100;

std::string RandomBytes(size_t size, std::mt19937_64& random) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

LoadOptions Puts(const BenchOptions& options, const std::string& address, int records,
                 size_t value_bytes, int outstanding) {
  LoadOptions load;
  load.address = address;
  load.method = kPutMethod;
  std::mt19937_64 random(1);
  for (int i = 0; i < records; ++i) {
    v1::PutRequest put;
    put.set_namespace_(kNamespace);
    put.set_id(absl::StrFormat("put%08d", i));
    put.set_value(RandomBytes(value_bytes, random));
    load.requests.push_back(put.SerializeAsString());
  }
  load.outstanding = outstanding;
  load.warm_up = options.warm_up;
  load.duration = options.duration * 2;
  return load;
}

double Median(std::vector<double> samples) { return SpreadOf(std::move(samples)).median; }

}  // namespace

absl::Status MeasureCatchUp(const BenchOptions& options, Report& report) {
  auto regions = TwoRegions::Start(options, "catch-up", absl::ZeroDuration());
  if (!regions.ok()) return regions.status();
  std::vector<double> followed, ceiling;
  for (int round = 0; round < options.rounds; ++round) {
    const LoadOptions load =
        Puts(options, (*regions)->gateway(), kRecords, kValueBytes, /*outstanding=*/256);
    if (auto result = RunLoad(load); !result.ok()) return result.status();
    auto rate = (*regions)->CatchUp();
    if (!rate.ok()) return rate.status();
    followed.push_back(*rate);
    if (auto status = (*regions)->StopFollower(); !status.ok()) return status;
    OnCores on(options.server_cores, options.client_cores);
    CoreLoad core;
    core.folder = options.folder + "/follower";
    core.entries = kFollowerEntries;
    core.value_bytes = kValueBytes;
    auto batches = RunFollowerCore(core);
    std::filesystem::remove_all(core.folder);
    if (!batches.ok()) return batches.status();
    ceiling.push_back(*batches);
  }
  report.AddRatio("replication to one follower / the follower's own batches",
                  Ratios(followed, ceiling), Mark{Mark::Kind::kAtLeast, 0.6});
  report.AddFigure("replication to one follower, a backlog", followed, "entries/s");
  report.AddFigure("the follower's core taking batches in by itself", ceiling, "entries/s");
  return absl::OkStatus();
}

absl::Status MeasureLongLink(const BenchOptions& options, Report& report) {
  std::vector<double> rates[2];
  for (int round = 0; round < std::max(1, options.rounds / 2); ++round) {
    for (const int far : {0, 1}) {
      auto regions = TwoRegions::Start(options, far == 0 ? "near-link" : "long-link",
                                       far == 0 ? absl::ZeroDuration() : kLongRoundTrip);
      if (!regions.ok()) return regions.status();
      const LoadOptions load =
          Puts(options, (*regions)->gateway(), kLargeRecords, kLargeBytes, /*outstanding=*/16);
      if (auto result = RunLoad(load); !result.ok()) return result.status();
      auto rate = (*regions)->CatchUp();
      if (!rate.ok()) return rate.status();
      rates[far].push_back(*rate * kLargeBytes / 1e6);
    }
  }
  report.AddRatio("a link of 150 ms / the same without delay, random values of 64 KiB",
                  Ratios(rates[1], rates[0]), Mark{Mark::Kind::kAtLeast, 0.7});
  report.AddFigure("link without delay", rates[0], "MB/s");
  report.AddFigure("link of 150 ms", rates[1], "MB/s");
  return absl::OkStatus();
}

absl::Status MeasureWriters(const BenchOptions& options, Report& report) {
  auto regions = TwoRegions::Start(options, "writers", absl::ZeroDuration());
  if (!regions.ok()) return regions.status();
  auto ceiling =
      RunLoad(Puts(options, (*regions)->gateway(), kRecords, kValueBytes, /*outstanding=*/256));
  if (!ceiling.ok()) return ceiling.status();
  LagOptions load;
  load.write_address = load.read_address = (*regions)->gateway();
  load.name_space = kNamespace;
  load.value_bytes = kValueBytes;
  load.writes_per_second = kWritersShare * ceiling->per_second;
  load.probe_every = 10;
  load.warm_up = absl::Seconds(1);
  load.duration = options.duration * 2;
  std::vector<double> alone, followed, rate_alone, rate_followed;
  for (int round = 0; round < options.rounds; ++round) {
    for (const bool follower : {false, true}) {
      if (follower) {
        if (auto caught_up = (*regions)->CatchUp(); !caught_up.ok()) return caught_up.status();
      }
      auto result = RunLag(load);
      if (!result.ok()) return result.status();
      (follower ? followed : alone).push_back(Median(result->write_ms));
      (follower ? rate_followed : rate_alone).push_back(result->writes_per_second);
      if (!follower) continue;
      if (auto status = (*regions)->StopFollower(); !status.ok()) return status;
    }
  }
  report.AddRatio("writes at 60 % of their ceiling, p50 with a follower / without",
                  Ratios(followed, alone), Mark{Mark::Kind::kAtMost, 1.08});
  report.AddRatio("the same, writes acknowledged a second", Ratios(rate_followed, rate_alone),
                  std::nullopt);
  report.AddFigure("writers' ceiling", {ceiling->per_second}, "writes/s");
  report.AddFigure("write at 60 %, p50 without a follower", alone, "ms", 2);
  report.AddFigure("write at 60 %, p50 with a follower", followed, "ms", 2);
  return absl::OkStatus();
}

absl::Status MeasureLinkBytes(const BenchOptions& options, Report& report) {
  std::vector<int> all = options.client_cores;
  all.insert(all.end(), options.server_cores.begin(), options.server_cores.end());
  OnCores on(all, options.client_cores);
  WorldOptions world_options;
  world_options.program = options.program;
  world_options.jitter = absl::ZeroDuration();
  world_options.namespaces = {kNamespace};
  world_options.folder = options.folder + "/mesh";
  std::filesystem::remove_all(world_options.folder);
  std::filesystem::create_directories(world_options.folder);
  auto started = World::Start(std::move(world_options));
  if (!started.ok()) return started.status();
  World& world = **started;
  const auto bytes = [&world] {
    uint64_t sum = 0;
    for (int from = 0; from < world.size(); ++from) {
      for (int to = 0; to < world.size(); ++to) {
        if (from == to) continue;
        const RelayCounters counters = world.Counters(from, to);
        sum += counters.bytes_forward + counters.bytes_backward;
      }
    }
    return sum;
  };
  std::vector<std::unique_ptr<GatewayClient>> clients;
  for (int region = 0; region < world.size(); ++region) {
    clients.push_back(std::make_unique<GatewayClient>(ClientOptions(world.gateway(region))));
  }
  // What links say when nothing is written.
  const absl::Duration idle_time = absl::Seconds(5);
  uint64_t before = bytes();
  absl::SleepFor(idle_time);
  const double idle_per_second =
      static_cast<double>(bytes() - before) / absl::ToDoubleSeconds(idle_time);

  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> failed{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> sessions;
  for (int i = 0; i < kMeshThreads; ++i) {
    sessions.emplace_back([&, i] {
      std::mt19937_64 random(static_cast<uint64_t>(i) + 1);
      std::string token;
      const absl::Duration pace = absl::Seconds(1) * kMeshThreads / kMeshWritesPerSecond;
      absl::Time due = absl::Now();
      GatewayClient& client = *clients[static_cast<size_t>(i) % clients.size()];
      while (!stop) {
        v1::PutRequest put;
        put.set_namespace_(kNamespace);
        put.set_id(absl::StrFormat("put%08d", random() % 100'000));
        put.set_value(RandomBytes(kValueBytes, random));
        put.mutable_options()->set_session_token(token);
        put.mutable_options()->set_local_only(true);
        auto answer = client.Put(put);
        if (!answer.ok()) {
          ++failed;
          token.clear();
          continue;
        }
        token = answer->session_token();
        ++written;
        due += pace;
        absl::SleepFor(due - absl::Now());
      }
    });
  }
  absl::SleepFor(absl::Seconds(2));
  before = bytes();
  const uint64_t written_before = written;
  const absl::Time begin = absl::Now();
  absl::SleepFor(options.lag_duration);
  const double took = absl::ToDoubleSeconds(absl::Now() - begin);
  const double moved = static_cast<double>(bytes() - before);
  const double writes = static_cast<double>(written - written_before);
  stop = true;
  for (std::thread& session : sessions) session.join();
  if (failed > 0) return absl::InternalError(absl::StrCat(failed.load(), " writes failed"));
  const double copies = writes * (world.size() - 1);
  report.AddRatio("mesh of five: bytes on a link for a write of 100 bytes, all of TCP's content",
                  {moved / copies}, Mark{Mark::Kind::kAtMost, 160}, 1);
  report.AddRatio("the same without what links say when nothing is written",
                  {(moved - idle_per_second * took) / copies}, std::nullopt, 1);
  report.AddFigure("mesh of five: writes by sessions with tokens", {writes / took}, "writes/s");
  report.AddFigure("mesh of five: all links together when nothing is written", {idle_per_second},
                   "bytes/s");
  return absl::OkStatus();
}

}  // namespace homeport::bench
