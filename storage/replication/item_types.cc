#include "storage/replication/item_types.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/store/validate.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::ItemType;
using internal::v1::StoredItem;

// nullopt: of a tombstone nobody can tell.
std::optional<ItemType> TypeOf(const StoredItem& item) {
  if (item.has_value()) return internal::v1::ITEM_TYPE_REGISTER;
  if (!item.shares().empty()) return internal::v1::ITEM_TYPE_COUNTER;
  if (!IsTombstone(item)) return internal::v1::ITEM_TYPE_SET;
  return std::nullopt;
}

absl::Status CheckNamespace(KvEngine* engine, const NamespaceInfo& info) {
  const std::string prefix = NamespacePrefix(info.name.value());
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kItems, PrefixEnd(prefix));
  int left = kItemTypeScanMax;
  for (it->Seek(prefix); it->Valid() && left > 0; it->Next(), --left) {
    StoredItem item;
    if (!item.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError("stored item does not parse");
    }
    const std::optional<ItemType> type = TypeOf(item);
    if (!type) continue;
    if (*type == info.item_type) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "namespace '", info.name.value(), "' has the item_type ", ItemTypeName(info.item_type),
        " in the topology, but what is stored is of type ", ItemTypeName(*type),
        "; the type can not change while there is data"));
  }
  return it->status();
}

}  // namespace

absl::Status CheckItemTypes(KvEngine* engine, const Topology& topology) {
  for (const NamespaceInfo& info : topology.namespaces()) {
    if (auto status = CheckNamespace(engine, info); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace homeport
