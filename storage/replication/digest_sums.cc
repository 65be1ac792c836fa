#include "storage/replication/digest_sums.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <utility>

#include "common/base/mutants.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/wire_reader.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

// Changes with what HashItem(), DigestRangeOf() or the stored form mean.
constexpr absl::string_view kFormat = "3";
constexpr absl::string_view kFormatKey = "digests";
// A stored record: its number, then each range that it has, ascending, by its distance to the one
// before (a varint), its two sums and how many items (a varint).
constexpr size_t kNumberBytes = 8;
constexpr size_t kRangeBytesMax = 2 + 16 + 10;

// The whole of a namespace stands under its prefix and slot 0, what has changed since under the
// slots that follow.
std::string DigestKey(absl::string_view name_space, uint64_t slot) {
  std::string key = NamespacePrefix(name_space);
  key.push_back(static_cast<char>(slot));
  return key;
}

absl::Status Damaged() { return absl::DataLossError("a stored digest does not parse"); }

// Ranges come in ascending order.
class RecordWriter {
 public:
  RecordWriter(uint64_t number, size_t ranges) {
    record_.reserve(kNumberBytes + ranges * kRangeBytesMax);
    AppendFixed64(record_, number);
  }
  void Add(uint32_t range, const RangeSums& sums) {
    AppendVarint(record_, range - next_);
    AppendFixed64(record_, sums.first);
    AppendFixed64(record_, sums.second);
    AppendVarint(record_, sums.items);
    next_ = range + 1;
  }
  std::string Finish() && { return std::move(record_); }

 private:
  std::string record_;
  uint32_t next_ = 0;
};

bool TakeRecord(absl::string_view record, NamespaceSums& sums) {
  WireReader reader(record);
  reader.Fixed64();
  for (uint64_t next = 0; reader.ok() && !reader.empty(); ++next) {
    const uint64_t distance = reader.Varint();
    if (distance >= kDigestRanges - next) return false;
    next += distance;
    RangeSums& range = sums[next];
    range.first = reader.Fixed64();
    range.second = reader.Fixed64();
    range.items = reader.Varint();
  }
  return reader.ok();
}

// The number of the last record of the namespace; 0: there is none. Slots are filled one after the
// other, so those since the whole was written stand in their order.
absl::StatusOr<uint64_t> ReadRecords(KvEngine* engine, absl::string_view name_space,
                                     const KvSnapshot* snapshot, NamespaceSums& sums) {
  uint64_t last = 0;
  const std::string prefix = NamespacePrefix(name_space);
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kDigests, PrefixEnd(prefix), snapshot);
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    if (it->key().size() != prefix.size() + 1 || it->value().size() < kNumberBytes) {
      return Damaged();
    }
    const uint64_t number = WireReader(it->value()).Fixed64();
    // A slot that was not used again since the whole was written says nothing any more.
    if (number < last) break;
    if (!TakeRecord(it->value(), sums)) return Damaged();
    last = number;
  }
  if (auto status = it->status(); !status.ok()) return status;
  return last;
}

// The length of the namespace and the record in an item's key, without unescaping; 0: no such key.
size_t RecordPrefixLength(absl::string_view item_key) {
  size_t at = item_key.find('\0');
  if (at == absl::string_view::npos) return 0;
  for (++at;; at += 2) {
    at = item_key.find('\0', at);
    if (at == absl::string_view::npos || at + 1 >= item_key.size()) return 0;
    if (item_key[at + 1] == '\x01') return at + 2;
  }
}

}  // namespace

std::optional<ItemHash> HashItem(absl::string_view item_key, const StoredItem& item) {
  if (item.expires() != 0 || IsTombstone(item)) return std::nullopt;
  const XXH64_hash_t seed = XXH3_64bits(item_key.data(), item_key.size());
  XXH128_hash_t hash;
  if (item.has_value()) {
    // The value is hashed where it is: serializing the item would copy it.
    const XXH128_hash_t value = XXH3_128bits(item.value().data(), item.value().size());
    std::array<char, 40> bytes;
    char* at = bytes.data();
    for (const uint64_t number :
         {item.timestamp(), item.origin(), item.sequence(), value.low64, value.high64}) {
      StoreFixed64(number, at);
      at += 8;
    }
    hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  } else {
    StoredItem pruned = item;
    Prune(&pruned);
    const std::string bytes = pruned.SerializeAsString();
    hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  }
  return ItemHash{hash.low64 == 0 ? 1 : hash.low64, hash.high64};
}

void RangeSums::Add(const ItemHash& hash) {
  first += hash.first;
  second += hash.second;
  ++items;
}

void RangeSums::Take(const ItemHash& hash) {
  first -= hash.first;
  second -= hash.second;
  --items;
}

std::optional<uint32_t> DigestRangeOf(absl::string_view item_key) {
  const size_t length = RecordPrefixLength(item_key);
  if (length == 0) return std::nullopt;
  return static_cast<uint32_t>(XXH3_64bits(item_key.data(), length) % kDigestRanges);
}

absl::StatusOr<std::unique_ptr<NamespaceSums>> ReadDigests(KvEngine* engine,
                                                           absl::string_view name_space,
                                                           const KvSnapshot* snapshot) {
  auto sums = std::make_unique<NamespaceSums>();
  auto last = ReadRecords(engine, name_space, snapshot, *sums);
  if (!last.ok()) return last.status();
  return sums;
}

absl::StatusOr<std::unique_ptr<NamespaceSums>> ComputeDigests(KvEngine* engine,
                                                              absl::string_view name_space,
                                                              const KvSnapshot* snapshot) {
  auto sums = std::make_unique<NamespaceSums>();
  const std::string prefix = NamespacePrefix(name_space);
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kItems, PrefixEnd(prefix), snapshot);
  StoredItem item;
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    const std::optional<uint32_t> range = DigestRangeOf(it->key());
    if (!range || !item.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("a stored item does not parse");
    }
    if (auto hash = HashItem(it->key(), item)) (*sums)[*range].Add(*hash);
  }
  if (auto status = it->status(); !status.ok()) return status;
  return sums;
}

absl::Status DigestSums::Load() {
  auto format = staging_->Get(Table::kMeta, kFormatKey);
  if (!format.ok()) return format.status();
  if (*format != std::string(kFormat)) return Recompute();
  KvEngine* engine = staging_->engine();
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kDigests);
  it->Seek({});
  while (it->Valid()) {
    const size_t end = it->key().find('\0');
    if (end == absl::string_view::npos) return Damaged();
    const std::string name_space(it->key().substr(0, end));
    Namespace& at = At(name_space);
    auto last = ReadRecords(engine, name_space, nullptr, at.sums);
    if (!last.ok()) return last.status();
    at.number = *last;
    it->Seek(PrefixEnd(NamespacePrefix(name_space)));
  }
  return it->status();
}

absl::Status DigestSums::Recompute() {
  KvEngine* engine = staging_->engine();
  std::unique_ptr<KvIterator> old = engine->Iterate(Table::kDigests);
  for (old->Seek({}); old->Valid(); old->Next()) {
    staging_->Delete(Table::kDigests, std::string(old->key()));
  }
  if (auto status = old->status(); !status.ok()) return status;
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kItems);
  StoredItem item;
  for (it->Seek({}); it->Valid(); it->Next()) {
    if (!item.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("a stored item does not parse");
    }
    OnItemChanged(it->key(), nullptr, &item, ItemCause::kMerge);
  }
  if (auto status = it->status(); !status.ok()) return status;
  staging_->Put(Table::kMeta, std::string(kFormatKey), std::string(kFormat));
  return absl::OkStatus();
}

DigestSums::Namespace& DigestSums::At(absl::string_view name_space) {
  if (last_ != nullptr && name_space == last_name_) return *last_;
  auto found = namespaces_.find(name_space);
  if (found == namespaces_.end()) {
    found = namespaces_.try_emplace(std::string(name_space), std::make_unique<Namespace>()).first;
  }
  last_name_ = std::string(name_space);
  last_ = found->second.get();
  return *last_;
}

void DigestSums::OnItemChanged(absl::string_view item_key, const StoredItem* before,
                               const StoredItem* after, ItemCause) {
  if (HP_MUTANT(kDigestIgnoresDelete) && (after == nullptr || IsTombstone(*after))) return;
  std::optional<ItemHash> taken;
  std::optional<ItemHash> added;
  if (before != nullptr) taken = HashItem(item_key, *before);
  if (after != nullptr) added = HashItem(item_key, *after);
  if (taken == added) return;
  const std::optional<uint32_t> range = DigestRangeOf(item_key);
  if (!range) return;
  const absl::string_view name_space = item_key.substr(0, item_key.find('\0'));
  Namespace& at = At(name_space);
  if (taken) at.sums[*range].Take(*taken);
  if (added) at.sums[*range].Add(*added);
  MarkChanged(name_space, at, *range);
}

void DigestSums::MarkChanged(absl::string_view name_space, Namespace& at, uint32_t range) {
  if (at.changed == 0) changed_.emplace_back(name_space);
  uint64_t& word = at.changed_ranges[range / 64];
  const uint64_t bit = uint64_t{1} << range % 64;
  at.changed += (word & bit) == 0 ? 1 : 0;
  word |= bit;
}

void DigestSums::Drop(absl::string_view name_space) {
  auto found = namespaces_.find(name_space);
  if (found == namespaces_.end()) return;
  for (uint32_t range = 0; range < kDigestRanges; ++range) {
    RangeSums& sums = found->second->sums[range];
    if (sums == RangeSums()) continue;
    sums = RangeSums();
    MarkChanged(name_space, *found->second, range);
  }
}

void DigestSums::StageChanged() {
  for (const std::string& name_space : changed_) {
    Namespace& at = *namespaces_.at(name_space);
    const uint64_t slot = at.number++ % kDigestSlots;
    RecordWriter record(at.number, slot == 0 ? kDigestRanges : at.changed);
    if (slot == 0) {
      for (uint32_t range = 0; range < kDigestRanges; ++range) {
        if (at.sums[range] != RangeSums()) record.Add(range, at.sums[range]);
      }
    } else {
      for (uint32_t word = 0; word < at.changed_ranges.size(); ++word) {
        for (uint64_t left = at.changed_ranges[word]; left != 0; left &= left - 1) {
          const uint32_t range = word * 64 + static_cast<uint32_t>(std::countr_zero(left));
          record.Add(range, at.sums[range]);
        }
      }
    }
    staging_->Put(Table::kDigests, DigestKey(name_space, slot), std::move(record).Finish());
    at.changed = 0;
    at.changed_ranges.fill(0);
  }
  changed_.clear();
}

}  // namespace homeport
