// A difference between replicas, as a bug would make it, for the comparisons to find.
#include <algorithm>
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
    if (random_.Chance(500)) {
      // Others compare with it before it compares with them.
      const Micros until = now_ + 2 * shape_.compare_interval + kSecond;
      for (int other = 0; other < size(); ++other) {
        if (other == at) continue;
        Link& link = LinkOf(other, at);
        Cut(link);
        Schedule(until, [this, &link] { Uncut(link); });
      }
      coverage_->Covered(Path::kDamageHidden);
    }
    return true;
  }
  return false;
}

std::string World::Unsettled() {
  for (int at = 0; at < size(); ++at) {
    if (!Listed(at) || !nodes_[at].running()) continue;
    for (const OriginView& origin : nodes_[at].core->view()->origins) {
      if (!origin.frozen || origin.closed_end) continue;
      return absl::StrCat(shape_.ReplicaNameOf(at), " waits for origin ",
                          absl::Hex(origin.origin.value(), absl::kZeroPad16), " to be closed");
    }
    std::unique_ptr<KvIterator> it = nodes_[at].raw->Iterate(Table::kItems);
    internal::v1::StoredItem item;
    for (it->Seek({}); it->Valid(); it->Next()) {
      HP_CHECK(item.ParseFromArray(it->value().data(), static_cast<int>(it->value().size())));
      if (!IsTombstone(item)) continue;
      const int known = history_.FindItem(std::string(it->key()));
      if (known == -1 || !Holds(at, history_.item(known).name_space)) continue;
      const ItemRecord& record = history_.item(known);
      return absl::StrCat(shape_.ReplicaNameOf(at), " has a tombstone of ", record.name_space_name,
                          "/", record.id, "/", record.key);
    }
  }
  return "";
}

bool World::ClocksAgree() {
  absl::Time earliest = absl::InfiniteFuture();
  absl::Time latest = absl::InfinitePast();
  for (int at = 0; at < size(); ++at) {
    if (!Listed(at) || !nodes_[at].running()) continue;
    const Moment moment = MomentAt(at);
    const absl::Time physical = nodes_[at].core->clock().Physical(moment.wall, moment.steady);
    earliest = std::min(earliest, physical);
    latest = std::max(latest, physical);
  }
  return latest - earliest <= absl::Microseconds(shape_.drift_max);
}

bool World::Settled() {
  const auto& rollouts = shape_.story.rollouts;
  if (!rollouts.empty() && rollouts.back().reach != 1000) return true;
  return Unsettled().empty();
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
