// The conflict journal: register writes that this replica accepted and that were overtaken by a
// write that did not replace them. Nothing else ever tells of them: every replica converges on the
// winner.
//
// An entry has replaced a write exactly if what the entry depends on, by itself or by its origin's
// earlier entries, covers that write: an origin that had applied the write would have found it in
// the item, or something later that its entry then depends on. An item that comes with a peer's
// snapshot says nothing of what it has replaced; what its origin's entries depend on, as far as
// they were applied here, is then all that there is to go by, and the conflict says so.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/model/journal_keys.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/staging.h"

namespace homeport {

// What is in a journal, as of the last commit.
struct ConflictStats {
  uint64_t conflicts = 0;
  uint64_t bytes = 0;  // of keys and values
  uint64_t bytes_max = 0;
  uint64_t evicted = 0;  // dropped to make room, ever
  // Found since the start, by namespace.
  std::map<std::string, uint64_t> found;
};

// Observes the items of a replica's core. What it stages is in the batch that changes the item, so
// a conflict is journaled once, whatever crashes. When the journal is full the oldest go first.
//
// Thread-compatible, but for stats(). Staging and origins must outlive it.
class ConflictJournal final : public ItemObserver {
 public:
  ConflictJournal(Staging* staging, const OriginTable* origins, uint64_t bytes_max);

  // Takes over what the engine has. DATA_LOSS if it does not parse; otherwise the engine's errors.
  absl::Status Load();
  // The time of conflicts that are found from now on.
  void SetTime(HybridTime now) { now_ = now; }
  // A journal that is larger gets smaller with the next commits.
  void SetBytesMax(uint64_t bytes_max);

  void OnItemChanged(absl::string_view item_key, const internal::v1::StoredItem* before,
                     const internal::v1::StoredItem* after, ItemCause cause) override;

  // A conflict as it will be after the commit. NOT_FOUND (CONFLICT_UNKNOWN); DATA_LOSS; the
  // engine's errors.
  absl::StatusOr<internal::v1::StoredConflict> Find(ConflictNumber number) const;
  // Stages that the write `restored` restored a conflict; `conflict` is what Find() has of it.
  void Settle(ConflictNumber number, internal::v1::StoredConflict conflict, const Stamp& restored);
  // Namespaces that this region may not hold: what is here of them goes with the next commits.
  void SetForgotten(std::set<std::string> namespaces) { forgotten_ = std::move(namespaces); }

  // Stages what the commit needs of the journal: room. DATA_LOSS; the engine's errors.
  absl::Status Prepare();
  // What was staged is on the disk now.
  void OnCommitted();
  // Never null. Must be synchronized with OnCommitted() by its caller.
  const std::shared_ptr<const ConflictStats>& stats() const { return stats_; }

 private:
  bool Overtakes(const internal::v1::StoredItem& winner,
                 const internal::v1::StoredItem& loser) const;
  // Stages the removal of a conflict; false if it is gone already.
  absl::StatusOr<bool> Drop(ConflictNumber number);
  // Stages that the conflicts of a namespace go, the first `max` of them; returns how many those
  // were.
  absl::StatusOr<int> Forget(absl::string_view name_space, int max);
  absl::Status MakeRoom();

  Staging* staging_;
  const OriginTable* origins_;
  uint64_t bytes_max_;
  HybridTime now_;
  internal::v1::StoredJournal state_;
  uint64_t bytes_committed_ = 0;
  // Every conflict before this one is gone.
  ConflictNumber begin_;
  // Staged and not committed, so not to be found by iterating.
  std::deque<ConflictNumber> fresh_;
  std::map<std::string, uint64_t> found_;
  std::set<std::string> forgotten_;
  bool changed_ = false;
  std::shared_ptr<const ConflictStats> stats_;
};

// NOT_FOUND (CONFLICT_UNKNOWN).
absl::Status ConflictUnknown(ConflictNumber number);

}  // namespace homeport
