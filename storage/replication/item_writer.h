// The one place that changes stored items: for local writes, entries, seeding, repair and cleaning
// alike. Whoever has to know of every change (indexes, digests, the conflict journal) observes it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/model/item_merge.h"
#include "storage/replication/staging.h"

namespace homeport {

// Why an item changes.
enum class ItemCause {
  kLocal,  // a write that this replica accepts
  kEntry,  // an entry of another origin is applied
  kMerge,  // a peer's item is merged: seeding, repair
  kClean,  // what nobody needs any more is removed
};

// Told of every change of a stored item, before it is committed; what an observer stages is
// committed with it. A change that is told is never taken back: if it can not be committed, the
// core has failed.
class ItemObserver {
 public:
  virtual ~ItemObserver() = default;
  // `before` and `after` are null where there is no item; never both. Both stay the caller's.
  virtual void OnItemChanged(absl::string_view item_key, const internal::v1::StoredItem* before,
                             const internal::v1::StoredItem* after, ItemCause cause) = 0;
};

// Thread-compatible. Staging and observers must outlive it.
class ItemWriter {
 public:
  // An item as it is now, staged changes included. To be used before anything else changes it.
  struct Loaded {
    std::string key;  // of Table::kItems
    std::optional<internal::v1::StoredItem> stored;
  };
  enum class Outcome {
    kChanged,  // the stored item is another one now
    kKept,     // it already had the change, or what beats it
  };

  explicit ItemWriter(Staging* staging) : staging_(staging) {}
  // Observers are told in the order in which they were added.
  void AddObserver(ItemObserver* observer) { observers_.push_back(observer); }

  // DATA_LOSS if the stored item does not parse; otherwise the engine's errors.
  absl::StatusOr<Loaded> Load(std::string item_key) const;
  // Merges a change into the item, by type.
  Outcome Apply(Loaded item, const internal::v1::ItemChange& change, const Stamp& stamp,
                ItemCause cause);
  // Merges a peer's item into the item.
  Outcome Merge(Loaded item, const internal::v1::StoredItem& other, ItemCause cause);
  // Puts `after` in the item's place: what was merged or pruned elsewhere.
  Outcome Replace(Loaded item, const internal::v1::StoredItem& after, ItemCause cause);
  // Removes the item without a trace; nothing if there is none.
  Outcome Remove(Loaded item, ItemCause cause);

 private:
  void Store(Loaded item, const internal::v1::StoredItem& after, ItemCause cause);

  Staging* staging_;
  std::vector<ItemObserver*> observers_;
};

}  // namespace homeport
