#include "tests/sim/history.h"

#include <xxhash.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/model/keys.h"

namespace homeport::sim {

void Past::Advance(uint64_t origin, uint64_t sequence) {
  auto at = std::lower_bound(positions_.begin(), positions_.end(), origin,
                             [](const auto& p, uint64_t o) { return p.first < o; });
  if (at != positions_.end() && at->first == origin) {
    at->second = std::max(at->second, sequence);
  } else {
    positions_.insert(at, {origin, sequence});
  }
}

uint64_t Past::Of(uint64_t origin) const {
  auto at = std::lower_bound(positions_.begin(), positions_.end(), origin,
                             [](const auto& p, uint64_t o) { return p.first < o; });
  return at != positions_.end() && at->first == origin ? at->second : 0;
}

void Past::Merge(const Past& other) {
  for (const auto& [origin, sequence] : other.positions_) Advance(origin, sequence);
}

int History::Item(int name_space, const std::string& name_space_name, const std::string& id,
                  const std::string& key) {
  std::string stored = ItemKey(name_space_name, id, key);
  auto [at, added] = item_index_.try_emplace(stored, static_cast<int>(items_.size()));
  if (added) items_.push_back({name_space, name_space_name, id, key, std::move(stored), {}});
  return at->second;
}

int History::FindItem(const std::string& stored_key) const {
  auto found = item_index_.find(stored_key);
  return found == item_index_.end() ? -1 : found->second;
}

EntryRecord* History::Plan(uint64_t origin, uint64_t sequence, uint64_t time) {
  OriginHistory& at = origins_[origin];
  if (sequence == 0 || sequence <= at.last) return nullptr;
  // Chain entries are staged without being planned.
  while (at.entries.size() < sequence) at.entries.emplace_back();
  EntryRecord& entry = at.entries[sequence - 1];
  if (entry.origin != 0) return nullptr;
  entry.origin = origin;
  entry.sequence = sequence;
  entry.time = time;
  return &entry;
}

uint64_t History::HashOf(const internal::v1::Entry& entry) {
  // Everything but the parts themselves, which a sender may leave out; their checksums stay.
  std::string all;
  const auto add = [&all](uint64_t value) {
    all.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  add(entry.timestamp());
  add(entry.mutation_hash());
  for (const internal::v1::Position& position : entry.dependencies()) {
    add(position.origin());
    add(position.sequence());
  }
  all += entry.request_id();
  for (const uint32_t checksum : entry.part_checksums()) add(checksum);
  if (entry.has_chain()) all += entry.chain().SerializeAsString();
  return XXH3_64bits(all.data(), all.size());
}

std::string History::Register(const internal::v1::Entry& entry, int replica) {
  OriginHistory& at = origins_[entry.origin()];
  const std::string name = absl::StrCat(absl::Hex(entry.origin()), "/", entry.sequence());
  if (at.replica == -1) at.replica = replica;
  const uint64_t hash = HashOf(entry);
  if (entry.sequence() <= at.last) {
    return at.entries[entry.sequence() - 1].hash == hash
               ? std::string()
               : absl::StrCat("entry ", name, " is two entries");
  }
  if (entry.sequence() != at.last + 1) return absl::StrCat("entry ", name, " comes after a gap");
  if (at.entries.size() < entry.sequence()) at.entries.emplace_back();
  EntryRecord& record = at.entries[entry.sequence() - 1];
  if (record.origin == 0) {
    if (!entry.has_chain()) return absl::StrCat("entry ", name, " was written by nobody");
    record.origin = entry.origin();
    record.sequence = entry.sequence();
    record.time = entry.timestamp();
    record.chain = true;
  }
  if (record.time != entry.timestamp()) {
    return absl::StrCat("entry ", name, " has another time than its answer said");
  }
  if (entry.sequence() > 1 && at.entries[entry.sequence() - 2].time >= record.time) {
    return absl::StrCat("entry ", name, " is not later than the one before it");
  }
  if (record.time <= at.promised) {
    return absl::StrCat("entry ", name, " is before a watermark of its origin");
  }
  record.hash = hash;
  record.on_disk = true;
  at.last = entry.sequence();
  for (size_t i = 0; i < record.effects.size(); ++i) {
    items_[record.effects[i].item].writes.emplace_back(&record, static_cast<int>(i));
  }
  return std::string();
}

EntryRecord* History::Find(uint64_t origin, uint64_t sequence) {
  auto found = origins_.find(origin);
  if (found == origins_.end() || sequence == 0 || sequence > found->second.entries.size()) {
    return nullptr;
  }
  return &found->second.entries[sequence - 1];
}

uint64_t History::LastOf(uint64_t origin) const {
  auto found = origins_.find(origin);
  return found == origins_.end() ? 0 : found->second.last;
}

int History::ReplicaOf(uint64_t origin) const {
  auto found = origins_.find(origin);
  return found == origins_.end() ? -1 : found->second.replica;
}

int History::Lose(absl::FunctionRef<uint64_t(uint64_t origin)> held) {
  int lost = 0;
  for (auto& [origin, at] : origins_) {
    for (uint64_t i = held(origin); i < at.last; ++i) {
      EntryRecord& entry = at.entries[i];
      if (!entry.lost && entry.acknowledged) ++lost;
      entry.lost = true;
    }
  }
  return lost;
}

Expected History::ExpectedOf(int item, absl::FunctionRef<uint64_t(uint64_t)> applied) const {
  Expected best;
  uint64_t origin = 0;
  uint64_t have = 0;
  for (const auto& [entry, effect] : items_[item].writes) {
    if (entry->origin != origin) {
      origin = entry->origin;
      have = applied(origin);
    }
    if (entry->sequence > have) continue;
    if (best.entry == nullptr || entry->time > best.entry->time ||
        (entry->time == best.entry->time && entry->origin > best.entry->origin)) {
      best = {entry, &entry->effects[effect]};
    }
  }
  return best;
}

ExpectedParts History::PartsOf(int item, absl::FunctionRef<uint64_t(uint64_t)> applied) const {
  ExpectedParts parts;
  std::vector<std::pair<const EntryRecord*, const Effect*>> effects;
  for (const auto& [entry, effect] : items_[item].writes) {
    if (entry->sequence > applied(entry->origin)) continue;
    effects.emplace_back(entry, &entry->effects[effect]);
  }
  // An addition counts while no removal that is applied had observed it. What removed nothing left
  // no trace for others to see.
  std::set<const EntryRecord*> removers;
  const auto saw = [](const EntryRecord* entry, const Effect* effect, const EntryRecord* other) {
    return entry->observed.Has(other->origin, other->sequence) ||
           effect->shown.Has(other->origin, other->sequence);
  };
  const auto removed = [&](const EntryRecord* entry, const std::string* element) {
    std::vector<std::pair<const EntryRecord*, const Effect*>> all;
    for (const auto& [remover, effect] : effects) {
      const bool removes = effect->kind == Effect::Kind::kDelete ||
                           (element != nullptr && effect->kind == Effect::Kind::kSet &&
                            std::find(effect->removed.begin(), effect->removed.end(), *element) !=
                                effect->removed.end());
      if (removes && saw(remover, effect, entry)) all.emplace_back(remover, effect);
    }
    // Who found it removed already removed nothing.
    for (const auto& one : all) {
      const EntryRecord* remover = one.first;
      const bool late = std::any_of(all.begin(), all.end(), [&](const auto& other) {
        return other.first != remover && saw(remover, one.second, other.first);
      });
      if (!late) removers.insert(remover);
    }
    return !all.empty();
  };
  for (const auto& [entry, effect] : effects) {
    if (effect->kind == Effect::Kind::kAdd || !effect->added.empty()) {
      parts.entries.push_back(entry);
    }
    if (effect->kind == Effect::Kind::kAdd && !removed(entry, nullptr)) {
      parts.present = true;
      parts.number += effect->delta;
    }
    for (const std::string& element : effect->added) {
      if (!removed(entry, &element)) parts.elements.insert(element);
    }
  }
  parts.present = parts.present || !parts.elements.empty();
  for (const EntryRecord* remover : removers) parts.entries.push_back(remover);
  return parts;
}

}  // namespace homeport::sim
