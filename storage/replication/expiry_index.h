// Which items may go some day, in the order of time: expired items, tombstones, and items in which
// something was removed. Table::kExpiry has one key for each, ExpiryKey(CleanupTime(item), key).
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/staging.h"

namespace homeport {

// Keeps the index with the items. Thread-compatible. Staging must outlive it.
class ExpiryIndex final : public ItemObserver {
 public:
  explicit ExpiryIndex(Staging* staging) : staging_(staging) {}

  // Makes the index of an engine whose items have none yet, which is noted in the engine; nothing
  // if they have one. Commits by itself, in bounded batches. DATA_LOSS if a stored item does not
  // parse; otherwise the engine's errors.
  static absl::Status Build(KvEngine* engine);

  void OnItemChanged(absl::string_view item_key, const internal::v1::StoredItem* before,
                     const internal::v1::StoredItem* after, ItemCause cause) override;

 private:
  Staging* staging_;
};

}  // namespace homeport
