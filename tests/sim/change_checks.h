// What must hold of single changes of items, as a commit makes them: what is cleaned away, and what
// is journaled as a conflict. Compared with the history.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "homeport/internal/v1/stored.pb.h"
#include "storage/replication/conflict_journal.h"
#include "tests/sim/fault_engine.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace homeport::sim {

class ChangeChecks {
 public:
  explicit ChangeChecks(World* world) : world_(world) {}

  // The replica's disk has these changes now. To be called before Node::last_view is moved on.
  void AfterCommit(int node);
  // An entry was found on a disk for the first time.
  void OnRegistered(int node, const EntryRecord& entry);

 private:
  struct OfNode {
    uint64_t start = 0;
    uint64_t cleaned = 0;  // items dropped for good since the start
    // Conflicts that were journaled on this disk: the item, and the write that lost.
    std::set<std::pair<std::string, std::pair<uint64_t, uint64_t>>> journaled;
    // What the journal said after the last commit of this start.
    std::shared_ptr<const ConflictStats> journal;
  };

  // Nobody may need an item any more that is cleaned away (DESIGN.md 5.6).
  void CheckCleaned(int node, const Written& change);
  // What is journaled are exactly the own writes that were overtaken and not replaced (5.3).
  void CheckJournal(int node, OfNode& of, const std::vector<Written>& written);
  // The journal has no more bytes than it may, and its figures are those of what is on the disk.
  // `listed` and `dropped`: conflicts that came and that went with the commit. Returns how many
  // were found and dropped at once.
  uint64_t CheckJournalSize(int node, OfNode& of, uint64_t listed, uint64_t dropped);
  void Fail(int node, const std::string& item_key, const std::string& what);

  World* world_;
  std::map<int, OfNode> nodes_;
  // By item: no write at or before this may appear any more.
  std::map<std::string, uint64_t> cleaned_up_to_;
  // By request id, the entries that did what it asked for.
  std::map<std::string, const EntryRecord*> done_;
};

}  // namespace homeport::sim
