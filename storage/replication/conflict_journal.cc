#include "storage/replication/conflict_journal.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "common/status/error.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::StoredConflict;
using internal::v1::StoredItem;

// Conflicts that one commit drops at most when the journal was made smaller, or a namespace taken
// away.
constexpr int kShrinkMax = 1000;

bool IsRegister(const StoredItem& item) {
  return item.shares().empty() && item.removed_shares().empty() && item.elements().empty() &&
         item.removed_by().empty();
}

uint64_t BytesOf(absl::string_view record_prefix, size_t value_bytes) {
  constexpr uint64_t kKeys = 2 * 9;  // a mark and a number, of the conflict and of the index
  return kKeys + record_prefix.size() + value_bytes;
}

std::string RecordPrefixOf(const StoredConflict& conflict) {
  return RecordPrefix(conflict.namespace_(), conflict.record_id());
}

}  // namespace

absl::Status ConflictUnknown(ConflictNumber number) {
  const std::string text = absl::StrCat(absl::Hex(number.value(), absl::kZeroPad16));
  return MakeError(absl::StatusCode::kNotFound, reason::kConflictUnknown,
                   absl::StrCat("conflict ", text,
                                " is not in the journal; the oldest are dropped to make room"),
                   {{"conflict", text}});
}

ConflictJournal::ConflictJournal(Staging* staging, const OriginTable* origins, uint64_t bytes_max)
    : staging_(staging), origins_(origins), bytes_max_(bytes_max) {
  stats_ = std::make_shared<ConflictStats>();
}

absl::Status ConflictJournal::Load() {
  auto stored = staging_->engine()->Get(Table::kJournal, kJournalStateKey);
  if (!stored.ok()) return stored.status();
  if (stored->has_value() && !state_.ParseFromString(**stored)) {
    return absl::DataLossError("the stored state of the conflict journal does not parse");
  }
  changed_ = true;
  OnCommitted();
  return absl::OkStatus();
}

void ConflictJournal::SetBytesMax(uint64_t bytes_max) {
  if (bytes_max == bytes_max_) return;
  bytes_max_ = bytes_max;
  changed_ = true;
}

bool ConflictJournal::Overtakes(const StoredItem& winner, const StoredItem& loser) const {
  if (!IsRegister(winner) || !IsRegister(loser)) return false;
  // Of two deletes both are done. Items of other types look like this too once nothing is in them.
  if (!winner.has_value() && !loser.has_value()) return false;
  if (winner.origin() == loser.origin()) return false;
  const OriginState* accepted = origins_->Find(Origin(loser.origin()));
  if (accepted == nullptr || !origins_->IsOwn(*accepted)) return false;
  const OriginState* by = origins_->Find(Origin(winner.origin()));
  // Of two starts of this replica the later one knew the earlier, and never the other way round.
  if (by != nullptr && origins_->IsOwn(*by)) return by->first_time < accepted->first_time;
  return !origins_->KnewOwn(Origin(winner.origin()), Origin(loser.origin()),
                            Sequence(loser.sequence()));
}

void ConflictJournal::OnItemChanged(absl::string_view item_key, const StoredItem* before,
                                    const StoredItem* after, ItemCause cause) {
  if (cause != ItemCause::kEntry && cause != ItemCause::kMerge) return;
  if (before == nullptr || after == nullptr || StampOf(*before) == StampOf(*after)) return;
  if (!Overtakes(*after, *before) || HP_MUTANT(kJournalMissesConflict)) return;
  const std::optional<ItemKeyParts> parts = ParseItemKey(item_key);
  if (!parts) return;
  const ConflictNumber number(std::max(now_.value(), state_.last() + 1));
  StoredConflict conflict;
  conflict.set_namespace_(std::string(parts->name_space));
  conflict.set_record_id(parts->record_id);
  conflict.set_key(std::string(parts->key));
  *conflict.mutable_lost() = *before;
  conflict.set_winner_timestamp(after->timestamp());
  conflict.set_winner_origin(after->origin());
  conflict.set_winner_sequence(after->sequence());
  conflict.set_by_snapshot(cause == ItemCause::kMerge);
  std::string bytes = conflict.SerializeAsString();
  state_.set_conflicts(state_.conflicts() + 1);
  state_.set_bytes(state_.bytes() + BytesOf(parts->record_prefix, bytes.size()));
  state_.set_last(number.value());
  staging_->Put(Table::kJournal, ConflictKey(number), std::move(bytes));
  staging_->Put(Table::kJournal, ConflictIndexKey(parts->record_prefix, number), std::string());
  fresh_.push_back(number);
  ++found_[conflict.namespace_()];
  changed_ = true;
}

absl::StatusOr<StoredConflict> ConflictJournal::Find(ConflictNumber number) const {
  auto stored = staging_->Get(Table::kJournal, ConflictKey(number));
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return ConflictUnknown(number);
  StoredConflict conflict;
  if (!conflict.ParseFromString(**stored)) {
    return absl::DataLossError("a conflict in the journal does not parse");
  }
  return conflict;
}

void ConflictJournal::Settle(ConflictNumber number, StoredConflict conflict,
                             const Stamp& restored) {
  if (HP_MUTANT(kRestoreNotNoted)) return;
  const size_t before = conflict.ByteSizeLong();
  conflict.set_restored_timestamp(restored.version.time.value());
  conflict.set_restored_origin(restored.version.origin.value());
  conflict.set_restored_sequence(restored.sequence.value());
  std::string bytes = conflict.SerializeAsString();
  state_.set_bytes(state_.bytes() - before + bytes.size());
  staging_->Put(Table::kJournal, ConflictKey(number), std::move(bytes));
  changed_ = true;
}

absl::StatusOr<bool> ConflictJournal::Drop(ConflictNumber number) {
  auto conflict = Find(number);
  if (absl::IsNotFound(conflict.status())) return false;
  if (!conflict.ok()) return conflict.status();
  const std::string record = RecordPrefixOf(*conflict);
  state_.set_conflicts(state_.conflicts() - 1);
  state_.set_bytes(state_.bytes() - BytesOf(record, conflict->ByteSizeLong()));
  staging_->Delete(Table::kJournal, ConflictKey(number));
  staging_->Delete(Table::kJournal, ConflictIndexKey(record, number));
  changed_ = true;
  return true;
}

absl::StatusOr<int> ConflictJournal::Forget(absl::string_view name_space, int max) {
  const std::string prefix = ConflictIndexPrefix(NamespacePrefix(name_space));
  std::vector<ConflictNumber> numbers;
  std::unique_ptr<KvIterator> it = staging_->engine()->Iterate(Table::kJournal, PrefixEnd(prefix));
  for (it->Seek(prefix); it->Valid() && static_cast<int>(numbers.size()) < max; it->Next()) {
    if (auto number = ParseConflictNumber(it->key())) numbers.push_back(*number);
  }
  if (auto status = it->status(); !status.ok()) return status;
  int dropped = 0;
  for (const ConflictNumber number : numbers) {
    auto gone = Drop(number);
    if (!gone.ok()) return gone.status();
    if (*gone) ++dropped;
  }
  return dropped;
}

absl::Status ConflictJournal::Prepare() {
  if (!forgotten_.empty()) {
    auto gone = Forget(*forgotten_.begin(), kShrinkMax);
    if (!gone.ok()) return gone.status();
    if (*gone < kShrinkMax) forgotten_.erase(forgotten_.begin());
  }
  if (auto status = MakeRoom(); !status.ok()) return status;
  if (changed_) {
    staging_->Put(Table::kJournal, std::string(kJournalStateKey), state_.SerializeAsString());
  }
  return absl::OkStatus();
}

absl::Status ConflictJournal::MakeRoom() {
  if (state_.bytes() <= bytes_max_ || HP_MUTANT(kJournalUnbounded)) return absl::OkStatus();
  // What this commit adds makes its own room, whatever that takes; the rest can wait.
  const uint64_t at_once = std::max(bytes_max_, std::min(bytes_committed_, state_.bytes()));
  int left = kShrinkMax;
  auto wanted = [&] {
    return state_.bytes() > at_once || (state_.bytes() > bytes_max_ && left > 0);
  };
  std::unique_ptr<KvIterator> it =
      staging_->engine()->Iterate(Table::kJournal, PrefixEnd(kConflictPrefix));
  it->Seek(ConflictKey(begin_));
  while (wanted()) {
    ConflictNumber number;
    if (it->Valid()) {
      const auto parsed = ParseConflictNumber(it->key());
      if (!parsed) return absl::DataLossError("a key of the conflict journal does not parse");
      number = *parsed;
      it->Next();
    } else {
      if (auto status = it->status(); !status.ok()) return status;
      if (fresh_.empty()) break;
      number = fresh_.front();
      fresh_.pop_front();
    }
    auto dropped = Drop(number);
    if (!dropped.ok()) return dropped.status();
    if (*dropped) state_.set_evicted(state_.evicted() + 1);
    begin_ = ConflictNumber(number.value() + 1);
    --left;
  }
  return absl::OkStatus();
}

void ConflictJournal::OnCommitted() {
  bytes_committed_ = state_.bytes();
  fresh_.clear();
  if (!changed_) return;
  changed_ = false;
  auto stats = std::make_shared<ConflictStats>();
  stats->conflicts = state_.conflicts();
  stats->bytes = state_.bytes();
  stats->bytes_max = bytes_max_;
  stats->evicted = state_.evicted();
  stats->found = found_;
  stats_ = std::move(stats);
}

}  // namespace homeport
