#include "storage/replication/digest_sums.h"

#include <xxhash.h>

#include <array>

#include "common/base/mutants.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

// Changes with what HashItem(), DigestRangeOf() or the stored form mean.
constexpr absl::string_view kFormat = "1";
constexpr absl::string_view kFormatKey = "digests";
constexpr size_t kStoredBytes = 24;

void AppendLittleEndian(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

uint64_t ReadLittleEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string DigestKey(absl::string_view name_space, uint32_t range) {
  std::string key = NamespacePrefix(name_space);
  key.push_back(static_cast<char>(range >> 8));
  key.push_back(static_cast<char>(range & 0xff));
  return key;
}

struct DigestKeyParts {
  absl::string_view name_space;  // into the given key
  uint32_t range;
};
std::optional<DigestKeyParts> ParseDigestKey(absl::string_view stored) {
  if (stored.size() < 3 || stored[stored.size() - 3] != '\0') return std::nullopt;
  const uint32_t range = static_cast<unsigned char>(stored[stored.size() - 2]) * 256u +
                         static_cast<unsigned char>(stored[stored.size() - 1]);
  if (range >= kDigestRanges) return std::nullopt;
  return DigestKeyParts{stored.substr(0, stored.size() - 3), range};
}

std::optional<RangeSums> ParseSums(absl::string_view stored) {
  if (stored.size() != kStoredBytes) return std::nullopt;
  return RangeSums{ReadLittleEndian(stored), ReadLittleEndian(stored.substr(8)),
                   ReadLittleEndian(stored.substr(16))};
}

absl::Status Damaged() { return absl::DataLossError("a stored digest does not parse"); }

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
  const std::string prefix = NamespacePrefix(name_space);
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kDigests, PrefixEnd(prefix), snapshot);
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    auto key = ParseDigestKey(it->key());
    auto stored = ParseSums(it->value());
    if (!key || !stored) return Damaged();
    (*sums)[key->range] = *stored;
  }
  if (auto status = it->status(); !status.ok()) return status;
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
  std::unique_ptr<KvIterator> it = staging_->engine()->Iterate(Table::kDigests);
  for (it->Seek({}); it->Valid(); it->Next()) {
    auto key = ParseDigestKey(it->key());
    auto stored = ParseSums(it->value());
    if (!key || !stored) return Damaged();
    At(key->name_space).sums[key->range] = *stored;
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
    for (const uint32_t range : at.changed_list) {
      const RangeSums& sums = at.sums[range];
      if (sums == RangeSums()) {
        staging_->Delete(Table::kDigests, DigestKey(name_space, range));
        continue;
      }
      std::string stored;
      stored.reserve(kStoredBytes);
      AppendLittleEndian(stored, sums.first);
      AppendLittleEndian(stored, sums.second);
      AppendLittleEndian(stored, sums.items);
      staging_->Put(Table::kDigests, DigestKey(name_space, range), std::move(stored));
    }
    at.changed.reset();
    at.changed_list.clear();
  }
  changed_.clear();
}

}  // namespace homeport
