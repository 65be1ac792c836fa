#include "tests/bench/servers.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "client/world/free_ports.h"
#include "client/world/round_trips.h"
#include "client/world/world_topology.h"
#include "nlohmann/json.hpp"
#include "tests/bench/machine.h"

namespace homeport::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(20);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.flush();
  return file ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("can not write ", path));
}

std::string ThisProgram() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

// Waits until `ready` is true, as long as the process lives.
template <typename Ready>
absl::Status AwaitReady(ChildProcess& process, const std::string& log, Ready ready) {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (!ready()) {
    if (!process.IsAlive() || absl::Now() > deadline) {
      return absl::UnavailableError(absl::StrCat("a server does not serve; see ", log));
    }
    (void)process.Wait(kPoll);
  }
  return absl::OkStatus();
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

absl::StatusOr<std::vector<Server>> StartRegions(const RegionsOptions& options) {
  WorldTopology world;
  for (const WorldRegion& region : FiveRegions()) {
    if (Contains(options.regions, region.name)) world.regions.push_back(region);
  }
  auto ports = FreePorts(2 * static_cast<int>(world.regions.size()));
  if (!ports.ok()) return ports.status();
  for (size_t i = 0; i < world.regions.size(); ++i) {
    world.addresses.push_back({absl::StrCat("127.0.0.1:", (*ports)[2 * i]),
                               absl::StrCat("127.0.0.1:", (*ports)[2 * i + 1])});
  }
  world.namespaces = {"bench"};
  world.databases = {options.database};
  auto yaml = TopologyYaml(world, RoundTrips::Default());
  if (!yaml.ok()) return yaml.status();
  std::filesystem::create_directories(options.folder);
  const std::string topology = options.folder + "/topology.yaml";
  if (absl::Status written = WriteFile(topology, *yaml); !written.ok()) return written;

  std::vector<Server> servers;
  for (size_t i = 0; i < world.regions.size(); ++i) {
    const std::string folder = absl::StrCat(options.folder, "/", world.regions[i].name);
    std::filesystem::create_directories(folder);
    ChildProcess::Options child;
    child.command = {options.program, "serve",          "--topology",
                     topology,        "--region",       world.regions[i].name,
                     "--data",        folder + "/data", "--metrics",
                     "127.0.0.1:0",   "--ready-file",   folder + "/ready.json"};
    child.command.insert(child.command.end(), options.more_flags.begin(), options.more_flags.end());
    child.log_file = folder + "/log";
    auto process = ChildProcess::Start(child);
    if (!process.ok()) return process.status();
    Server& server = servers.emplace_back();
    server.address = world.addresses[i].gateway;
    server.process = *std::move(process);
    server.pids = {server.process->pid()};
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    const std::string folder = absl::StrCat(options.folder, "/", world.regions[i].name);
    auto ready = [&] { return std::filesystem::exists(folder + "/ready.json"); };
    if (absl::Status serving = AwaitReady(*servers[i].process, folder + "/log", ready);
        !serving.ok()) {
      return serving;
    }
  }
  return servers;
}

absl::StatusOr<Server> StartBareServer(const std::string& answer, int threads,
                                       const std::string& folder) {
  std::filesystem::create_directories(folder);
  const std::string answer_file = folder + "/answer";
  const std::string ready_file = folder + "/ready";
  if (absl::Status written = WriteFile(answer_file, answer); !written.ok()) return written;
  ChildProcess::Options child;
  child.command = {ThisProgram(),  "bare-server", "--answer",  answer_file,
                   "--ready-file", ready_file,    "--threads", absl::StrCat(threads)};
  child.log_file = folder + "/log";
  auto process = ChildProcess::Start(child);
  if (!process.ok()) return process.status();
  Server server;
  server.process = *std::move(process);
  server.pids = {server.process->pid()};
  absl::Status ready = AwaitReady(*server.process, child.log_file,
                                  [&] { return std::filesystem::exists(ready_file); });
  if (!ready.ok()) return ready;
  server.address = ReadFile(ready_file);
  return server;
}

absl::StatusOr<Server> StartNginx(const NginxOptions& options) {
  auto ports = FreePorts(1);
  if (!ports.ok()) return ports.status();
  std::filesystem::create_directories(options.folder);
  const std::string config = options.folder + "/nginx.conf";
  const std::string text =
      absl::StrReplaceAll(ReadFile(options.config_template), {{"@FOLDER@", options.folder},
                                                              {"@PORT@", absl::StrCat((*ports)[0])},
                                                              {"@DATABASE@", options.database},
                                                              {"@ASIA@", options.asia},
                                                              {"@ELSEWHERE@", options.elsewhere}});
  if (absl::Status written = WriteFile(config, text); !written.ok()) return written;
  ChildProcess::Options child;
  child.command = {"/usr/sbin/nginx",
                   "-p",
                   options.folder,
                   "-c",
                   config,
                   "-g",
                   "daemon off;",
                   "-e",
                   options.folder + "/error.log"};
  child.log_file = options.folder + "/log";
  auto process = ChildProcess::Start(child);
  if (!process.ok()) return process.status();
  Server server;
  server.address = absl::StrCat("127.0.0.1:", (*ports)[0]);
  server.process = *std::move(process);
  absl::Status ready = AwaitReady(*server.process, options.folder + "/error.log", [&] {
    server.pids = ChildrenOf(server.process->pid());
    return !server.pids.empty();
  });
  if (!ready.ok()) return ready;
  return server;
}

absl::StatusOr<double> RunH2load(const H2loadOptions& options) {
  // gRPC's frame: not compressed, length in four bytes.
  std::string body(5, '\0');
  for (int i = 0; i < 4; ++i) {
    body[static_cast<size_t>(4 - i)] = static_cast<char>(options.request.size() >> (8 * i));
  }
  body += options.request;
  std::filesystem::create_directories(options.folder);
  const std::string body_file = options.folder + "/request";
  const std::string output = options.folder + "/output";
  if (absl::Status written = WriteFile(body_file, body); !written.ok()) return written;
  unlink(output.c_str());
  ChildProcess::Options child;
  child.command = {"h2load",
                   "-t",
                   "1",
                   "-c",
                   absl::StrCat(options.connections),
                   "-m",
                   absl::StrCat(options.outstanding / options.connections),
                   "-D",
                   absl::StrCat(std::max<int64_t>(1, absl::ToInt64Seconds(options.duration))),
                   "-d",
                   body_file,
                   "-H",
                   "content-type: application/grpc",
                   "-H",
                   "te: trailers",
                   "-H",
                   absl::StrCat("x-forwarded-for: ", options.from),
                   absl::StrCat("http://", options.address, options.method)};
  child.log_file = output;
  auto process = ChildProcess::Start(child);
  if (!process.ok()) return process.status();
  auto end = (*process)->Wait(options.duration + absl::Seconds(20));
  if (!end.ok()) return end.status();

  const std::string text = ReadFile(output);
  std::smatch rate, counts, data;
  static const std::regex rate_line("finished in [^,]*, ([0-9.]+) req/s");
  static const std::regex counts_line(
      "requests: ([0-9]+) total, [0-9]+ started, ([0-9]+) done, ([0-9]+) succeeded, ([0-9]+) "
      "failed");
  // "traffic: 1.00MB (1048576) total, ..., 0.50MB (524288) data"
  static const std::regex data_line("\\(([0-9]+)\\) data");
  double per_second = 0;
  uint64_t done = 0, failed = 0, bytes = 0;
  if (*end != ProcessEnd{} || !std::regex_search(text, rate, rate_line) ||
      !std::regex_search(text, counts, counts_line) || !std::regex_search(text, data, data_line) ||
      !absl::SimpleAtod(rate[1].str(), &per_second) || !absl::SimpleAtoi(counts[2].str(), &done) ||
      !absl::SimpleAtoi(counts[4].str(), &failed) || !absl::SimpleAtoi(data[1].str(), &bytes)) {
    return absl::InternalError(absl::StrCat("h2load: see ", output));
  }
  if (failed > 0 || done == 0 || bytes / done < options.response_bytes_min) {
    return absl::InternalError(absl::StrCat("h2load: ", failed, " of ", done,
                                            " requests failed, or answers are too short (",
                                            done == 0 ? 0 : bytes / done, " bytes); see ", output));
  }
  return per_second;
}

}  // namespace homeport::bench
