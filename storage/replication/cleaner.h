// Drops what nobody needs any more: tombstones, expired items, and in counters and sets what was
// removed.
//
// Two conditions, never time alone. Every member that may hold the item's namespace has applied all
// that the item rests on: nobody has a value that it beats. And everything that any origin has
// issued or will issue up to its version is applied here: nobody sends one. An expired item,
// besides, has expired by its stored time.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/core_counters.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/member_table.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/staging.h"

namespace homeport {

// Walks the expiry index in passes, a bounded piece a commit. Thread-compatible.
class Cleaner {
 public:
  // All must outlive it.
  struct Parts {
    Staging* staging;
    ItemWriter* items;
    const OriginTable* origins;
    const MemberTable* members;
    CoreCounters* counters;
  };

  explicit Cleaner(const Parts& parts) : parts_(parts) {}

  // Begins a pass if none is under way and it may find something that the last one did not.
  // `applied_up_to` as AppliedUpTo(); `now` tells what has expired.
  void Begin(HybridTime applied_up_to, HybridTime now);
  // Looks at up to `max` candidates, and stages what goes. DATA_LOSS if an item does not parse;
  // otherwise the engine's errors.
  absl::Status Step(int max);
  // A pass is under way, and it is worth a commit of its own to go on with it.
  bool HasWork() const { return running_ && eager_; }

 private:
  // True if the item has gone or was pruned.
  absl::StatusOr<bool> Clean(std::string item_key, HybridTime listed);
  bool Settled(const internal::v1::StoredItem& item, absl::string_view item_key) const;

  Parts parts_;
  bool running_ = false;
  bool eager_ = false;
  // The terms of the pass.
  HybridTime applied_up_to_;
  HybridTime now_;
  // What the last whole pass had.
  HybridTime passed_up_to_;
  HybridTime passed_now_;
  // The next key to look at.
  std::string place_;
  uint64_t waiting_ = 0;
};

}  // namespace homeport
