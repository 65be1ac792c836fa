// Sums over the items of each namespace, kept up with every change, by which replicas compare what
// they hold without reading it.
//
// A namespace's items are spread over ranges by the hash of their record. A range's sums are taken
// modulo 2^64 over two hashes of each item's key and content, so that an item is added and taken
// away without knowing the others (an incremental multiset hash: Bellare and Micciancio, "A New
// Paradigm for Collision-Free Hashing: Incrementality at Reduced Cost", EUROCRYPT 1997; against
// faults, not against forgers). Only what replicas that have applied the same show alike counts:
// no tombstones, nothing that has an expiry, and of counters and sets the pruned form.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/staging.h"

namespace homeport {

// Ranges of a namespace. Part of the format on disk and of the frames.
inline constexpr uint32_t kDigestRanges = 1024;
// A commit stores only the ranges that it has changed, in one record a namespace; every so many
// records the whole is stored, and takes the place of those before. So a write costs some bytes and
// not a key of its own.
inline constexpr uint64_t kDigestSlots = 64;

// Two hashes of an item.
struct ItemHash {
  uint64_t first = 0;  // never 0 for an item that counts
  uint64_t second = 0;
  friend bool operator==(const ItemHash&, const ItemHash&) = default;
};
// nullopt if the item does not count. `item_key` is a key of Table::kItems.
std::optional<ItemHash> HashItem(absl::string_view item_key, const internal::v1::StoredItem& item);

// The sums of a range.
struct RangeSums {
  uint64_t first = 0;
  uint64_t second = 0;
  uint64_t items = 0;

  void Add(const ItemHash& hash);
  void Take(const ItemHash& hash);
  friend bool operator==(const RangeSums&, const RangeSums&) = default;
};
using NamespaceSums = std::array<RangeSums, kDigestRanges>;

// The range of the record that the item is of. nullopt if `item_key` is not an item's key.
std::optional<uint32_t> DigestRangeOf(absl::string_view item_key);

// The sums that are on the disk, as of `snapshot`. DATA_LOSS if they do not parse; otherwise the
// engine's errors.
absl::StatusOr<std::unique_ptr<NamespaceSums>> ReadDigests(KvEngine* engine,
                                                           absl::string_view name_space,
                                                           const KvSnapshot* snapshot);
// The sums by reading every item.
absl::StatusOr<std::unique_ptr<NamespaceSums>> ComputeDigests(KvEngine* engine,
                                                              absl::string_view name_space,
                                                              const KvSnapshot* snapshot);

// Keeps the sums of one replica: 24 KiB a namespace in memory. Thread-compatible. The staging must
// outlive it.
class DigestSums final : public ItemObserver {
 public:
  explicit DigestSums(Staging* staging) : staging_(staging) {}

  // Takes the sums that are on the disk; where an earlier version of the software wrote the items,
  // computes them. Errors as ReadDigests().
  absl::Status Load();
  void OnItemChanged(absl::string_view item_key, const internal::v1::StoredItem* before,
                     const internal::v1::StoredItem* after, ItemCause cause) override;
  // The namespace's items are removed without being told one by one.
  void Drop(absl::string_view name_space);
  // Stages the sums that have changed. To be called last before the staged changes are written.
  void StageChanged();

 private:
  struct Namespace {
    NamespaceSums sums;
    // Records stored so far.
    uint64_t number = 0;
    // How many ranges have changed, and which: a bit each.
    uint32_t changed = 0;
    std::array<uint64_t, kDigestRanges / 64> changed_ranges{};
  };

  Namespace& At(absl::string_view name_space);
  void MarkChanged(absl::string_view name_space, Namespace& at, uint32_t range);
  absl::Status Recompute();

  Staging* staging_;
  absl::flat_hash_map<std::string, std::unique_ptr<Namespace>> namespaces_;
  // The one that changed last: changes come in runs of one namespace.
  std::string last_name_;
  Namespace* last_ = nullptr;
  // Namespaces with changed sums.
  std::vector<std::string> changed_;
};

}  // namespace homeport
