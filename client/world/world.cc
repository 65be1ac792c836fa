#include "client/world/world.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/world/free_ports.h"
#include "common/base/check.h"
#include "nlohmann/json.hpp"

namespace homeport {
namespace {

// Where World::relays_ has the relay for what goes from `from` to `to`.
size_t IndexOf(int from, int to, int size) {
  return static_cast<size_t>(from) * static_cast<size_t>(size) + static_cast<size_t>(to);
}

constexpr int kStartsMax = 3;
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr absl::Duration kStopPatience = absl::Seconds(10);
constexpr std::streamoff kLogTailBytes = 2000;

std::string ReadTail(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kLogTailBytes));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string ReadWhole(const std::string& path) {
  std::stringstream text;
  std::ifstream file(path, std::ios::binary);
  if (file) text << file.rdbuf();
  return text.str();
}

}  // namespace

absl::StatusOr<std::unique_ptr<World>> World::Start(WorldOptions options,
                                                    absl::FunctionRef<bool()> continue_waiting) {
  std::unique_ptr<World> world(new World(std::move(options)));
  if (world->options_.folder.empty()) {
    std::string folder = (std::filesystem::temp_directory_path() / "homeport-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) {
      return absl::ErrnoToStatus(errno, absl::StrCat("folder ", folder));
    }
    world->options_.folder = folder;
    world->remove_folder_ = !world->options_.keep_folder;
  }
  absl::Status started;
  for (int i = 0; i < kStartsMax; ++i) {
    started = world->StartAll(continue_waiting);
    // ABORTED: a process ended before it served, as one does whose port was taken.
    if (started.code() != absl::StatusCode::kAborted) break;
  }
  if (started.code() == absl::StatusCode::kAborted) {
    return absl::UnavailableError(started.message());
  }
  if (!started.ok()) return started;
  return world;
}

World::~World() {
  Stop(kStopPatience);
  relays_.clear();
  if (remove_folder_) {
    std::error_code ignored;
    std::filesystem::remove_all(options_.folder, ignored);
  }
}

absl::Status World::StartAll(absl::FunctionRef<bool()> continue_waiting) {
  relays_.clear();
  regions_.clear();
  regions_.resize(options_.regions.size());
  auto ports = FreePorts(2 * size());
  if (!ports.ok()) return ports.status();
  for (int i = 0; i < size(); ++i) {
    regions_[i].addresses = {absl::StrCat("127.0.0.1:", (*ports)[2 * i]),
                             absl::StrCat("127.0.0.1:", (*ports)[2 * i + 1])};
    std::error_code error;
    std::filesystem::create_directories(RegionFolder(i), error);
    if (error) {
      return absl::InternalError(absl::StrCat("folder ", RegionFolder(i), ": ", error.message()));
    }
  }
  if (absl::Status written = WriteTopology(); !written.ok()) return written;
  if (absl::Status made = MakeRelays(); !made.ok()) return made;
  for (int i = 0; i < size(); ++i) {
    if (absl::Status started = StartProcess(i); !started.ok()) return started;
  }
  for (int i = 0; i < size(); ++i) {
    if (absl::Status ready = AwaitReady(i, continue_waiting); !ready.ok()) return ready;
  }
  return absl::OkStatus();
}

absl::Status World::WriteTopology() {
  WorldTopology topology;
  for (const Region& region : regions_) topology.addresses.push_back(region.addresses);
  topology.regions = options_.regions;
  topology.namespaces = options_.namespaces;
  topology.databases = options_.databases;
  topology.database_credit = options_.database_credit;
  topology.more = options_.more_yaml;
  auto yaml = TopologyYaml(topology, options_.round_trips);
  if (!yaml.ok()) return yaml.status();
  // By rename: processes may be reading it.
  const std::string part = topology_file() + ".part";
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file << *yaml;
    if (!file.flush()) return absl::InternalError(absl::StrCat("cannot write ", part));
  }
  std::error_code error;
  std::filesystem::rename(part, topology_file(), error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot write ", topology_file(), ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status World::MakeRelays() {
  if (relay_thread_ == nullptr) {
    auto thread = RelayThread::Start();
    if (!thread.ok()) return thread.status();
    relay_thread_ = *std::move(thread);
  }
  relays_.resize(regions_.size() * regions_.size());
  for (int from = 0; from < size(); ++from) {
    for (int to = 0; to < size(); ++to) {
      if (from == to) continue;
      auto relay = MakeRelay(regions_[to].addresses.replica, RoundTrip(from, to));
      if (!relay.ok()) return relay.status();
      relays_[IndexOf(from, to, size())] = *std::move(relay);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TcpRelay>> World::MakeRelay(const std::string& address,
                                                           absl::Duration round_trip) {
  auto target = Endpoint::Parse(address);
  HP_CHECK(target.ok());
  RelayOptions options;
  options.delay_forward = options.delay_backward = round_trip / 2;
  options.jitter = options_.jitter;
  options.seed = options_.seed * 1000 + ++relays_made_;
  return TcpRelay::Create(relay_thread_.get(), *target, options);
}

absl::Status World::Join(WorldRegion region, const std::vector<absl::Duration>& round_trips,
                         absl::FunctionRef<bool()> continue_waiting) {
  HP_CHECK(static_cast<int>(round_trips.size()) == size());
  const int before = size();
  const int joined = before;
  auto ports = FreePorts(2);
  if (!ports.ok()) return ports.status();
  absl::Duration mean;
  for (int i = 0; i < before; ++i) {
    options_.round_trips.Add(options_.regions[i].name, region.name, round_trips[i]);
    mean += round_trips[i] / before;
  }
  const std::string internal = absl::StrCat("127.0.0.1:", (*ports)[1]);
  auto inward = MakeRelay(internal, mean);
  if (!inward.ok()) return inward.status();
  region.joining = true;
  options_.regions.push_back(std::move(region));
  std::vector<std::unique_ptr<TcpRelay>> relays(static_cast<size_t>(size()) * size());
  for (int from = 0; from < before; ++from) {
    for (int to = 0; to < before; ++to) {
      relays[IndexOf(from, to, size())] = std::move(relays_[IndexOf(from, to, before)]);
    }
  }
  relays_ = std::move(relays);
  regions_.emplace_back();
  regions_[joined].addresses = {absl::StrCat("127.0.0.1:", (*ports)[0]),
                                (*inward)->endpoint().ToString()};
  regions_[joined].internal_listen = internal;
  relays_[IndexOf(0, joined, size())] = *std::move(inward);
  for (int to = 0; to < before; ++to) {
    auto relay = MakeRelay(regions_[to].internal_listen.empty() ? regions_[to].addresses.replica
                                                                : regions_[to].internal_listen,
                           RoundTrip(joined, to));
    if (!relay.ok()) return relay.status();
    relays_[IndexOf(joined, to, size())] = *std::move(relay);
  }
  std::error_code error;
  std::filesystem::create_directories(RegionFolder(joined), error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("folder ", RegionFolder(joined), ": ", error.message()));
  }
  if (absl::Status written = WriteTopology(); !written.ok()) return written;
  for (int i = 0; i < before; ++i) {
    if (!process(i).IsAlive()) continue;
    if (absl::Status told = process(i).Signal(SIGHUP); !told.ok()) return told;
  }
  if (absl::Status started = StartProcess(joined); !started.ok()) return started;
  return AwaitReady(joined, continue_waiting);
}

absl::Status World::StartProcess(int region) {
  const std::string ready_file = absl::StrCat(RegionFolder(region), "/ready.json");
  std::error_code ignored;
  std::filesystem::remove(ready_file, ignored);
  ChildProcess::Options options;
  options.command = {options_.program, "serve",
                     "--topology",     topology_file(),
                     "--region",       options_.regions[region].name,
                     "--data",         data_folder(region),
                     "--metrics",      "127.0.0.1:0",
                     "--ready-file",   ready_file};
  for (int to = 0; to < size(); ++to) {
    // A region that joined is dialled where the topology says.
    if (relays_[IndexOf(region, to, size())] == nullptr) continue;
    options.command.push_back("--dial");
    options.command.push_back(
        absl::StrCat(replica_name(to), "=", Relay(region, to).endpoint().ToString()));
  }
  if (const std::string& listen = regions_[region].internal_listen; !listen.empty()) {
    options.command.insert(options.command.end(), {"--internal-listen", listen});
  }
  options.command.insert(options.command.end(), options_.more_flags.begin(),
                         options_.more_flags.end());
  options.log_file = log_file(region);
  auto process = ChildProcess::Start(options);
  if (!process.ok()) return process.status();
  regions_[region].process = *std::move(process);
  return absl::OkStatus();
}

absl::Status World::AwaitReady(int region, absl::FunctionRef<bool()> continue_waiting) {
  const std::string ready_file = absl::StrCat(RegionFolder(region), "/ready.json");
  const absl::Time deadline = absl::Now() + options_.start_timeout;
  ChildProcess& process = *regions_[region].process;
  for (;;) {
    const auto ready =
        nlohmann::json::parse(ReadWhole(ready_file), nullptr, /*allow_exceptions=*/false);
    if (ready.is_object()) {
      auto metrics = ready.find("metrics");
      regions_[region].metrics =
          metrics != ready.end() && metrics->is_string() ? metrics->get<std::string>() : "";
      return absl::OkStatus();
    }
    const std::string& name = options_.regions[region].name;
    if (!process.IsAlive()) {
      return absl::AbortedError(absl::StrCat(name, " ended by ", process.end()->ToString(),
                                             " before it served; its log ends:\n",
                                             ReadTail(log_file(region))));
    }
    if (!continue_waiting()) return absl::CancelledError("the start was given up");
    if (absl::Now() > deadline) {
      return absl::UnavailableError(absl::StrCat(name, " does not serve after ",
                                                 absl::FormatDuration(options_.start_timeout),
                                                 "; its log ends:\n", ReadTail(log_file(region))));
    }
    (void)process.Wait(kPoll);
  }
}

std::string World::RegionFolder(int region) const {
  return absl::StrCat(options_.folder, "/", options_.regions[region].name);
}

std::string World::topology_file() const { return options_.folder + "/topology.yaml"; }

std::string World::log_file(int region) const { return RegionFolder(region) + "/log"; }

const std::string& World::gateway(int region) const { return regions_[region].addresses.gateway; }

std::string World::replica_name(int region) const {
  return absl::StrCat(options_.regions[region].name, "/a");
}

const std::string& World::metrics(int region) const { return regions_[region].metrics; }

ChildProcess& World::process(int region) { return *regions_[region].process; }

absl::Duration World::RoundTrip(int a, int b) const {
  auto rtt = options_.round_trips.Between(options_.regions[a].name, options_.regions[b].name);
  HP_CHECK(rtt.ok());  // TopologyYaml() has asked for every pair.
  return *rtt;
}

RelayCounters World::Counters(int from, int to) { return Relay(from, to).counters(); }

std::string World::data_folder(int region) const {
  return absl::StrCat(RegionFolder(region), "/data");
}

TcpRelay& World::Relay(int from, int to) { return *relays_[IndexOf(from, to, size())]; }

void World::Break(int a, int b, LinkFailure how) {
  for (TcpRelay* relay :
       {relays_[IndexOf(a, b, size())].get(), relays_[IndexOf(b, a, size())].get()}) {
    if (relay == nullptr) continue;
    if (how == LinkFailure::kCut) {
      relay->Cut();
    } else {
      relay->BlackHole(RelayDirection::kBoth);
    }
  }
}

void World::BreakOneWay(int from, int to) {
  Relay(from, to).BlackHole(RelayDirection::kForward);
  Relay(to, from).BlackHole(RelayDirection::kBackward);
}

void World::Heal(int a, int b) {
  for (const size_t at : {IndexOf(a, b, size()), IndexOf(b, a, size())}) {
    if (relays_[at] != nullptr) relays_[at]->Heal();
  }
}

void World::Isolate(int region, LinkFailure how) {
  for (int other = 0; other < size(); ++other) {
    if (other != region) Break(region, other, how);
  }
}

void World::BreakAll(LinkFailure how) {
  for (int region = 0; region < size(); ++region) Isolate(region, how);
}

void World::HealAll() {
  for (auto& relay : relays_) {
    if (relay != nullptr) relay->Heal();
  }
}

absl::Status World::Kill(int region) {
  if (absl::Status sent = process(region).Signal(SIGKILL); !sent.ok()) return sent;
  regions_[region].metrics.clear();
  return process(region).Wait(kStopPatience).status();
}

absl::Status World::Restart(int region, absl::FunctionRef<bool()> continue_waiting) {
  if (process(region).IsAlive()) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.regions[region].name, " still runs"));
  }
  if (absl::Status started = StartProcess(region); !started.ok()) return started;
  return AwaitReady(region, continue_waiting);
}

absl::StatusOr<std::unique_ptr<TcpRelay>> World::OpenLastMile(int region,
                                                              absl::Duration round_trip) {
  auto target = Endpoint::Parse(gateway(region));
  HP_CHECK(target.ok());
  RelayOptions options;
  options.delay_forward = options.delay_backward = round_trip / 2;
  options.jitter = options_.jitter;
  options.seed = options_.seed * 1'000'000 + ++last_miles_;
  return TcpRelay::Create(relay_thread_.get(), *target, options);
}

std::vector<ProcessEnd> World::Stop(absl::Duration patience) {
  for (Region& region : regions_) {
    if (region.process != nullptr) (void)region.process->Signal(SIGTERM);
  }
  const absl::Time deadline = absl::Now() + patience;
  std::vector<ProcessEnd> ends;
  for (Region& region : regions_) {
    ends.emplace_back();
    if (region.process == nullptr) continue;
    auto end = region.process->Wait(std::max(absl::ZeroDuration(), deadline - absl::Now()));
    ends.back() = end.ok() ? *end : region.process->Stop(absl::ZeroDuration());
  }
  return ends;
}

}  // namespace homeport
