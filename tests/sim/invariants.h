// What must hold at every moment of a run (DESIGN.md section 2), checked against the history.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "homeport/internal/v1/replication.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "tests/sim/change_checks.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace homeport::sim {

class Invariants {
 public:
  explicit Invariants(World* world) : world_(world), changes_(world) {}

  // A replica committed, or opened its disk: compares with what it had before on this disk.
  void AfterCommit(int node);
  // A message with entries arrives at a replica.
  void OnFrame(const Link& link, const PeerBatch& batch);
  // What the replica stores of the item is what the history says that it has applied.
  void CheckItem(int node, int item);
  // A replica's item, or a peer's, shows what a seeding has brought of an entry that was lost after
  // that: the only difference that comparisons may find.
  bool RestsOnLost(int node, const std::string& item_key, const internal::v1::StoredItem& theirs);
  // Replicas still differ in what lost entries left, which comparisons will find.
  bool AwaitsRepair();
  // Everything that a converged world must be.
  void CheckConverged();

 private:
  void RegisterNew(int node, const OriginView& origin);
  void CheckApplied(int node, const OriginView& origin, uint64_t sequence, std::set<int>& touched);
  // The dependencies of an entry as it is stored.
  std::string NamedBy(int node, const EntryRecord& entry);
  // Which item it is, and of whom.
  std::string Where(int node, int item) const;
  void CheckRegister(int node, int item, const internal::v1::StoredItem* stored);
  void CheckParts(int node, int item, const internal::v1::StoredItem* stored);
  void CheckCleaned(int node, int item, const EntryRecord& entry);
  // The positions of lost entries that an item names.
  Past LostOf(const internal::v1::StoredItem& item);
  // True if what two replicas store of a namespace differs, and only in what lost entries left.
  bool DifferByLost(int a, int b, const std::string& name_space);
  void CheckStore(int node);
  void CheckDigests(int name_space);

  World* world_;
  ChangeChecks changes_;
  // Of entries that were seen on a link already, by their bytes: whose they are, and the regions
  // that may have them by the first topology.
  struct Frame {
    const EntryRecord* entry = nullptr;
    uint64_t regions = 0;
  };
  std::unordered_map<uint64_t, Frame> frames_;
  // Items are parsed into it one after the other.
  internal::v1::StoredItem stored_;
  // Deletes that were found gone, by item and entry.
  std::set<std::pair<int, std::pair<uint64_t, uint64_t>>> cleaned_;
};

}  // namespace homeport::sim
