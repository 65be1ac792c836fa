// What must hold at every moment of a run (DESIGN.md section 2), checked against the history.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "homeport/internal/v1/replication.pb.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace homeport::sim {

class Invariants {
 public:
  explicit Invariants(World* world) : world_(world) {}

  // A replica committed, or opened its disk: compares with what it had before on this disk.
  void AfterCommit(int node);
  // A message with entries arrives at a replica.
  void OnFrame(int node, const PeerBatch& batch);
  // What the replica stores of the item is what the history says that it has applied.
  void CheckItem(int node, int item);
  // Everything that a converged world must be.
  void CheckConverged();

 private:
  void RegisterNew(int node, const OriginView& origin);
  void CheckApplied(int node, const OriginView& origin, uint64_t sequence, std::set<int>& touched);
  void CheckStore(int node);

  World* world_;
  // Of entries that were seen on a link already, by their bytes.
  std::unordered_map<uint64_t, uint64_t> frames_;
};

}  // namespace homeport::sim
