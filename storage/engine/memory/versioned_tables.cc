#include "storage/engine/memory/versioned_tables.h"

#include <utility>

namespace homeport {

const std::string* VersionedTables::Cell::At(uint64_t version) const {
  const Version* found = nullptr;
  if (newest.number <= version) {
    found = &newest;
  } else {
    for (auto it = older.rbegin(); it != older.rend() && found == nullptr; ++it) {
      if (it->number <= version) found = &*it;
    }
  }
  return found != nullptr && found->value ? &*found->value : nullptr;
}

void VersionedTables::Apply(const WriteBatch& batch, std::vector<Undo>* undo) {
  ++version_;
  for (const WriteBatch::Operation& operation : batch.operations()) {
    switch (operation.kind) {
      case WriteBatch::Operation::Kind::kPut:
        Set(operation.table, operation.key, operation.value, undo);
        break;
      case WriteBatch::Operation::Kind::kDelete:
        Set(operation.table, operation.key, std::nullopt, undo);
        break;
      case WriteBatch::Operation::Kind::kDeleteRange: {
        const Map& map = MapOf(operation.table);
        std::vector<std::string> keys;  // erasing invalidates the map's iterators
        for (auto it = map.lower_bound(operation.key);
             it != map.end() && it->first < operation.value; ++it) {
          keys.push_back(it->first);
        }
        for (const std::string& key : keys) Set(operation.table, key, std::nullopt, undo);
        break;
      }
    }
  }
}

void VersionedTables::TakeBack(std::vector<Undo> undo) {
  ++version_;
  for (auto it = undo.rbegin(); it != undo.rend(); ++it) {
    Set(it->table, it->key, std::move(it->value), nullptr);
  }
}

void VersionedTables::Set(Table table, const std::string& key, std::optional<std::string> value,
                          std::vector<Undo>* undo) {
  Map& map = MapOf(table);
  auto it = map.lower_bound(key);
  if (it == map.end() || it->first != key) {
    if (!value) return;
    if (undo != nullptr) undo->push_back({table, key, std::nullopt});
    bytes_ += key.size() + value->size();
    map.emplace_hint(it, key, Cell{{version_, std::move(value)}, {}});
    return;
  }
  Cell& cell = it->second;
  if (!cell.newest.value && !value) return;
  if (undo != nullptr) undo->push_back({table, key, cell.newest.value});
  if (cell.newest.value) bytes_ -= key.size() + cell.newest.value->size();
  if (value) bytes_ += key.size() + value->size();
  const bool pinned = !pins_.empty() && *pins_.rbegin() >= cell.newest.number;
  if (pinned) cell.older.push_back(std::move(cell.newest));
  cell.newest = {version_, std::move(value)};
  if (!cell.older.empty()) {
    garbage_.push_back({version_, table, key});
  } else if (!cell.newest.value) {
    map.erase(it);
  }
}

uint64_t VersionedTables::Pin() {
  pins_.insert(version_);
  return version_;
}

uint64_t VersionedTables::PinAgain(uint64_t version) {
  pins_.insert(version);
  return version;
}

void VersionedTables::Unpin(uint64_t version) {
  pins_.erase(pins_.find(version));
  const uint64_t oldest_pin = pins_.empty() ? version_ : *pins_.begin();
  while (!garbage_.empty() && garbage_.front().number <= oldest_pin) {
    Trim(garbage_.front().table, garbage_.front().key, oldest_pin);
    garbage_.pop_front();
  }
}

void VersionedTables::Trim(Table table, const std::string& key, uint64_t oldest_pin) {
  Map& map = MapOf(table);
  auto it = map.find(key);
  if (it == map.end()) return;
  Cell& cell = it->second;
  if (cell.newest.number <= oldest_pin) {
    cell.older.clear();
  } else {
    // The last version at or before the pin is the oldest that anyone sees.
    size_t keep = 0;
    while (keep + 1 < cell.older.size() && cell.older[keep + 1].number <= oldest_pin) ++keep;
    cell.older.erase(cell.older.begin(), cell.older.begin() + static_cast<ptrdiff_t>(keep));
  }
  if (cell.older.empty() && !cell.newest.value) map.erase(it);
}

const std::string* VersionedTables::Get(Table table, absl::string_view key,
                                        uint64_t version) const {
  const Map& map = MapOf(table);
  auto it = map.find(key);
  return it == map.end() ? nullptr : it->second.At(version);
}

size_t VersionedTables::VersionsForTest() const {
  size_t versions = 0;
  for (const Map& map : maps_) {
    for (const auto& [key, cell] : map) versions += 1 + cell.older.size();
  }
  return versions;
}

std::optional<VersionedTables::Entry> VersionedTables::Find(Table table, absl::string_view key,
                                                            bool after, absl::string_view end,
                                                            uint64_t version) const {
  const Map& map = MapOf(table);
  auto it = after ? map.upper_bound(key) : map.lower_bound(key);
  for (; it != map.end() && (end.empty() || it->first < end); ++it) {
    if (const std::string* value = it->second.At(version)) return Entry{it->first, *value};
  }
  return std::nullopt;
}

}  // namespace homeport
