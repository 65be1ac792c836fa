#include "storage/replication/cleaner.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/mutants.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {

using internal::v1::StoredItem;

void Cleaner::Begin(HybridTime applied_up_to, HybridTime now) {
  eager_ = true;
  if (running_) return;
  if (HP_MUTANT(kTombstoneByPositionsAlone)) applied_up_to = now;
  // While a member is cut off nothing moves but time, which only what has expired since waits for.
  const bool moved = applied_up_to != passed_up_to_ || HP_MUTANT(kTombstoneByTimer);
  place_ = moved ? std::string() : ExpiryKey(passed_now_, {});
  if (moved) waiting_ = 0;
  applied_up_to_ = applied_up_to;
  now_ = now;
  running_ = true;
}

absl::Status Cleaner::Step(int max) {
  if (!running_) return absl::OkStatus();
  eager_ = false;
  std::unique_ptr<KvIterator> it = parts_.staging->engine()->Iterate(Table::kExpiry);
  it->Seek(place_);
  for (; it->Valid(); it->Next()) {
    if (max-- == 0) {
      place_ = std::string(it->key());
      return absl::OkStatus();
    }
    const std::optional<ExpiryKeyParts> parts = ParseExpiryKey(it->key());
    if (!parts) return absl::DataLossError("a key of the expiry index does not parse");
    if (parts->time > now_) break;
    auto cleaned = Clean(std::string(parts->item_key), parts->time);
    if (!cleaned.ok()) return cleaned.status();
    eager_ = eager_ || *cleaned;
    if (!*cleaned) ++waiting_;
  }
  if (!it->status().ok()) return it->status();
  running_ = false;
  passed_up_to_ = applied_up_to_;
  passed_now_ = now_;
  parts_.counters->cleanup_waiting = waiting_;
  return absl::OkStatus();
}

bool Cleaner::Settled(const StoredItem& item, absl::string_view item_key) const {
  if (HP_MUTANT(kTombstoneByTimer)) {
    return HybridTime(item.timestamp()) <= FromWallTime(ToWallTime(now_) - absl::Milliseconds(300));
  }
  const std::optional<ItemKeyParts> name = ParseItemKey(item_key);
  if (!name || HybridTime(item.timestamp()) > applied_up_to_) return false;
  bool everywhere = true;
  ForEachPosition(item, [&](Origin origin, Sequence sequence) {
    if (!everywhere) return;
    const OriginState* here = parts_.origins->Find(origin);
    everywhere = here != nullptr && here->applied >= sequence &&
                 parts_.members->AppliedByAll(origin, sequence, name->name_space);
  });
  // A counter's sum goes on until its origin sees it removed. Until all of that is applied here,
  // the removed part has to be known, so that it can be taken from the sum.
  for (const internal::v1::CounterShare& removed : item.removed_shares()) {
    const Origin origin(removed.origin());
    const OriginState* here = parts_.origins->Find(origin);
    everywhere =
        everywhere && here != nullptr && here->applied >= parts_.members->MaxReceived(origin);
  }
  return everywhere;
}

absl::StatusOr<bool> Cleaner::Clean(std::string item_key, HybridTime listed) {
  auto item = parts_.items->Load(std::move(item_key));
  if (!item.ok()) return item.status();
  // What the same commit has changed is looked at when its time comes.
  if (!item->stored || CleanupTime(*item->stored) != listed) return false;
  if (!Settled(*item->stored, item->key)) return false;
  const bool expired = item->stored->expires() != 0 && HybridTime(item->stored->expires()) <= now_;
  const bool tombstone = IsTombstone(*item->stored);
  if (expired || tombstone) {
    parts_.items->Remove(*std::move(item), ItemCause::kClean);
    ++(tombstone ? parts_.counters->tombstones_dropped : parts_.counters->expired_dropped);
    return true;
  }
  StoredItem pruned = *item->stored;
  if (!Prune(&pruned)) return false;
  parts_.items->Replace(*std::move(item), pruned, ItemCause::kClean);
  ++parts_.counters->items_pruned;
  return true;
}

}  // namespace homeport
