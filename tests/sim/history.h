// What was written, by whom, and knowing what: kept beside the run and asked in place of the code
// under test.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "storage/replication/replica_core.h"

namespace homeport::sim {

// A set of positions, one an origin.
class Past {
 public:
  void Advance(uint64_t origin, uint64_t sequence);
  void Merge(const Past& other);
  const std::vector<std::pair<uint64_t, uint64_t>>& positions() const { return positions_; }
  bool Has(uint64_t origin, uint64_t sequence) const { return Of(origin) >= sequence; }
  // 0 if there is none.
  uint64_t Of(uint64_t origin) const;

 private:
  std::vector<std::pair<uint64_t, uint64_t>> positions_;  // ascending
};

// What an entry does to one item.
struct Effect {
  enum class Kind { kPut, kDelete, kAdd, kSet };
  int item = 0;
  Kind kind = Kind::kPut;
  std::string value;
  // kPut: how long it lives, microseconds; 0: for ever.
  int64_t ttl = 0;
  // kAdd: what is added to the number.
  int64_t delta = 0;
  // kSet: elements.
  std::vector<std::string> added;
  std::vector<std::string> removed;
  // What the accepting replica's item showed beyond what was applied there: a seeding brings it
  // before the positions cover it, and a delete removes that too.
  Past shown;
};

// An entry that exists, or existed, on some disk; or that was staged and may have come to nothing.
struct EntryRecord {
  uint64_t origin = 0;
  uint64_t sequence = 0;
  uint64_t time = 0;
  uint64_t hash = 0;  // of what may never change of it
  bool on_disk = false;
  bool chain = false;
  bool acknowledged = false;
  bool lost = false;
  // Its writer was told that so many other regions have it.
  int regions = 0;
  // Where it was accepted, items showed nothing newer than the positions.
  bool by_positions = true;
  int name_space = -1;
  std::string request_id;
  std::vector<Effect> effects;
  // What its writer had seen.
  Past past;
  // What the accepting replica had applied, by which a counter or a set is deleted.
  Past observed;
};

struct ItemRecord {
  int name_space = 0;
  std::string name_space_name;
  std::string id;
  std::string key;
  std::string stored_key;
  // Entries on a disk that change it, with the effect's index.
  std::vector<std::pair<const EntryRecord*, int>> writes;
};

// What an item has to be, where everything in some applied vector is applied.
struct Expected {
  const EntryRecord* entry = nullptr;  // null: nothing was ever written
  const Effect* effect = nullptr;
};

// The same of a counter or a set.
struct ExpectedParts {
  // There are additions that no delete has observed.
  bool present = false;
  int64_t number = 0;
  std::set<std::string> elements;
  // Everything that the value rests on.
  std::vector<const EntryRecord*> entries;
};

class History {
 public:
  int Item(int name_space, const std::string& name_space_name, const std::string& id,
           const std::string& key);
  const ItemRecord& item(int index) const { return items_[index]; }
  int items() const { return static_cast<int>(items_.size()); }
  // -1 if no operation ever named it.
  int FindItem(const std::string& stored_key) const;

  // A write was staged under this name. Null if another entry has the name already.
  EntryRecord* Plan(uint64_t origin, uint64_t sequence, uint64_t time);
  // The entry was found on a disk. A text if that can not be.
  std::string Register(const internal::v1::Entry& entry, int replica);
  // Null if it was never planned or found.
  EntryRecord* Find(uint64_t origin, uint64_t sequence);
  // The last sequence found on a disk.
  uint64_t LastOf(uint64_t origin) const;
  // The replica whose start it is; -1 if not known.
  int ReplicaOf(uint64_t origin) const;
  // What is beyond `held` of an origin is on no disk any more. Acknowledged ones among it.
  int Lose(absl::FunctionRef<uint64_t(uint64_t origin)> held);

  // `applied` gives the applied sequence of an origin.
  Expected ExpectedOf(int item, absl::FunctionRef<uint64_t(uint64_t)> applied) const;

  ExpectedParts PartsOf(int item, absl::FunctionRef<uint64_t(uint64_t)> applied) const;

  static uint64_t HashOf(const internal::v1::Entry& entry);

  struct OriginHistory {
    int replica = -1;
    uint64_t last = 0;      // found on a disk
    uint64_t promised = 0;  // a watermark that was sent: no later entry may be at or before it
    std::deque<EntryRecord> entries;
  };
  OriginHistory& At(uint64_t origin) { return origins_[origin]; }
  const std::map<uint64_t, OriginHistory>& origins() const { return origins_; }

 private:
  std::map<uint64_t, OriginHistory> origins_;
  std::vector<ItemRecord> items_;
  std::unordered_map<std::string, int> item_index_;
};

}  // namespace homeport::sim
