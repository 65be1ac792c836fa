#include "tests/sim/change_checks.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/model/item_merge.h"
#include "storage/model/journal_keys.h"

namespace homeport::sim {
namespace {

using internal::v1::StoredConflict;
using internal::v1::StoredItem;

std::string Name(uint64_t origin, uint64_t sequence) {
  return absl::StrCat(absl::Hex(origin, absl::kZeroPad16), "/", sequence);
}

}  // namespace

void ChangeChecks::Fail(int node, const std::string& item_key, const std::string& what) {
  const int item = world_->history().FindItem(item_key);
  std::string name = "an item that nobody wrote";
  if (item != -1) {
    const ItemRecord& record = world_->history().item(item);
    name = absl::StrCat(record.name_space_name, "/", record.id, "/", record.key);
  }
  world_->Fail(absl::StrCat(name, " at ", world_->shape().ReplicaNameOf(node), ": ", what));
}

void ChangeChecks::AfterCommit(int node) {
  Node& at = world_->node(node);
  OfNode& of = nodes_[node];
  const ReplicaView& view = *at.core->view();
  if (at.last_view == nullptr) of.journaled.clear();
  if (of.start != view.self.value()) {
    of.start = view.self.value();
    of.cleaned = 0;
    of.journal.reset();
  }
  const std::vector<Written> written = at.engine->TakeWritten();
  const CoreCounters& counters = at.core->counters();
  const uint64_t cleaned =
      counters.tombstones_dropped + counters.expired_dropped -
      std::exchange(of.cleaned, counters.tombstones_dropped + counters.expired_dropped);
  if (written.empty()) return;
  const auto removed = std::count_if(written.begin(), written.end(), [](const Written& change) {
    return change.table == Table::kItems && change.after.empty() && !change.before.empty();
  });
  // A seeding removes items too: what its sender has removed.
  if (cleaned > 0 && static_cast<uint64_t>(removed) == cleaned) {
    for (const Written& change : written) {
      if (change.table != Table::kItems || !change.after.empty() || change.before.empty()) continue;
      CheckCleaned(node, change);
      if (!world_->failure().empty()) return;
    }
  }
  if (world_->shape().watch_items) CheckJournal(node, of, written);
}

void ChangeChecks::CheckCleaned(int node, const Written& change) {
  History& history = world_->history();
  StoredItem stored;
  const int item = history.FindItem(change.key);
  if (item == -1 || !stored.ParseFromString(change.before)) {
    return Fail(node, change.key, "was cleaned away and does not parse");
  }
  uint64_t& up_to = cleaned_up_to_[change.key];
  up_to = std::max<uint64_t>(up_to, stored.timestamp());
  // Nobody still has a value that it beats.
  ForEachPosition(stored, [&](Origin origin, Sequence sequence) {
    for (int other = 0; other < world_->size(); ++other) {
      const ReplicaView* last = world_->node(other).last_view.get();
      // Of a disk that was lost nobody can say what it had.
      if (other == node || last == nullptr || world_->node(other).disk_lost) continue;
      const int name_space = history.item(item).name_space;
      if (!world_->Listed(other) || world_->node(other).old_disk ||
          !world_->Holds(other, name_space)) {
        continue;
      }
      // Nobody waits for who leaves.
      if (!world_->shape().Lists(other, world_->node(node).version)) continue;
      // What it was given later it has from who had applied all that.
      if (!world_->shape().Holds(other, name_space, 0) || !world_->shape().Lists(other, 0)) {
        continue;
      }
      if (last->AppliedOf(origin) >= sequence) continue;
      return Fail(node, change.key,
                  absl::StrCat("is cleaned away, and ", world_->shape().ReplicaNameOf(other),
                               " has not applied ", Name(origin.value(), sequence.value())));
    }
  });
  // Nobody sends one: all that is as old is applied here.
  const ReplicaView& view = *world_->node(node).core->view();
  for (const auto& [origin, at] : history.origins()) {
    uint64_t next = view.AppliedOf(Origin(origin)).value() + 1;
    const EntryRecord* entry = history.Find(origin, next);
    // What a start says of itself has no items: of one that is not known here yet it may be older.
    while (entry != nullptr && entry->chain) entry = history.Find(origin, ++next);
    if (entry == nullptr || !entry->on_disk || entry->lost || entry->time > stored.timestamp()) {
      continue;
    }
    return Fail(node, change.key,
                absl::StrCat("is cleaned away, and ", Name(origin, next),
                             ", which is older, is not applied there"));
  }
}

void ChangeChecks::OnRegistered(int node, const EntryRecord& entry) {
  for (const Effect& effect : entry.effects) {
    const std::string& key = world_->history().item(effect.item).stored_key;
    auto cleaned = cleaned_up_to_.find(key);
    if (cleaned == cleaned_up_to_.end() || entry.time > cleaned->second) continue;
    return Fail(node, key,
                absl::StrCat("is written by ", Name(entry.origin, entry.sequence),
                             ", which is older than what was cleaned away elsewhere"));
  }
  if (entry.request_id.empty()) return;
  auto [done, first] = done_.try_emplace(entry.request_id, &entry);
  if (first) return;
  const EntryRecord& before = *std::exchange(done->second, &entry);
  // With a disk goes the memory of what was done.
  if (before.lost || world_->node(node).disk_lost) return;
  world_->Fail(absl::StrCat("request ", entry.request_id, " was done twice: as ",
                            Name(before.origin, before.sequence), " and as ",
                            Name(entry.origin, entry.sequence)));
}

void ChangeChecks::CheckJournal(int node, OfNode& of, const std::vector<Written>& written) {
  History& history = world_->history();
  using Lost = std::pair<std::string, std::pair<uint64_t, uint64_t>>;
  std::set<Lost> wanted;
  for (const Written& change : written) {
    if (change.table != Table::kItems || change.before.empty() || change.after.empty()) continue;
    const int item = history.FindItem(change.key);
    if (item == -1) continue;
    const int name_space = history.item(item).name_space;
    if (world_->shape().namespaces[name_space].type != internal::v1::ITEM_TYPE_REGISTER) continue;
    StoredItem before;
    StoredItem after;
    if (!before.ParseFromString(change.before) || !after.ParseFromString(change.after)) continue;
    if (before.origin() == after.origin()) continue;
    if (!before.has_value() && !after.has_value()) continue;
    if (history.ReplicaOf(before.origin()) != node) continue;
    const EntryRecord* winner = history.Find(after.origin(), after.sequence());
    if (winner == nullptr || winner->origin == world_->node(node).core->self().value()) continue;
    const Lost lost{change.key, {before.origin(), before.sequence()}};
    // What was planted there was overtaken once before.
    if (change.key == world_->damaged_key()) continue;
    // An item may be newer than the positions where a peer's records were merged.
    if (winner->by_positions && !winner->observed.Has(before.origin(), before.sequence())) {
      wanted.insert(lost);
    }
  }
  uint64_t listed = 0;
  uint64_t dropped = 0;
  for (const Written& change : written) {
    if (change.table != Table::kJournal || !absl::StartsWith(change.key, kConflictPrefix)) continue;
    if (change.after.empty()) ++dropped;
    if (change.after.empty() || !change.before.empty()) continue;
    StoredConflict conflict;
    if (!conflict.ParseFromString(change.after)) continue;
    const std::string key = ItemKey(conflict.namespace_(), conflict.record_id(), conflict.key());
    const Lost lost{key, {conflict.lost().origin(), conflict.lost().sequence()}};
    const std::string name = Name(lost.second.first, lost.second.second);
    ++listed;
    if (!of.journaled.insert(lost).second && key != world_->damaged_key()) {
      return Fail(node, key, absl::StrCat(name, " is journaled twice"));
    }
    world_->coverage().Covered(Path::kConflictJournaled);
    if (wanted.erase(lost) > 0 || conflict.by_snapshot()) continue;
    if (key == world_->damaged_key()) continue;
    // Who had cleaned away what lost did not see that there was anything to replace.
    if (!conflict.lost().has_value() || conflict.lost().expires() != 0) continue;
    // What overtook it may have been replaced in the same commit.
    const EntryRecord* winner = history.Find(conflict.winner_origin(), conflict.winner_sequence());
    if (winner != nullptr &&
        (!winner->by_positions || !winner->observed.Has(lost.second.first, lost.second.second))) {
      continue;
    }
    return Fail(node, key, absl::StrCat(name, " is journaled, and was replaced or not overtaken"));
  }
  if (!world_->failure().empty()) return;
  // The newest may be more than the journal holds.
  const uint64_t at_once = CheckJournalSize(node, of, listed, dropped);
  if (wanted.size() <= at_once || !world_->failure().empty()) return;
  Fail(node, wanted.begin()->first,
       absl::StrCat(Name(wanted.begin()->second.first, wanted.begin()->second.second),
                    " was overtaken and is not journaled"));
}

uint64_t ChangeChecks::CheckJournalSize(int node, OfNode& of, uint64_t listed, uint64_t dropped) {
  const Node& at = world_->node(node);
  const std::shared_ptr<const ConflictStats> now = at.core->journal().stats();
  const std::shared_ptr<const ConflictStats> before = std::exchange(of.journal, now);
  if (now->bytes > world_->shape().journal_bytes) {
    world_->Fail(absl::StrCat("the conflict journal of ", world_->shape().ReplicaNameOf(node),
                              " has ", now->bytes, " bytes, and may have ",
                              world_->shape().journal_bytes));
    return 0;
  }
  // Of the first commit of a start nobody knows what was before it; and with a namespace that is
  // taken away its conflicts go, which is no lack of room.
  if (before == nullptr || world_->shape().story.kind != RolloutStory::Kind::kNone) {
    const uint64_t evicted = before == nullptr ? 0 : before->evicted;
    return now->evicted > evicted ? ~uint64_t{0} : 0;
  }
  if (before == now) return 0;
  const auto found_of = [](const ConflictStats& stats) {
    uint64_t found = 0;
    for (const auto& [name, count] : stats.found) found += count;
    return found;
  };
  const uint64_t found = found_of(*now) - found_of(*before);
  const uint64_t evicted = now->evicted - before->evicted;
  if (evicted > 0) world_->coverage().Covered(Path::kConflictDropped);
  uint64_t bytes = 0;
  uint64_t conflicts = 0;
  std::unique_ptr<KvIterator> it = at.raw->Iterate(Table::kJournal);
  for (it->Seek({}); it->Valid(); it->Next()) {
    if (it->key() == kJournalStateKey) continue;
    bytes += it->key().size() + it->value().size();
    if (absl::StartsWith(it->key(), kConflictPrefix)) ++conflicts;
  }
  if (bytes != now->bytes || conflicts != now->conflicts ||
      now->conflicts + evicted != before->conflicts + found || listed > found) {
    world_->Fail(absl::StrCat("the conflict journal of ", world_->shape().ReplicaNameOf(node),
                              " says ", now->conflicts, " conflicts of ", now->bytes, " bytes and ",
                              evicted, " dropped; it has ", conflicts, " of ", bytes, ", had ",
                              before->conflicts, " and found ", found));
    return 0;
  }
  if (dropped > evicted) {
    world_->Fail(absl::StrCat("the conflict journal of ", world_->shape().ReplicaNameOf(node),
                              " dropped ", dropped, " and counts ", evicted));
  }
  return found - listed;
}

}  // namespace homeport::sim
