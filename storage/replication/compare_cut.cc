#include "storage/replication/compare_cut.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::StoredItem;
using internal::v1::StoredPosition;

absl::Status PutOff(absl::string_view why) { return absl::FailedPreconditionError(why); }

Sequence Of(const Applied& applied, Origin origin) {
  auto found = applied.find(origin);
  return found == applied.end() ? Sequence(0) : found->second;
}

}  // namespace

CompareCut::CompareCut(KvEngine* engine, std::string name_space)
    : engine_(engine),
      name_space_(std::move(name_space)),
      prefix_(NamespacePrefix(name_space_)),
      snapshot_(engine->Snapshot()) {}

absl::Status CompareCut::Open() {
  std::unique_ptr<KvIterator> it =
      engine_->Iterate(Table::kMeta, PrefixEnd(kPositionPrefix), snapshot_.get());
  for (it->Seek(kPositionPrefix); it->Valid(); it->Next()) {
    const std::optional<Origin> origin = ParsePositionKey(it->key());
    StoredPosition stored;
    if (!origin ||
        !stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("a stored position does not parse");
    }
    applied_[*origin] = Sequence(stored.applied());
    if (stored.log_begin() > 1) log_begin_[*origin] = Sequence(stored.log_begin());
    if (!stored.has_closed_end() && stored.covered_by() == 0) continue;
    Ends& ends = ends_[*origin];
    if (stored.has_closed_end()) ends.closed = Sequence(stored.closed_end());
    ends.by = Origin(stored.covered_by());
    ends.at = Sequence(stored.covered_at());
    ends.covered = Sequence(stored.covered_end());
  }
  return it->status();
}

absl::Status CompareCut::Meet(const Applied& theirs) {
  uint64_t between = 0;
  for (const auto& [origin, applied] : applied_) {
    const Sequence lesser = std::min(applied, Of(theirs, origin));
    lesser_[origin] = lesser;
    if (lesser == applied) continue;
    between += applied.value() - lesser.value();
    auto begin = log_begin_.find(origin);
    if (begin != log_begin_.end() && begin->second.value() > lesser.value() + 1) {
      return PutOff(absl::StrCat("the log no longer has entry ", lesser.value() + 1, " of origin ",
                                 absl::Hex(origin.value(), absl::kZeroPad16),
                                 ", which the other side has not applied"));
    }
    unread_[origin] = applied;
  }
  if (between > kTouchedEntriesMax) {
    return PutOff(absl::StrCat(between, " entries are not applied at the other side"));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CompareCut::FindTouched(int budget) {
  while (!unread_.empty()) {
    const auto [origin, last] = *unread_.begin();
    if (log_ == nullptr) {
      log_ = engine_->Iterate(Table::kLog, PrefixEnd(LogKey(origin, last)), snapshot_.get());
      log_->Seek(LogKey(origin, Sequence(Of(lesser_, origin).value() + 1)));
    }
    for (; log_->Valid(); log_->Next()) {
      if (budget-- <= 0) return false;
      auto record = ParseLogRecord(log_->value());
      if (!record.ok()) return record.status();
      if (record->kind != LogRecord::Kind::kEntry) {
        if (auto status = LeftOut(record->body); !status.ok()) return status;
        continue;
      }
      auto entry = ParseEntry(record->body);
      if (!entry.ok()) return entry.status();
      if (auto status = TouchedBy(*entry); !status.ok()) return status;
    }
    if (auto status = log_->status(); !status.ok()) return status;
    log_.reset();
    unread_.erase(unread_.begin());
  }
  return true;
}

// Of a namespace that came here by seeding the log may lack entries which the items show.
absl::Status CompareCut::LeftOut(absl::string_view body) const {
  internal::v1::Skip skip;
  if (!skip.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError("a stored skip does not parse");
  }
  for (const internal::v1::ChangeClass& left_out : skip.classes()) {
    if (left_out.namespace_() != name_space_) continue;
    return PutOff("entries that the other side has not applied were left out of the log");
  }
  return absl::OkStatus();
}

absl::Status CompareCut::TouchedBy(const Entry& entry) {
  for (int i = 0; i < entry.parts_size(); ++i) {
    auto part = ParsePart(entry, i);
    if (!part.ok()) return part.status();
    if (part->change_class().namespace_() != name_space_) continue;
    for (const internal::v1::ItemChange& change : part->changes()) {
      const std::string key = ItemKey(name_space_, part->record_id(), change.key());
      if (auto status = Touch(absl::string_view(key).substr(prefix_.size()), 1); !status.ok()) {
        return status;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CompareCut::Touch(absl::string_view key, size_t times) {
  if (!left_out_.emplace(key).second) return absl::OkStatus();
  left_out_bytes_ += key.size();
  if (left_out_.size() > times * kTouchedMax || left_out_bytes_ > times * kTouchedBytesMax) {
    return PutOff("entries that only one side has applied have touched too many items");
  }
  return absl::OkStatus();
}

absl::Status CompareCut::LeaveOut(const google::protobuf::RepeatedPtrField<std::string>& theirs) {
  for (const std::string& key : theirs) {
    if (auto status = Touch(key, 2); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CompareCut::SumUp(int budget) {
  if (sums_ == nullptr) {
    auto sums = ReadDigests(engine_, name_space_, snapshot_.get());
    if (!sums.ok()) return sums.status();
    sums_ = std::move(*sums);
    summed_ = left_out_.begin();
  }
  for (; *summed_ != left_out_.end(); ++*summed_) {
    if (budget-- <= 0) return false;
    const std::string& key = **summed_;
    auto item = Get(key);
    if (!item.ok()) return item.status();
    if (!item->has_value()) continue;
    const std::string stored_key = absl::StrCat(prefix_, key);
    const std::optional<uint32_t> range = DigestRangeOf(stored_key);
    const std::optional<ItemHash> hash = HashItem(stored_key, **item);
    if (range && hash) (*sums_)[*range].Take(*hash);
  }
  return true;
}

void CompareCut::Seek(absl::string_view after_key) {
  if (items_ != nullptr && after_key == walked_to_) return;
  if (items_ == nullptr) {
    items_ = engine_->Iterate(Table::kItems, PrefixEnd(prefix_), snapshot_.get());
  }
  // A zero byte more makes the next key.
  items_->Seek(after_key.empty() ? prefix_
                                 : absl::StrCat(prefix_, after_key, absl::string_view("\0", 1)));
  walked_to_ = std::string(after_key);
}

absl::StatusOr<CompareCut::Walked> CompareCut::Walk(const Ranges& ranges, absl::string_view to_key,
                                                    int& budget, Item& item) {
  for (; items_->Valid(); items_->Next()) {
    const absl::string_view stored_key = items_->key();
    const absl::string_view key = stored_key.substr(prefix_.size());
    if (!to_key.empty() && key > to_key) return Walked::kEnd;
    if (budget <= 0) return Walked::kPaused;
    --budget;
    walked_to_.assign(key.data(), key.size());
    const std::optional<uint32_t> range = DigestRangeOf(stored_key);
    if (!range) return absl::DataLossError("a stored item's key does not parse");
    if (!ranges.test(*range) || left_out_.contains(walked_to_)) continue;
    StoredItem stored;
    if (!stored.ParseFromArray(items_->value().data(), static_cast<int>(items_->value().size()))) {
      return absl::DataLossError("a stored item does not parse");
    }
    const std::optional<ItemHash> hash = HashItem(stored_key, stored);
    const bool covered = Covered(stored);
    if (!hash && covered) continue;
    item.key = walked_to_;
    item.hash = covered ? hash->first : 0;
    items_->Next();
    return Walked::kItem;
  }
  if (auto status = items_->status(); !status.ok()) return status;
  return Walked::kEnd;
}

absl::StatusOr<std::optional<StoredItem>> CompareCut::Get(absl::string_view key) const {
  auto bytes = engine_->Get(Table::kItems, absl::StrCat(prefix_, key), snapshot_.get());
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<StoredItem>();
  std::optional<StoredItem> item;
  item.emplace();
  if (!item->ParseFromString(**bytes)) return absl::DataLossError("a stored item does not parse");
  return item;
}

bool CompareCut::IsOver(Origin origin) const {
  const auto found = ends_.find(origin);
  if (found == ends_.end()) return false;
  const Ends& ends = found->second;
  if (ends.closed) return Of(lesser_, origin) >= *ends.closed;
  return ends.by != Origin(0) && Of(lesser_, ends.by) >= ends.at &&
         Of(lesser_, origin) >= ends.covered;
}

bool CompareCut::Covered(const StoredItem& item) const {
  bool covered = true;
  ForEachPosition(item, [this, &covered](Origin origin, Sequence sequence) {
    const Sequence lesser = Of(lesser_, origin);
    // What a seeding brought of entries that were lost after it goes on being compared, or only
    // some replicas would have it for ever.
    covered = covered && (sequence <= lesser || IsOver(origin));
  });
  return covered;
}

}  // namespace homeport
