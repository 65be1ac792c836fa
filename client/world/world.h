// A world on one machine: regions as processes, with a relay of the right length between any two.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/world/child_process.h"
#include "client/world/round_trips.h"
#include "client/world/tcp_relay.h"
#include "client/world/world_topology.h"

namespace homeport {

struct WorldOptions {
  // The `homeport` program.
  std::string program;
  std::vector<WorldRegion> regions = FiveRegions();
  RoundTrips round_trips = RoundTrips::Default();
  // Each piece of a stream is late by up to this much more.
  absl::Duration jitter = absl::Milliseconds(2);
  // Of the jitter.
  uint64_t seed = 1;
  std::vector<std::string> namespaces = {"demo"};
  std::vector<std::string> databases;
  std::string database_credit;
  // Appended to the topology file.
  std::string more_yaml;
  // Appended to each `homeport serve`.
  std::vector<std::string> more_flags;
  // Where the topology, logs and data go; must be there. Empty: a new folder for temporary files.
  std::string folder;
  // Leaves the folder behind when the world ends.
  bool keep_folder = false;
  // A process must be serving after this long.
  absl::Duration start_timeout = absl::Seconds(60);
};

// How a link fails: connections are reset and refused, or packets vanish.
enum class LinkFailure { kCut, kBlackHole };

// Regions are named by their index in `regions()`. Thread-compatible, and all calls that start
// processes must come from one thread that outlives them (see ChildProcess). The destructor stops
// every process and removes the folder.
class World {
 public:
  // Starts every region and waits until all are serving. A port that was taken in the meantime
  // leads to another try with other ports, a few times. `continue_waiting` is asked again and
  // again; false ends the start with CANCELLED. Otherwise UNAVAILABLE with the end of the log of a
  // process that did not come up.
  static absl::StatusOr<std::unique_ptr<World>> Start(
      WorldOptions options, absl::FunctionRef<bool()> continue_waiting = [] { return true; });
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const std::vector<WorldRegion>& regions() const { return options_.regions; }
  int size() const { return static_cast<int>(options_.regions.size()); }
  const std::string& folder() const { return options_.folder; }
  std::string topology_file() const;
  std::string log_file(int region) const;
  // "127.0.0.1:port": where clients reach the region's gateway without any delay.
  const std::string& gateway(int region) const;
  // "region/a".
  std::string replica_name(int region) const;
  // "127.0.0.1:port" of the metrics; empty if the process has none or is down.
  const std::string& metrics(int region) const;
  ChildProcess& process(int region);
  absl::Duration RoundTrip(int a, int b) const;

  // What has gone over the connections that `from` has opened to `to`: forward what `from` sent.
  RelayCounters Counters(int from, int to);
  // Where the region's process has its data.
  std::string data_folder(int region) const;

  // The link between two regions, both ways, whoever connected.
  void Break(int a, int b, LinkFailure how);
  // What `from` sends to `to` is lost; the other way works. Black hole only.
  void BreakOneWay(int from, int to);
  void Heal(int a, int b);
  // All links of a region.
  void Isolate(int region, LinkFailure how);
  void BreakAll(LinkFailure how);
  void HealAll();

  // kill -9, and waits until the process is gone.
  absl::Status Kill(int region);
  // Starts it again on the same disk and ports, and waits until it is serving.
  absl::Status Restart(
      int region, absl::FunctionRef<bool()> continue_waiting = [] { return true; });
  // A new region: writes it into the topology file, lets the others read that, starts its process
  // on an empty disk, and waits until that runs; it serves later. `round_trips` are those to each
  // region, in their order. What the others send to it goes over one relay as long as the mean of
  // them, so that of its links only all can be broken, by Isolate(). Errors as Start().
  absl::Status Join(
      WorldRegion region, const std::vector<absl::Duration>& round_trips,
      absl::FunctionRef<bool()> continue_waiting = [] { return true; });
  // A way from a client to a region's gateway that takes `round_trip`. The world must outlive it.
  absl::StatusOr<std::unique_ptr<TcpRelay>> OpenLastMile(int region, absl::Duration round_trip);
  // SIGTERM to all, then how each ended, by region; kills those that do not end in `patience`.
  std::vector<ProcessEnd> Stop(absl::Duration patience);

 private:
  struct Region {
    WorldAddresses addresses;
    // Where the process takes what is sent to `addresses.replica`, if that is a relay.
    std::string internal_listen;
    std::string metrics;
    std::unique_ptr<ChildProcess> process;
  };

  explicit World(WorldOptions options) : options_(std::move(options)) {}
  absl::Status StartAll(absl::FunctionRef<bool()> continue_waiting);
  absl::Status WriteTopology();
  absl::Status StartProcess(int region);
  absl::Status AwaitReady(int region, absl::FunctionRef<bool()> continue_waiting);
  absl::Status MakeRelays();
  std::string RegionFolder(int region) const;
  absl::StatusOr<std::unique_ptr<TcpRelay>> MakeRelay(const std::string& address,
                                                      absl::Duration round_trip);
  TcpRelay& Relay(int from, int to);

  WorldOptions options_;
  bool remove_folder_ = false;
  std::unique_ptr<RelayThread> relay_thread_;
  std::vector<Region> regions_;
  // By from * size() + to; null where they are the same, and from all but the first to a region
  // that joined.
  std::vector<std::unique_ptr<TcpRelay>> relays_;
  uint64_t relays_made_ = 0;
  uint64_t last_miles_ = 0;
};

}  // namespace homeport
