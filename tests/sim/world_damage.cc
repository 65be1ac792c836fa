// A difference between replicas, as a bug would make it, for the comparisons to find.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "tests/sim/world.h"

namespace homeport::sim {

bool World::Damage() {
  constexpr int kTries = 50;
  if (history_.items() == 0 || shape_.story.kind != RolloutStory::Kind::kNone) return false;
  for (int i = 0; i < kTries; ++i) {
    const int at = static_cast<int>(random_.Below(nodes_.size()));
    const ItemRecord& item = history_.item(static_cast<int>(random_.Below(history_.items())));
    const ShapeNamespace& info = shape_.namespaces[item.name_space];
    if (info.type != internal::v1::ITEM_TYPE_REGISTER || !info.held[shape_.region_of[at]]) continue;
    int holders = 0;
    for (const int region : shape_.region_of) holders += info.held[region] ? 1 : 0;
    auto bytes = nodes_[at].raw->Get(Table::kItems, item.stored_key);
    internal::v1::StoredItem stored;
    if (holders < 2 || !bytes.ok() || !bytes->has_value() || !stored.ParseFromString(**bytes) ||
        !stored.has_value() || stored.expires() != 0) {
      continue;
    }
    WriteBatch batch;
    const EntryRecord* older = nullptr;
    const Effect* what = nullptr;
    for (const auto& [entry, effect] : item.writes) {
      const Effect& did = entry->effects[effect];
      if (did.kind != Effect::Kind::kPut || did.ttl != 0 || entry->lost) continue;
      if (entry->time >= stored.timestamp()) continue;
      older = entry;
      what = &did;
    }
    damaged_value_ = **bytes;
    if (older == nullptr || random_.Chance(300)) {
      batch.Delete(Table::kItems, item.stored_key);
    } else {
      stored.set_timestamp(older->time);
      stored.set_origin(older->origin);
      stored.set_sequence(older->sequence);
      stored.set_value(what->value);
      batch.Put(Table::kItems, item.stored_key, stored.SerializeAsString());
    }
    // A start computes the sums of what has none.
    batch.Delete(Table::kMeta, "digests");
    Crash(at, false, 0);
    {
      auto engine = MemoryEngine::Open(nodes_[at].disk);
      HP_CHECK(engine.ok());
      HP_CHECK((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
    }
    damaged_at_ = at;
    damaged_key_ = item.stored_key;
    trace_->Tell([&] {
      return absl::StrCat(info.name, "/", item.id, "/", item.key, " is damaged at ",
                          shape_.ReplicaNameOf(at));
    });
    Start(at);
    return true;
  }
  return false;
}

bool World::DamageRepaired() {
  const ItemRecord& item = history_.item(history_.FindItem(damaged_key_));
  for (int at = 0; at < size(); ++at) {
    if (!nodes_[at].running()) return false;
    if (!shape_.namespaces[item.name_space].held[shape_.region_of[at]]) continue;
    auto bytes = nodes_[at].raw->Get(Table::kItems, damaged_key_);
    if (!bytes.ok() || !bytes->has_value() || **bytes != damaged_value_) return false;
  }
  return true;
}

}  // namespace homeport::sim
