#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/rpc/gateway_client.h"
#include "tests/bench/scenario_parts.h"
#include "tests/bench/servers.h"

namespace homeport::bench {
namespace {

constexpr int kRecords = 1000;
constexpr int kOutstanding = 64;
constexpr int kChannels = 4;
// Clients in networks that have been in one country for decades: Hetzner, Germany, and the
// University of Tokyo.
constexpr char kNearClient[] = "213.133.98.98";
constexpr char kFarClient[] = "133.11.0.1";
// And the regions nearest to them.
constexpr char kNearRegion[] = "eu-central-1";
constexpr char kFarRegion[] = "ap-northeast-1";

std::string RecordId(int number) { return absl::StrFormat("record%05d", number); }

v1::GetRequest GetOf(int number) {
  v1::GetRequest request;
  request.set_namespace_(kNamespace);
  request.set_id(RecordId(number));
  return request;
}

absl::StatusOr<std::vector<Server>> StartTwoRegions(const BenchOptions& options,
                                                    const std::string& folder) {
  OnCores on(options.server_cores, options.client_cores);
  RegionsOptions world;
  world.program = options.program;
  world.database = options.database;
  world.folder = absl::StrCat(options.folder, "/", folder);
  world.regions = {kNearRegion, kFarRegion};
  world.more_flags = {"--threads", absl::StrCat(options.server_threads)};
  return StartRegions(world);
}

// Writes the records in the first region and waits until the second has them. Returns an answer
// that a near client gets.
absl::StatusOr<v1::GetResponse> Prepare(const std::string& near, const std::string& far) {
  GatewayClient client({near, kNearClient});
  GatewayClient far_client({far, kFarClient});
  std::string token;
  for (int i = 0; i < kRecords; ++i) {
    v1::PutRequest put;
    put.set_namespace_(kNamespace);
    put.set_id(RecordId(i));
    put.set_value(std::string(kValueBytes, 'v'));
    put.mutable_options()->set_session_token(token);
    auto written = client.Put(put);
    if (!written.ok()) return written.status();
    token = written->session_token();
  }
  v1::GetRequest last = GetOf(kRecords - 1);
  last.mutable_options()->set_session_token(token);
  last.mutable_options()->set_local_only(true);
  auto replicated = far_client.Get(last);
  if (!replicated.ok()) return replicated.status();
  return client.Get(GetOf(0));
}

// A route must be what the figure claims.
absl::Status CheckRoute(const std::string& address, const char* from, const std::string& region) {
  GatewayClient client({address, from});
  auto answer = client.Get(GetOf(0));
  if (!answer.ok()) return answer.status();
  if (answer->provenance().region() == region && answer->item().value().size() == kValueBytes) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("a client at ", from, " was served by ",
                                          answer->provenance().region(), ", not by ", region));
}

LoadOptions GetLoad(const std::string& address, const char* from) {
  LoadOptions load;
  load.address = address;
  load.method = kGetMethod;
  for (int i = 0; i < kRecords; ++i) load.requests.push_back(GetOf(i).SerializeAsString());
  load.from = from;
  load.outstanding = kOutstanding;
  load.channels = kChannels;
  load.response_bytes_min = kValueBytes;
  return load;
}

// One way to reach the data.
struct Path {
  Path(std::string called, std::string at, std::vector<pid_t> through)
      : name(std::move(called)), address(std::move(at)), servers(std::move(through)) {}

  std::string name;
  std::string address;
  std::vector<pid_t> servers;
  PathSamples client;
  PathSamples single;
  std::vector<double> h2load;
};

absl::Status MeasureH2load(const BenchOptions& options, const char* from, Path& path) {
  H2loadOptions h2load;
  h2load.address = path.address;
  h2load.method = kGetMethod;
  h2load.request = GetOf(0).SerializeAsString();
  h2load.from = from;
  h2load.outstanding = kOutstanding;
  h2load.connections = kChannels;
  h2load.duration = options.duration;
  h2load.response_bytes_min = kValueBytes;
  h2load.folder = options.folder + "/h2load";
  auto rate = RunH2load(h2load);
  if (!rate.ok()) return rate.status();
  path.h2load.push_back(*rate);
  return absl::OkStatus();
}

// Alternates the paths, round by round.
absl::Status MeasurePaths(const BenchOptions& options, const char* from, bool h2load,
                          std::vector<Path*> paths) {
  for (int round = 0; round < options.rounds; ++round) {
    for (Path* path : paths) {
      auto status = MeasureOnce(options, GetLoad(path->address, from), path->servers, path->client);
      if (!status.ok()) return status;
    }
    if (!h2load) continue;
    for (Path* path : paths) {
      if (auto status = MeasureH2load(options, from, *path); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// One call at a time shows what a path adds to each request.
absl::Status MeasureSingle(BenchOptions options, const char* from, std::vector<Path*> paths) {
  options.duration = options.duration / 2;
  for (int round = 0; round < std::min(2, options.rounds); ++round) {
    for (Path* path : paths) {
      LoadOptions load = GetLoad(path->address, from);
      load.outstanding = load.channels = 1;
      if (auto status = MeasureOnce(options, load, path->servers, path->single); !status.ok()) {
        return status;
      }
    }
  }
  return absl::OkStatus();
}

// Runs the path's load once more, for the profile.
void AddProfile(const BenchOptions& options, const std::string& title, const Path& path,
                const char* from, Report& report) {
  BenchOptions longer = options;
  longer.duration = absl::Seconds(3);
  PathSamples ignored;
  std::string text;
  std::thread sampler([&] { text = ProfileOf(path.servers, absl::Seconds(2), options.folder); });
  (void)MeasureOnce(longer, GetLoad(path.address, from), path.servers, ignored);
  sampler.join();
  report.AddProfile(title, text);
}

void AddPathFigures(const std::string& name, const Path& path, Report& report) {
  AddPath(absl::StrCat(name, path.name), path.client, report);
  if (!path.single.p50_ms.empty()) {
    report.AddFigure(absl::StrCat(name, path.name, ", one at a time, p50"), path.single.p50_ms,
                     "ms", 3);
  }
  if (!path.h2load.empty()) {
    report.AddFigure(absl::StrCat(name, path.name, ", h2load"), path.h2load, "req/s");
  }
}

}  // namespace

absl::Status MeasureLocalGets(const BenchOptions& options, Report& report) {
  auto regions = StartTwoRegions(options, "local");
  if (!regions.ok()) return regions.status();
  const std::string& near = (*regions)[0].address;
  auto answer = Prepare(near, (*regions)[1].address);
  if (!answer.ok()) return answer.status();
  Server bare_server;
  {
    OnCores on(options.server_cores, options.client_cores);
    auto started = StartBareServer(answer->SerializeAsString(), options.server_threads,
                                   options.folder + "/bare");
    if (!started.ok()) return started.status();
    bare_server = *std::move(started);
  }
  Path local("homeport", near, (*regions)[0].pids);
  Path bare("bare gRPC", bare_server.address, bare_server.pids);
  absl::Status status = CheckRoute(near, kNearClient, kNearRegion);
  if (status.ok()) status = MeasurePaths(options, kNearClient, false, {&local, &bare});
  if (status.ok()) status = MeasureSingle(options, kNearClient, {&local, &bare});
  if (!status.ok()) return status;

  const bool met = report.AddRatio("local Get: homeport / bare gRPC server",
                                   Ratios(local.client.per_second, bare.client.per_second),
                                   Mark{Mark::Kind::kAtLeast, 0.70});
  report.AddRatio("local Get: CPU a request, bare gRPC server / homeport",
                  Ratios(bare.client.cpu_per_thousand, local.client.cpu_per_thousand),
                  std::nullopt);
  AddPathFigures("local Get, ", local, report);
  AddPathFigures("local Get, ", bare, report);
  if (!met || options.profile_all) {
    AddProfile(options, "local Get, homeport: where its time goes", local, kNearClient, report);
  }
  return absl::OkStatus();
}

absl::Status MeasureRemoteGets(const BenchOptions& options, Report& report) {
  auto regions = StartTwoRegions(options, "remote");
  if (!regions.ok()) return regions.status();
  const std::string& near = (*regions)[0].address;
  const std::string& far = (*regions)[1].address;
  if (auto answer = Prepare(near, far); !answer.ok()) return answer.status();
  Server nginx;
  {
    OnCores on(options.server_cores, options.client_cores);
    NginxOptions nginx_options;
    nginx_options.config_template = options.nginx_template;
    nginx_options.database = options.database;
    nginx_options.folder = options.folder + "/nginx";
    nginx_options.asia = far;
    nginx_options.elsewhere = near;
    auto started = StartNginx(nginx_options);
    if (!started.ok()) return started.status();
    nginx = *std::move(started);
  }
  const pid_t far_pid = (*regions)[1].pids[0];
  Path gateway("gateway", near, {(*regions)[0].pids[0], far_pid});
  Path proxy("nginx", nginx.address, nginx.pids);
  proxy.servers.push_back(far_pid);
  Path direct("direct", far, {far_pid});
  for (const Path* path : {&gateway, &proxy, &direct}) {
    if (auto status = CheckRoute(path->address, kFarClient, kFarRegion); !status.ok()) {
      return status;
    }
  }
  absl::Status status = MeasurePaths(options, kFarClient, true, {&gateway, &proxy, &direct});
  if (status.ok()) status = MeasureSingle(options, kFarClient, {&gateway, &proxy, &direct});
  if (!status.ok()) return status;

  const bool met = report.AddRatio("remote Get: gateway / nginx, C++ client",
                                   Ratios(gateway.client.per_second, proxy.client.per_second),
                                   Mark{Mark::Kind::kAtLeast, 1.5});
  const bool h2load_met =
      report.AddRatio("remote Get: gateway / nginx, h2load", Ratios(gateway.h2load, proxy.h2load),
                      Mark{Mark::Kind::kAtLeast, 2.2});
  report.AddRatio("remote Get: gateway / direct, C++ client",
                  Ratios(gateway.client.per_second, direct.client.per_second), std::nullopt);
  report.AddRatio("remote Get: gateway / direct, h2load", Ratios(gateway.h2load, direct.h2load),
                  std::nullopt);
  report.AddRatio("remote Get: CPU a request, nginx / gateway, both with the far region",
                  Ratios(proxy.client.cpu_per_thousand, gateway.client.cpu_per_thousand),
                  std::nullopt);
  AddPathFigures("remote Get, ", gateway, report);
  AddPathFigures("remote Get, ", proxy, report);
  AddPathFigures("remote Get, ", direct, report);
  if (!met || !h2load_met || options.profile_all) {
    AddProfile(options, "remote Get, both regions' processes: where their time goes", gateway,
               kFarClient, report);
  }
  return absl::OkStatus();
}

}  // namespace homeport::bench
