// Ordered maps, one a table, that remember what pinned readers still see.
//
// Every batch gets a number. A cell keeps its newest version in place and older ones only while a
// pin can see them, so that a pin costs nothing by itself and a write costs nothing extra without
// pins: multi-version storage as in PostgreSQL or LevelDB's memtable, with the garbage collected
// when the pin that needed it goes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

// Thread-compatible.
class VersionedTables {
 public:
  // How to take one change back: the value that was there, nullopt for none.
  struct Undo {
    Table table;
    std::string key;
    std::optional<std::string> value;
  };

  // Applies the batch as the next version; appends to `undo` (may be null) in the order of change.
  void Apply(const WriteBatch& batch, std::vector<Undo>* undo);
  // Takes changes back, last first. There must be no pins.
  void TakeBack(std::vector<Undo> undo);

  // The present version, kept readable until Unpin() of the same number, once for each Pin().
  uint64_t Pin();
  // One more pin of a version that is pinned.
  uint64_t PinAgain(uint64_t version);
  void Unpin(uint64_t version);
  uint64_t version() const { return version_; }

  // The value at `version`, which is pinned or the present one; null if there is none. Valid until
  // the next change or Unpin().
  const std::string* Get(Table table, absl::string_view key, uint64_t version) const;
  // A key and value that live until the next change or Unpin().
  struct Entry {
    absl::string_view key;
    absl::string_view value;
  };
  // The first entry at `version` whose key is at or after `key` (with `after`: after it) and before
  // `end` (empty: no end).
  std::optional<Entry> Find(Table table, absl::string_view key, bool after, absl::string_view end,
                            uint64_t version) const;

  // Bytes of the present keys and values.
  uint64_t bytes() const { return bytes_; }
  // How many versions are held, marks of deletion included. Walks everything.
  size_t VersionsForTest() const;

 private:
  struct Version {
    uint64_t number;
    std::optional<std::string> value;  // nullopt: deleted
  };
  struct Cell {
    Version newest;
    std::vector<Version> older;  // ascending
    const std::string* At(uint64_t version) const;
  };
  using Map = absl::btree_map<std::string, Cell>;
  // A cell that has something to drop once no pin is before `number`.
  struct Garbage {
    uint64_t number;
    Table table;
    std::string key;
  };

  Map& MapOf(Table table) { return maps_[static_cast<size_t>(table)]; }
  const Map& MapOf(Table table) const { return maps_[static_cast<size_t>(table)]; }
  void Set(Table table, const std::string& key, std::optional<std::string> value,
           std::vector<Undo>* undo);
  void Trim(Table table, const std::string& key, uint64_t oldest_pin);

  std::array<Map, kTableCount> maps_;
  uint64_t version_ = 0;
  uint64_t bytes_ = 0;
  std::multiset<uint64_t> pins_;
  std::deque<Garbage> garbage_;  // ascending
};

}  // namespace homeport
