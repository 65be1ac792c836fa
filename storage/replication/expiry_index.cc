#include "storage/replication/expiry_index.h"

#include <memory>
#include <optional>
#include <string>

#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

// In Table::kMeta, once the index is whole.
constexpr absl::string_view kBuiltKey = "expiry_index";
constexpr size_t kBuildBatchBytes = 1024 * 1024;

}  // namespace

absl::Status ExpiryIndex::Build(KvEngine* engine) {
  auto built = engine->Get(Table::kMeta, kBuiltKey);
  if (!built.ok()) return built.status();
  if (built->has_value()) return absl::OkStatus();
  WriteBatch batch;
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kItems);
  for (it->Seek({}); it->Valid(); it->Next()) {
    StoredItem item;
    if (!item.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("stored item does not parse");
    }
    const std::optional<HybridTime> time = CleanupTime(item);
    if (!time) continue;
    batch.Put(Table::kExpiry, ExpiryKey(*time, it->key()), std::string());
    if (batch.bytes() < kBuildBatchBytes) continue;
    if (auto status = engine->Write(batch, KvEngine::Durability::kBuffered); !status.ok()) {
      return status;
    }
    batch.Clear();
  }
  if (!it->status().ok()) return it->status();
  batch.Put(Table::kMeta, std::string(kBuiltKey), "1");
  return engine->Write(batch, KvEngine::Durability::kSynced);
}

void ExpiryIndex::OnItemChanged(absl::string_view item_key, const StoredItem* before,
                                const StoredItem* after, ItemCause /*cause*/) {
  const std::optional<HybridTime> was = before == nullptr ? std::nullopt : CleanupTime(*before);
  const std::optional<HybridTime> is = after == nullptr ? std::nullopt : CleanupTime(*after);
  if (was == is) return;
  if (was) staging_->Delete(Table::kExpiry, ExpiryKey(*was, item_key));
  if (is) staging_->Put(Table::kExpiry, ExpiryKey(*is, item_key), std::string());
}

}  // namespace homeport
