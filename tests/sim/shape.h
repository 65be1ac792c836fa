// What a run is made of, before anything happens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/topology/topology.h"
#include "tests/sim/random.h"
#include "tests/sim/rollout.h"

namespace homeport::sim {

// Virtual time, in microseconds since the run began.
using Micros = int64_t;
inline constexpr Micros kMilli = 1000;
inline constexpr Micros kSecond = 1000 * kMilli;

struct ShapeNamespace {
  std::string name;
  // Regions that hold it.
  std::vector<bool> held;
  internal::v1::ItemType type = internal::v1::ITEM_TYPE_REGISTER;
  // Of registers: how long values live; 0: for ever.
  Micros ttl = 0;
};

// See scenarios.h.
enum class Scenario { kNone, kLastCopy, kOldCopy, kBusySeeding };

struct Shape {
  int regions = 0;
  // Region of each replica; replicas of a region stand together.
  std::vector<int> region_of;
  std::vector<ShapeNamespace> namespaces;
  int ids = 0;
  int keys = 0;
  int sessions = 0;
  int operations = 0;
  Micros operations_end = 0;
  // Of a thousand operations: reads, deletes among changes, writes with a request id, roaming.
  int reads = 0;
  int deletes = 0;
  int with_request_id = 0;
  // Of a thousand answers to writes with a request id: so many are lost on the way.
  int answers_lost = 0;
  int roams = 0;
  int value_max = 0;
  bool big_values = false;
  // One way, by region pair, and within a region.
  std::vector<std::vector<Micros>> latency;
  Micros jitter = 0;
  Micros sync_delay = 0;
  Micros pump_delay = 0;
  Micros heartbeat = 0;
  Micros down_grace = 0;
  size_t batch_bytes = 0;
  uint64_t credit_bytes = 0;
  int skips_max = 0;
  int apply_max = 0;
  int forget_max = 0;
  Micros request_window = 0;
  Micros drift_max = 0;
  uint64_t log_bytes_max = 0;
  size_t seed_chunk_bytes = 0;
  uint64_t seed_bytes_per_second = 0;
  Micros compare_interval = 0;
  // Clocks move by this much at once.
  Micros clock_grain = 1;
  // Each change of an item is looked at, which takes time: the conflict journal is checked.
  bool watch_items = false;
  // What a conflict journal may have.
  uint64_t journal_bytes = uint64_t{64} << 20;
  // Of a thousand operations: so many restore a conflict.
  int restores = 0;
  // Disks may be lost, so many at most.
  bool lose_disk = false;
  int disks_lost_max = 1;
  // Each start of a replica is of any version of the frames.
  bool mixed_frames = false;
  Scenario scenario = Scenario::kNone;
  // How the topology changes; its first version is what the run begins with.
  RolloutStory story;

  int replicas() const { return static_cast<int>(region_of.size()); }
  // By a version of the topology.
  bool Holds(int replica, int name_space, int version) const {
    return story.versions[version].held[name_space][region_of[replica]];
  }
  bool Lists(int replica, int version) const {
    return story.versions[version].listed[region_of[replica]];
  }
  std::string ReplicaNameOf(int replica) const;
  std::shared_ptr<const Topology> MakeTopology(int version) const;
  // One line, for people.
  std::string Describe() const;
};

Shape DrawShape(Random random);

}  // namespace homeport::sim
