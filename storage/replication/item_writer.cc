#include "storage/replication/item_writer.h"

#include <utility>

namespace homeport {

using internal::v1::ItemChange;
using internal::v1::StoredItem;

absl::StatusOr<ItemWriter::Loaded> ItemWriter::Load(std::string item_key) const {
  auto bytes = staging_->Get(Table::kItems, item_key);
  if (!bytes.ok()) return bytes.status();
  Loaded loaded{std::move(item_key), std::nullopt};
  if (!bytes->has_value()) return loaded;
  loaded.stored.emplace();
  if (!loaded.stored->ParseFromString(**bytes)) {
    return absl::DataLossError("stored item does not parse");
  }
  return loaded;
}

ItemWriter::Outcome ItemWriter::Apply(Loaded item, const ItemChange& change, const Stamp& stamp,
                                      ItemCause cause) {
  const bool fresh = !item.stored || Beats(stamp.version, StampOf(*item.stored).version);
  const bool parts =
      change.has_share() || !change.removed_shares().empty() || !change.elements().empty();
  StoredItem after;
  if (!parts && fresh) {
    // A value is not copied only to be replaced.
    after = ItemOf(change, stamp);
    if (item.stored) MergeInto(*item.stored, &after);
  } else {
    if (item.stored) after = *item.stored;
    if (!ApplyChange(&after, change, stamp)) return Outcome::kKept;
  }
  Store(std::move(item), after, cause);
  return Outcome::kChanged;
}

ItemWriter::Outcome ItemWriter::Merge(Loaded item, const StoredItem& other, ItemCause cause) {
  StoredItem after;
  if (item.stored) after = *item.stored;
  if (!MergeInto(other, &after)) return Outcome::kKept;
  Store(std::move(item), after, cause);
  return Outcome::kChanged;
}

ItemWriter::Outcome ItemWriter::Replace(Loaded item, const StoredItem& after, ItemCause cause) {
  if (item.stored && item.stored->SerializeAsString() == after.SerializeAsString()) {
    return Outcome::kKept;
  }
  Store(std::move(item), after, cause);
  return Outcome::kChanged;
}

ItemWriter::Outcome ItemWriter::Remove(Loaded item, ItemCause cause) {
  if (!item.stored) return Outcome::kKept;
  for (ItemObserver* observer : observers_) {
    observer->OnItemChanged(item.key, &*item.stored, nullptr, cause);
  }
  staging_->Delete(Table::kItems, std::move(item.key));
  return Outcome::kChanged;
}

void ItemWriter::Store(Loaded item, const StoredItem& after, ItemCause cause) {
  for (ItemObserver* observer : observers_) {
    observer->OnItemChanged(item.key, item.stored ? &*item.stored : nullptr, &after, cause);
  }
  staging_->Put(Table::kItems, std::move(item.key), after.SerializeAsString());
}

}  // namespace homeport
