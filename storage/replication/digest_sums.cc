#include "storage/replication/digest_sums.h"

#include <xxhash.h>

#include <array>
#include <map>

#include "common/base/mutants.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

// Changes with what HashItem(), DigestRangeOf() or the stored form mean.
constexpr absl::string_view kFormat = "2";
constexpr absl::string_view kFormatKey = "digests";
// A stored record: its number, then each range that it has with its sums.
constexpr size_t kNumberBytes = 8;
constexpr size_t kRangeBytes = 26;

void AppendLittleEndian(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

uint64_t ReadLittleEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The whole of a namespace stands under its prefix and slot 0, what has changed since under the
// slots that follow.
std::string DigestKey(absl::string_view name_space, uint64_t slot) {
  std::string key = NamespacePrefix(name_space);
  key.push_back(static_cast<char>(slot));
  return key;
}

absl::Status Damaged() { return absl::DataLossError("a stored digest does not parse"); }

void AppendRange(std::string& out, uint32_t range, const RangeSums& sums) {
  out.push_back(static_cast<char>(range & 0xff));
  out.push_back(static_cast<char>(range >> 8));
  AppendLittleEndian(out, sums.first);
  AppendLittleEndian(out, sums.second);
  AppendLittleEndian(out, sums.items);
}

bool TakeRecord(absl::string_view record, NamespaceSums& sums) {
  for (record.remove_prefix(kNumberBytes); !record.empty(); record.remove_prefix(kRangeBytes)) {
    if (record.size() < kRangeBytes) return false;
    const uint32_t range =
        static_cast<unsigned char>(record[0]) + static_cast<unsigned char>(record[1]) * 256u;
    if (range >= kDigestRanges) return false;
    sums[range] = {ReadLittleEndian(record.substr(2)), ReadLittleEndian(record.substr(10)),
                   ReadLittleEndian(record.substr(18))};
  }
  return true;
}

// The number of the last record of the namespace; 0: there is none.
absl::StatusOr<uint64_t> ReadRecords(KvEngine* engine, absl::string_view name_space,
                                     const KvSnapshot* snapshot, NamespaceSums& sums) {
  std::map<uint64_t, std::string> records;  // by number
  uint64_t whole = 0;
  const std::string prefix = NamespacePrefix(name_space);
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kDigests, PrefixEnd(prefix), snapshot);
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    if (it->key().size() != prefix.size() + 1 || it->value().size() < kNumberBytes) {
      return Damaged();
    }
    const uint64_t number = ReadLittleEndian(it->value());
    if (it->key().back() == '\0') whole = number;
    // A slot that was not used again since the whole was written says nothing any more.
    if (number >= whole) records[number] = std::string(it->value());
  }
  if (auto status = it->status(); !status.ok()) return status;
  for (const auto& [number, record] : records) {
    if (!TakeRecord(record, sums)) return Damaged();
  }
  return records.empty() ? 0 : records.rbegin()->first;
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
    const uint64_t content[] = {item.timestamp(), item.origin(), item.sequence(), value.low64,
                                value.high64};
    std::array<char, sizeof(content)> bytes;
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(content[i / 8] >> (i % 8 * 8));
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
  auto found = namespaces_.find(name_space);
  if (found == namespaces_.end()) {
    found = namespaces_.try_emplace(std::string(name_space), std::make_unique<Namespace>()).first;
  }
  return *found->second;
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
  if (at.changed.test(range)) return;
  if (at.changed_list.empty()) changed_.emplace_back(name_space);
  at.changed.set(range);
  at.changed_list.push_back(range);
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
    std::string record;
    AppendLittleEndian(record, at.number);
    if (slot == 0) {
      record.reserve(kNumberBytes + kDigestRanges * kRangeBytes);
      for (uint32_t range = 0; range < kDigestRanges; ++range) {
        if (at.sums[range] != RangeSums()) AppendRange(record, range, at.sums[range]);
      }
    } else {
      record.reserve(kNumberBytes + at.changed_list.size() * kRangeBytes);
      for (const uint32_t range : at.changed_list) AppendRange(record, range, at.sums[range]);
    }
    staging_->Put(Table::kDigests, DigestKey(name_space, slot), std::move(record));
    at.changed.reset();
    at.changed_list.clear();
  }
  changed_.clear();
}

}  // namespace homeport
