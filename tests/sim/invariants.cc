#include "tests/sim/invariants.h"

#include <xxhash.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/digest_sums.h"
#include "storage/replication/kept_items.h"

namespace homeport::sim {
namespace {

std::string Name(uint64_t origin, uint64_t sequence) {
  return absl::StrCat(absl::Hex(origin, absl::kZeroPad16), "/", sequence);
}

// Which start of all replicas an origin is: undoes what scrambles the world's origins.
uint64_t StartOf(Origin origin) { return origin.value() * 0xf1de83e19937733dull; }

}  // namespace

void Invariants::RegisterNew(int node, const OriginView& origin) {
  History& history = world_->history();
  Node& at = world_->node(node);
  for (uint64_t s = history.LastOf(origin.origin.value()) + 1; s <= origin.received.value(); ++s) {
    auto stored = at.raw->Get(Table::kLog, LogKey(origin.origin, Sequence(s)));
    if (!stored.ok() || !stored->has_value()) {
      return world_->Fail(absl::StrCat("the log of ", world_->shape().ReplicaNameOf(node),
                                       " lacks its own entry ", Name(origin.origin.value(), s)));
    }
    auto record = ParseLogRecord(**stored);
    if (!record.ok()) return world_->Fail(std::string(record.status().message()));
    auto entry = ParseEntry(record->body);
    if (!entry.ok()) return world_->Fail(std::string(entry.status().message()));
    std::string wrong = history.Register(*entry, node);
    if (wrong.empty() && entry->timestamp() <= at.time_floor) {
      wrong = absl::StrCat("time went back at ", world_->shape().ReplicaNameOf(node), ": entry ",
                           Name(origin.origin.value(), s));
    }
    if (!wrong.empty()) return world_->Fail(std::move(wrong));
    at.time_floor = entry->timestamp();
    world_->trace().Mix(entry->timestamp());
    changes_.OnRegistered(node, *history.Find(origin.origin.value(), s));
  }
}

std::string Invariants::NamedBy(int node, const EntryRecord& entry) {
  auto bytes = world_->node(node).raw->Get(Table::kLog,
                                           LogKey(Origin(entry.origin), Sequence(entry.sequence)));
  if (!bytes.ok() || !bytes->has_value()) return " what the log no longer has";
  auto record = ParseLogRecord(**bytes);
  if (!record.ok() || record->kind != LogRecord::Kind::kEntry) return " what was left out here";
  auto stored = ParseEntry(record->body);
  if (!stored.ok()) return " what does not parse";
  std::string names;
  for (const internal::v1::Position& position : stored->dependencies()) {
    absl::StrAppend(&names, " ", Name(position.origin(), position.sequence()));
  }
  return names.empty() ? " nothing" : names;
}

void Invariants::CheckApplied(int node, const OriginView& origin, uint64_t sequence,
                              std::set<int>& touched) {
  History& history = world_->history();
  const ReplicaView& view = *world_->node(node).core->view();
  const EntryRecord* entry = history.Find(origin.origin.value(), sequence);
  if (entry == nullptr || !entry->on_disk) {
    return world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node), " has applied ",
                                     Name(origin.origin.value(), sequence),
                                     ", which nobody wrote"));
  }
  if (entry->lost) {
    return world_->Fail(absl::StrCat("entry ", Name(entry->origin, entry->sequence),
                                     " was on no disk and is applied again"));
  }
  // A start may find that its clock is behind what it applied before.
  Node& here = world_->node(node);
  const bool started = here.last_view == nullptr || here.last_view->self != view.self;
  if (!started && history.ReplicaOf(entry->origin) != node) {
    const Moment moment = world_->MomentAt(node);
    const absl::Time limit = here.core->clock().Physical(moment.wall, moment.steady) +
                             absl::Microseconds(world_->shape().drift_max);
    if (ToWallTime(HybridTime(entry->time)) > limit) {
      return world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node), " has applied ",
                                       Name(entry->origin, entry->sequence),
                                       ", which is from the future"));
    }
  }
  const auto missing = [&](const Past& past) {
    for (const auto& [dependency, at_least] : past.positions()) {
      if (view.AppliedOf(Origin(dependency)).value() >= at_least) continue;
      const EntryRecord* needed = history.Find(dependency, at_least);
      if (needed != nullptr && needed->lost) continue;
      world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node), " has applied ",
                                Name(entry->origin, entry->sequence), " before ",
                                Name(dependency, at_least), ", which its writer had seen; it names",
                                NamedBy(node, *entry)));
      return true;
    }
    return false;
  };
  if (missing(entry->past)) return;
  for (const Effect& effect : entry->effects) {
    touched.insert(effect.item);
    // A delete rests on all that it found. Where it was accepted the positions are behind that, and
    // so they may be where that replica's cut came to.
    if (effect.kind == Effect::Kind::kDelete && !world_->node(node).seeded &&
        missing(effect.shown)) {
      return;
    }
  }
}

void Invariants::AfterCommit(int node) {
  Node& at = world_->node(node);
  const std::shared_ptr<const ReplicaView> view = at.core->view();
  const ReplicaView* last = at.last_view.get();
  History& history = world_->history();
  std::set<int> touched;
  if (last != nullptr) {
    for (const OriginView& before : last->origins) {
      if (view->Find(before.origin) == nullptr) {
        return world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node), " forgot origin ",
                                         Name(before.origin.value(), 0)));
      }
    }
  }
  // What failed writes of earlier starts left comes before this start, in the order of starts.
  std::vector<const OriginView*> starts;
  for (const OriginView& origin : view->origins) {
    const int replica = history.ReplicaOf(origin.origin.value());
    if (origin.origin == view->self || replica == node || replica == -1) starts.push_back(&origin);
  }
  std::sort(starts.begin(), starts.end(), [](const OriginView* a, const OriginView* b) {
    return StartOf(a->origin) < StartOf(b->origin);
  });
  for (const OriginView* origin : starts) {
    RegisterNew(node, *origin);
    if (!world_->failure().empty()) return;
  }
  for (const OriginView& origin : view->origins) {
    const uint64_t id = origin.origin.value();
    const OriginView* before = last == nullptr ? nullptr : last->Find(origin.origin);
    if (origin.applied > origin.received) {
      return world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node),
                                       " applied more than it received of ", Name(id, 0)));
    }
    if (before != nullptr &&
        (origin.received < before->received || origin.applied < before->applied ||
         origin.watermark < before->watermark)) {
      // A start takes the watermark anew from what it has applied.
      const bool restarted = view->self != last->self && origin.received >= before->received &&
                             origin.applied >= before->applied;
      if (!restarted) {
        return world_->Fail(absl::StrCat("a position of ", world_->shape().ReplicaNameOf(node),
                                         " went back: ", Name(id, before->received.value()),
                                         " received is now ", origin.received.value(), ", applied ",
                                         before->applied.value(), " now ", origin.applied.value()));
      }
    }
    if (origin.received.value() > history.LastOf(id)) {
      return world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node), " has received ",
                                       Name(id, origin.received.value()), " of which there are ",
                                       history.LastOf(id)));
    }
    // On a disk that was not known before, everything is looked at.
    const uint64_t from = before == nullptr ? 0 : before->applied.value();
    for (uint64_t s = from + 1; s <= origin.applied.value(); ++s) {
      CheckApplied(node, origin, s, touched);
      if (!world_->failure().empty()) return;
    }
    const EntryRecord* next = history.Find(id, origin.applied.value() + 1);
    if (next != nullptr && next->on_disk && !next->lost && next->time <= origin.watermark.value()) {
      return world_->Fail(absl::StrCat("the watermark of ", Name(id, 0), " at ",
                                       world_->shape().ReplicaNameOf(node),
                                       " has passed an entry that is not applied there"));
    }
    world_->trace().Mix(origin.received.value() << 32 ^ origin.applied.value());
  }
  changes_.AfterCommit(node);
  at.last_view = view;
  for (const int item : touched) {
    CheckItem(node, item);
    if (!world_->failure().empty()) return;
  }
}

void Invariants::OnFrame(const Link& link, const PeerBatch& batch) {
  const int node = link.to;
  const uint64_t bit = uint64_t{1} << world_->shape().region_of[node];
  for (const std::string& bytes : batch.block.entries()) {
    Frame& frame = frames_[XXH3_64bits(bytes.data(), bytes.size())];
    if ((frame.regions & bit) != 0 && link.version == 0) continue;
    if (frame.entry == nullptr) {
      auto entry = ParseEntry(bytes);
      if (!entry.ok()) return world_->Fail(std::string(entry.status().message()));
      frame.entry = world_->history().Find(entry->origin(), entry->sequence());
      if (frame.entry == nullptr || !frame.entry->on_disk ||
          frame.entry->hash != History::HashOf(*entry)) {
        return world_->Fail(absl::StrCat("a link carries ",
                                         Name(entry->origin(), entry->sequence()),
                                         ", which is not the entry of that name"));
      }
    }
    bool may = frame.entry->chain;
    for (int version = link.version_first; version <= link.version && !may; ++version) {
      may = world_->shape().Holds(node, frame.entry->name_space, version);
    }
    if (!may) {
      return world_->Fail(absl::StrCat(
          "a link carries an entry of ", world_->shape().namespaces[frame.entry->name_space].name,
          " to ", world_->shape().ReplicaNameOf(node), ", which may not hold it"));
    }
    if (link.version == 0) frame.regions |= bit;
  }
}

std::string Invariants::Where(int node, int item) const {
  const ItemRecord& record = world_->history().item(item);
  return absl::StrCat(record.name_space_name, "/", record.id, "/", record.key, " at ",
                      world_->shape().ReplicaNameOf(node));
}

void Invariants::CheckItem(int node, int item) {
  Node& at = world_->node(node);
  const ItemRecord& record = world_->history().item(item);
  auto bytes = at.raw->Get(Table::kItems, record.stored_key);
  if (!bytes.ok()) return world_->Fail(std::string(bytes.status().message()));
  // What was given to the region is there when all of it is.
  if (world_->IsPartial(node, record.name_space)) return;
  if (!world_->Holds(node, record.name_space)) {
    if (KeptCutOf(*at.core->view(), record.name_space_name) != nullptr) return;
    if (bytes->has_value())
      world_->Fail(absl::StrCat(Where(node, item), ": is where it may not be"));
    return;
  }
  if (bytes->has_value() && !stored_.ParseFromString(**bytes)) {
    return world_->Fail(absl::StrCat(Where(node, item), ": does not parse"));
  }
  const internal::v1::StoredItem* found = bytes->has_value() ? &stored_ : nullptr;
  if (world_->shape().namespaces[record.name_space].type == internal::v1::ITEM_TYPE_REGISTER) {
    CheckRegister(node, item, found);
  } else {
    CheckParts(node, item, found);
  }
}

void Invariants::CheckRegister(int node, int item, const internal::v1::StoredItem* stored) {
  const ReplicaView& view = *world_->node(node).core->view();
  Expected expected = world_->history().ExpectedOf(
      item, [&view](uint64_t origin) { return view.AppliedOf(Origin(origin)).value(); });
  if (stored != nullptr) {
    // A peer's snapshot shows what it had applied beyond what is applied here. Of entries that were
    // lost after that, comparisons bring it to everybody.
    const auto& writes = world_->history().item(item).writes;
    for (const auto& [entry, effect] : writes) {
      if (!world_->node(node).seeded && !entry->lost) continue;
      if (entry->time != stored->timestamp() || entry->origin != stored->origin()) continue;
      if (expected.entry != nullptr && expected.entry->time > entry->time) continue;
      expected = {entry, &entry->effects[effect]};
    }
  }
  if (expected.entry == nullptr) {
    if (stored != nullptr) world_->Fail(absl::StrCat(Where(node, item), ": nobody wrote it"));
    return;
  }
  const auto wanted = [&expected] {
    return absl::StrCat("; the greatest write applied is ",
                        Name(expected.entry->origin, expected.entry->sequence));
  };
  const bool deleted = expected.effect->kind == Effect::Kind::kDelete;
  if (stored == nullptr) {
    if (!deleted && expected.effect->ttl == 0) {
      return world_->Fail(absl::StrCat(Where(node, item), ": is gone", wanted()));
    }
    return CheckCleaned(node, item, *expected.entry);
  }
  if (deleted && stored->has_value()) {
    return world_->Fail(absl::StrCat(Where(node, item), ": is back", wanted()));
  }
  if (stored->timestamp() != expected.entry->time || stored->origin() != expected.entry->origin ||
      stored->sequence() != expected.entry->sequence) {
    return world_->Fail(absl::StrCat(Where(node, item), ": is of ",
                                     Name(stored->origin(), stored->sequence()), wanted()));
  }
  // What expires may be a tombstone before it goes.
  if (!deleted && !stored->has_value() && expected.effect->ttl != 0) return;
  if (stored->value() != expected.effect->value) {
    return world_->Fail(absl::StrCat(Where(node, item), ": has another value", wanted()));
  }
}

void Invariants::CheckParts(int node, int item, const internal::v1::StoredItem* stored) {
  const ReplicaView& view = *world_->node(node).core->view();
  // As of a register: entries that were lost are there as far as the item names them.
  const Past lost = stored == nullptr ? Past() : LostOf(*stored);
  const ExpectedParts expected = world_->history().PartsOf(item, [&view, &lost](uint64_t origin) {
    return std::max(view.AppliedOf(Origin(origin)).value(), lost.Of(origin));
  });
  const bool present = stored != nullptr && !IsTombstone(*stored);
  // After a seeding what is newer than the positions is here too, until they get there.
  if (world_->node(node).seeded && !world_->converged()) return;
  if (present != expected.present) {
    return world_->Fail(absl::StrCat(Where(node, item), present ? ": is back" : ": is gone"));
  }
  if (!present) return;
  std::set<std::string> elements;
  for (const absl::string_view element : SetElements(*stored)) {
    elements.insert(std::string(element));
  }
  if (elements != expected.elements) {
    return world_->Fail(absl::StrCat(Where(node, item), ": has ", absl::StrJoin(elements, " "),
                                     "; its history makes ", absl::StrJoin(expected.elements, " "),
                                     "; stored: ", stored->ShortDebugString()));
  }
  if (CounterValue(*stored) != expected.number) {
    return world_->Fail(absl::StrCat(Where(node, item), ": is ", CounterValue(*stored),
                                     "; its history makes ", expected.number));
  }
}

Past Invariants::LostOf(const internal::v1::StoredItem& item) {
  Past lost;
  ForEachPosition(item, [this, &lost](Origin origin, Sequence sequence) {
    const EntryRecord* entry = world_->history().Find(origin.value(), sequence.value());
    if (entry != nullptr && entry->lost) lost.Advance(origin.value(), sequence.value());
  });
  return lost;
}

bool Invariants::DifferByLost(int a, int b, const std::string& name_space) {
  const std::string prefix = NamespacePrefix(name_space);
  std::map<std::string, std::pair<std::string, std::string>> items;
  for (const int node : {a, b}) {
    auto it = world_->node(node).raw->Iterate(Table::kItems, PrefixEnd(prefix));
    for (it->Seek(prefix); it->Valid(); it->Next()) {
      auto& both = items[std::string(it->key())];
      (node == a ? both.first : both.second) = std::string(it->value());
    }
  }
  bool differ = false;
  for (const auto& [key, both] : items) {
    internal::v1::StoredItem at_a;
    internal::v1::StoredItem at_b;
    if (!at_a.ParseFromString(both.first) || !at_b.ParseFromString(both.second)) return false;
    if (HashItem(key, at_a) == HashItem(key, at_b)) continue;
    if (LostOf(at_a).positions().empty() && LostOf(at_b).positions().empty()) return false;
    differ = true;
  }
  return differ;
}

bool Invariants::AwaitsRepair() {
  const auto& namespaces = world_->shape().namespaces;
  for (size_t i = 0; i < namespaces.size(); ++i) {
    int first = -1;
    std::unique_ptr<NamespaceSums> sums;
    for (int node = 0; node < world_->size(); ++node) {
      if (!world_->Listed(node) || !world_->Holds(node, static_cast<int>(i))) continue;
      auto kept = ReadDigests(world_->node(node).raw, namespaces[i].name, nullptr);
      if (!kept.ok()) return false;
      if (first == -1) {
        first = node;
        sums = *std::move(kept);
      } else if (**kept != *sums && DifferByLost(first, node, namespaces[i].name)) {
        return true;
      }
    }
  }
  return false;
}

bool Invariants::RestsOnLost(int node, const std::string& item_key,
                             const internal::v1::StoredItem& theirs) {
  if (!LostOf(theirs).positions().empty()) return true;
  auto bytes = world_->node(node).raw->Get(Table::kItems, item_key);
  internal::v1::StoredItem ours;
  return bytes.ok() && bytes->has_value() && ours.ParseFromString(**bytes) &&
         !LostOf(ours).positions().empty();
}

// A delete may be forgotten once every replica that may hold the item has applied it.
void Invariants::CheckCleaned(int node, int item, const EntryRecord& entry) {
  if (!cleaned_.insert({item, {entry.origin, entry.sequence}}).second) return;
  const int name_space = world_->history().item(item).name_space;
  for (int other = 0; other < world_->size(); ++other) {
    const ReplicaView* last = world_->node(other).last_view.get();
    // Of a disk that was lost nobody can say what it had.
    if (other == node || last == nullptr || world_->node(other).disk_lost) continue;
    if (!world_->Listed(other) || world_->node(other).old_disk) continue;
    if (!world_->Holds(other, name_space)) continue;
    // Nobody waits for who leaves.
    if (!world_->shape().Lists(other, world_->node(node).version)) continue;
    // What it was given later it has from who had applied the delete.
    if (!world_->shape().Holds(other, name_space, 0) || !world_->shape().Lists(other, 0)) continue;
    if (last->AppliedOf(Origin(entry.origin)).value() >= entry.sequence) continue;
    return world_->Fail(absl::StrCat(Where(node, item), ": a delete is forgotten that ",
                                     world_->shape().ReplicaNameOf(other), " has not applied"));
  }
}

void Invariants::CheckStore(int node) {
  Node& at = world_->node(node);
  std::unique_ptr<KvIterator> it = at.raw->Iterate(Table::kItems);
  for (it->Seek({}); it->Valid(); it->Next()) {
    if (world_->history().FindItem(std::string(it->key())) == -1) {
      return world_->Fail(
          absl::StrCat(world_->shape().ReplicaNameOf(node), " stores an item that nobody wrote"));
    }
  }
  it = at.raw->Iterate(Table::kLog);
  for (it->Seek({}); it->Valid(); it->Next()) {
    auto record = ParseLogRecord(it->value());
    if (!record.ok()) return world_->Fail(std::string(record.status().message()));
    if (record->kind != LogRecord::Kind::kEntry) continue;
    auto entry = ParseEntry(record->body);
    if (!entry.ok()) return world_->Fail(std::string(entry.status().message()));
    const EntryRecord* known = world_->history().Find(entry->origin(), entry->sequence());
    if (known == nullptr || known->hash != History::HashOf(*entry)) {
      return world_->Fail(absl::StrCat("the log of ", world_->shape().ReplicaNameOf(node), " has ",
                                       Name(entry->origin(), entry->sequence()),
                                       ", which is not the entry of that name"));
    }
    bool may = known->chain;
    for (int version = 0; version <= at.version && !may; ++version) {
      may = world_->shape().Holds(node, known->name_space, version);
    }
    if (!may) {
      return world_->Fail(absl::StrCat("the log of ", world_->shape().ReplicaNameOf(node),
                                       " has an entry that it may not hold"));
    }
  }
}

// The digests are those of the items, and the same everywhere.
void Invariants::CheckDigests(int name_space) {
  const std::string& name = world_->shape().namespaces[name_space].name;
  std::unique_ptr<NamespaceSums> first;
  for (int node = 0; node < world_->size() && world_->failure().empty(); ++node) {
    if (!world_->Listed(node) || !world_->Holds(node, name_space)) continue;
    KvEngine* engine = world_->node(node).raw;
    auto kept = ReadDigests(engine, name, nullptr);
    auto computed = ComputeDigests(engine, name, nullptr);
    if (!kept.ok() || !computed.ok()) return world_->Fail("digests can not be read");
    const std::string where = absl::StrCat(name, " at ", world_->shape().ReplicaNameOf(node));
    if (**kept != **computed) {
      return world_->Fail(absl::StrCat("the digests of ", where, " are not those of its items"));
    }
    if (first == nullptr) first = std::move(*computed);
    if (**kept != *first) {
      return world_->Fail(absl::StrCat("the digests of ", where, " differ from another's"));
    }
  }
}

void Invariants::CheckConverged() {
  History& history = world_->history();
  for (const auto& [origin, at] : history.origins()) {
    for (const EntryRecord& entry : at.entries) {
      if (entry.acknowledged && !entry.on_disk) {
        return world_->Fail(absl::StrCat("the acknowledged entry ", Name(origin, entry.sequence),
                                         " is on no disk"));
      }
      if (!entry.on_disk || entry.lost) break;
      // What a region that leaves writes of itself after it has handed over, nobody waits for.
      if (entry.chain && !world_->Listed(at.replica)) continue;
      for (int node = 0; node < world_->size(); ++node) {
        if (!world_->Listed(node)) continue;
        const uint64_t applied = world_->node(node).core->view()->AppliedOf(Origin(origin)).value();
        if (applied >= entry.sequence) continue;
        return world_->Fail(absl::StrCat(world_->shape().ReplicaNameOf(node), " never got ",
                                         Name(origin, entry.sequence),
                                         entry.acknowledged ? ", which was acknowledged" : ""));
      }
    }
  }
  for (int node = 0; node < world_->size(); ++node) {
    if (!world_->Listed(node)) continue;
    CheckStore(node);
    for (int item = 0; item < history.items() && world_->failure().empty(); ++item) {
      CheckItem(node, item);
    }
    if (!world_->failure().empty()) return;
  }
  for (size_t i = 0; i < world_->shape().namespaces.size(); ++i) CheckDigests(static_cast<int>(i));
}

}  // namespace homeport::sim
