// How a cluster's topology changes during a run: versions of its file, and how each is rolled out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/random.h"

namespace homeport::sim {

struct Shape;

// What the topology file says.
struct TopologyVersion {
  // By region.
  std::vector<bool> listed;
  std::vector<bool> joining;
  std::vector<bool> leaving;
  // By namespace, by region: whether the region may hold it once it is listed.
  std::vector<std::vector<bool>> held;
};

// One version that is rolled out: replicas take it one by one, whether they run or not.
struct Rollout {
  // What has to be so before the operator begins.
  enum class Waits {
    kForNothing,
    kForHandover,   // the leaving region has handed over what it has
    kForDeparture,  // everybody knows that the region has left
  };
  int version = 0;
  int64_t at = 0;      // virtual time, at the earliest
  int64_t spread = 0;  // each replica takes it so much later at most
  // Of a thousand replicas so many take it, before the next version comes.
  uint64_t reach = 1000;
  Waits waits = Waits::kForNothing;
};

struct RolloutStory {
  enum class Kind { kNone, kJoin, kLeave, kComeBack, kGive, kTake, kRollBack };
  Kind kind = Kind::kNone;
  // That joins or leaves.
  int region = -1;
  // The first is the one that the run begins with.
  std::vector<TopologyVersion> versions;
  std::vector<Rollout> rollouts;

  // For people; empty if the topology never changes.
  std::string Describe() const;
};

// Draws what happens to the topology of a run, in a part of the seeds. Changes what else of the
// shape has to fit to that.
void DrawRollouts(Random random, Shape& shape);

}  // namespace homeport::sim
