#include "storage/replication/seed_receiver.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::SeedChunk;
using internal::v1::StoredItem;
using internal::v1::StoredRequest;
using internal::v1::StoredSeed;

// One key a namespace that is being seeded, and one while the whole replica is.
constexpr absl::string_view kSeedPrefix = "seed/";
constexpr absl::string_view kWholeReplicaKey = "seeding";

}  // namespace

absl::Status SeedReceiver::Load() {
  auto whole = staging_->Get(Table::kMeta, kWholeReplicaKey);
  if (!whole.ok()) return whole.status();
  whole_replica_ = whole->has_value();
  std::unique_ptr<KvIterator> it =
      staging_->engine()->Iterate(Table::kMeta, PrefixEnd(kSeedPrefix));
  for (it->Seek(kSeedPrefix); it->Valid(); it->Next()) {
    StoredSeed stored;
    if (!stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError(
          absl::StrCat("the stored progress ", absl::CEscape(it->key()), " does not parse"));
    }
    Seeding& seeding = seedings_[std::string(it->key().substr(kSeedPrefix.size()))];
    if (stored.done()) {
      seeding.place = SeedEnd();
    } else if (!stored.after_request_key().empty()) {
      seeding.place = {SeedPlace::Part::kRequestIds, stored.after_request_key()};
    } else {
      seeding.place.key = stored.after_key();
    }
    if (stored.has_cut()) {
      auto cut = ParseCut(stored.cut());
      if (!cut.ok()) return cut.status();
      seeding.cut = std::move(*cut);
    }
    for (const internal::v1::Position& position : stored.at_least()) {
      seeding.at_least.emplace_back(Origin(position.origin()), Sequence(position.sequence()));
    }
    seeding.partial = stored.partial();
    seeding.items = stored.items();
    seeding.bytes = stored.bytes();
    seeding.items_total = stored.items_total();
    seeding.owed = stored.owed();
  }
  return it->status();
}

void SeedReceiver::Persist(const std::string& name_space, const Seeding& seeding) {
  StoredSeed stored;
  switch (seeding.place.part) {
    case SeedPlace::Part::kItems:
      stored.set_after_key(seeding.place.key);
      break;
    case SeedPlace::Part::kRequestIds:
      stored.set_after_request_key(seeding.place.key);
      break;
    case SeedPlace::Part::kEnd:
      stored.set_done(true);
  }
  if (seeding.cut) {
    stored.set_has_cut(true);
    AddCut(*seeding.cut, stored.mutable_cut());
  }
  for (const auto& [origin, sequence] : seeding.at_least) {
    internal::v1::Position* position = stored.add_at_least();
    position->set_origin(origin.value());
    position->set_sequence(sequence.value());
  }
  stored.set_partial(seeding.partial);
  stored.set_items(seeding.items);
  stored.set_bytes(seeding.bytes);
  stored.set_items_total(seeding.items_total);
  stored.set_owed(seeding.owed);
  staging_->Put(Table::kMeta, absl::StrCat(kSeedPrefix, name_space), stored.SerializeAsString());
  changed_ = true;
}

void SeedReceiver::Forget(const std::string& name_space) {
  staging_->Delete(Table::kMeta, absl::StrCat(kSeedPrefix, name_space));
  changed_ = true;
}

void SeedReceiver::Restart() {
  session_.reset();
  queue_.clear();
  queue_bytes_ = 0;
  ++generation_;
  changed_ = true;
}

void SeedReceiver::SeedAll(const std::vector<std::string>& namespaces) {
  if (whole_replica_) {
    std::vector<std::string> gone;
    for (const auto& [name, seeding] : seedings_) {
      const auto named = std::find(namespaces.begin(), namespaces.end(), name);
      if (named == namespaces.end() && seeding.place != SeedEnd()) gone.push_back(name);
    }
    for (const std::string& name : gone) TakeAway(name);
    return;
  }
  Restart();
  whole_replica_ = true;
  staging_->Put(Table::kMeta, std::string(kWholeReplicaKey), std::string());
  for (const std::string& name : namespaces) seedings_.try_emplace(name);
  for (auto& [name, seeding] : seedings_) {
    // What was seeded before may be as of a cut that says less than the replica has by now.
    Seeding anew;
    anew.at_least = std::move(seeding.at_least);
    anew.partial = seeding.partial;
    anew.owed = seeding.owed;
    seeding = std::move(anew);
    Persist(name, seeding);
  }
}

void SeedReceiver::Give(const std::string& name_space,
                        std::vector<std::pair<Origin, Sequence>> at_least) {
  Restart();
  Seeding& seeding = seedings_[name_space];
  seeding = Seeding();
  seeding.at_least = std::move(at_least);
  seeding.partial = true;
  Persist(name_space, seeding);
}

void SeedReceiver::Owe(const std::string& name_space, Origin origin, Sequence last,
                       uint64_t entries) {
  // What was taken in may be as of before the entries.
  Restart();
  Seeding& seeding = seedings_[name_space];
  Seeding anew;
  anew.at_least = std::move(seeding.at_least);
  anew.partial = true;
  anew.owed = seeding.owed + entries;
  auto known = std::find_if(anew.at_least.begin(), anew.at_least.end(),
                            [origin](const auto& position) { return position.first == origin; });
  if (known == anew.at_least.end()) {
    anew.at_least.emplace_back(origin, last);
  } else {
    known->second = std::max(known->second, last);
  }
  seeding = std::move(anew);
  ended_ = false;
  Persist(name_space, seeding);
}

std::vector<std::string> SeedReceiver::Partial() const {
  std::vector<std::string> names;
  for (const auto& [name, seeding] : seedings_) {
    if (seeding.partial) names.push_back(name);
  }
  return names;
}

void SeedReceiver::TakeAway(absl::string_view name_space) {
  auto found = seedings_.find(name_space);
  if (found == seedings_.end()) return;
  Restart();
  Forget(found->first);
  seedings_.erase(found);
  if (!whole_replica_) return;
  if (seedings_.empty()) Persist(std::string(), seedings_[std::string()]);
  ended_ = std::all_of(seedings_.begin(), seedings_.end(),
                       [](const auto& one) { return one.second.place == SeedEnd(); });
}

absl::Status SeedReceiver::Parse(const SeedChunk& chunk, const Terms& terms, Queued& queued) {
  auto range = RangeOf(chunk);
  if (!range.ok()) return range.status();
  queued.range = std::move(*range);
  auto block = UnpackSeedBlock(chunk);
  if (!block.ok()) return block.status();
  const auto out_of_range = [&chunk] {
    return absl::DataLossError(absl::StrCat("a chunk of a seeding of namespace '",
                                            chunk.namespace_(),
                                            "' has keys that its range does not cover, in order"));
  };
  const std::string prefix = NamespacePrefix(chunk.namespace_());
  HybridTime latest;
  SeedPlace last = queued.range.from;
  const auto inside = [&](SeedPlace::Part part, const std::string& key) {
    SeedPlace place{part, key};
    if (!(last < place) || queued.range.to < place) return false;
    last = std::move(place);
    return true;
  };
  for (internal::v1::SeedItem& item : *block->mutable_items()) {
    if (!inside(SeedPlace::Part::kItems, item.key()) || !absl::StartsWith(item.key(), prefix) ||
        !ParseItemKey(item.key())) {
      return out_of_range();
    }
    StoredItem stored;
    if (!stored.ParseFromString(item.item()) || stored.origin() == 0 || stored.sequence() == 0) {
      return absl::DataLossError("an item of a seeding does not parse");
    }
    latest = std::max(latest, HybridTime(stored.timestamp()));
    queued.memory_bytes += item.key().size() + item.item().size();
    queued.items.emplace_back(std::move(*item.mutable_key()), std::move(stored));
  }
  for (internal::v1::SeedRequestId& id : *block->mutable_request_ids()) {
    if (!inside(SeedPlace::Part::kRequestIds, id.key())) return out_of_range();
    StoredRequest stored;
    if (!stored.ParseFromString(id.request()) || stored.origin() == 0) {
      return absl::DataLossError("a request id of a seeding does not parse");
    }
    latest = std::max(latest, HybridTime(stored.timestamp()));
    queued.memory_bytes += id.key().size() + id.request().size();
    queued.request_ids.emplace_back(std::move(*id.mutable_key()), std::move(stored));
  }
  if (chunk.first()) {
    auto cut = ParseCut(chunk.cut());
    if (!cut.ok()) return cut.status();
    if (SequenceIn(*cut, terms.self) > terms.self_received) {
      return absl::FailedPreconditionError(
          "a seeding's cut has entries of this replica's own origin that it never made");
    }
    for (const auto& [origin, of] : *cut) {
      latest = std::max({latest, of.applied_time, of.first_time});
    }
    queued.cut = std::make_shared<const SeedCut>(std::move(*cut));
  }
  if (terms.too_far_ahead(latest)) {
    return absl::FailedPreconditionError("a seeding has times too far ahead of this clock");
  }
  terms.observe(latest);
  return absl::OkStatus();
}

absl::Status SeedReceiver::Add(const ReplicaName& peer, const SeedChunk& chunk,
                               const Terms& terms) {
  auto found = seedings_.find(chunk.namespace_());
  if (found == seedings_.end()) return absl::OkStatus();
  const bool goes_on = session_ && session_->peer == peer && session_->number == chunk.number() &&
                       session_->name_space == chunk.namespace_();
  // What was under way when something else was asked for.
  if (!chunk.first() && !goes_on) return absl::OkStatus();
  Queued queued;
  if (auto status = Parse(chunk, terms, queued); !status.ok()) return status;
  if (chunk.first()) {
    // Begun for a request of before more was needed: what is asked for by now comes behind it.
    for (const auto& [origin, sequence] : found->second.at_least) {
      if (SequenceIn(*queued.cut, origin) < sequence) return absl::OkStatus();
    }
    if (found->second.place < queued.range.from) {
      return absl::FailedPreconditionError("a seeding begins beyond what was asked for");
    }
    session_.emplace(Session{peer, chunk.number(), chunk.namespace_(), queued.range.from,
                             queued.cut, chunk.items_total()});
  }
  if (!(session_->next == queued.range.from)) {
    return absl::FailedPreconditionError("the chunks of a seeding do not follow each other");
  }
  if (HP_MUTANT(kSnapshotWithoutVector) && !chunk.first()) {
    auto cut = ParseCut(chunk.cut());
    if (cut.ok()) {
      session_->cut = std::make_shared<const SeedCut>(std::move(*cut));
      found->second.cut = *session_->cut;
    }
  }
  queued.name_space = chunk.namespace_();
  queued.cut = session_->cut;
  queued.bytes = chunk.block().size();
  queued.items_total = session_->items_total;
  if (!queue_.empty() && queue_bytes_ + queued.memory_bytes > options_.queue_bytes) {
    Restart();
    return absl::OkStatus();
  }
  session_->next = queued.range.to;
  queue_bytes_ += queued.memory_bytes;
  queue_.push_back(std::move(queued));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<SeedCut>> SeedReceiver::Step(NeverWrites never_writes) {
  Budget budget{options_.step_items, options_.step_bytes};
  while (!queue_.empty() && !budget.spent()) {
    const Queued& chunk = queue_.front();
    auto found = seedings_.find(chunk.name_space);
    bool finished = true;
    // What lies before the place was taken in from another sender.
    if (found != seedings_.end() && found->second.place < chunk.range.to) {
      Seeding& seeding = found->second;
      seeding.cut = seeding.cut ? LesserCut(*seeding.cut, *chunk.cut) : *chunk.cut;
      seeding.items_total = chunk.items_total;
      absl::Status status = absl::OkStatus();
      if (chunk.name_space.empty()) {
        seeding.place = SeedEnd();
      } else if (chunk.range.from.part == SeedPlace::Part::kItems) {
        status = StepItems(chunk, seeding, budget);
      } else {
        status = StepRequestIds(chunk, seeding, budget);
      }
      if (!status.ok()) return status;
      finished = seeding.place == chunk.range.to;
      if (finished) seeding.bytes += chunk.bytes;
      if (seeding.place == SeedEnd()) {
        seeding.partial = false;
        seeding.at_least.clear();
        seeding.owed = 0;
      }
      Persist(found->first, seeding);
      if (seeding.place == SeedEnd() && !whole_replica_) {
        Forget(found->first);
        seedings_.erase(found);
      }
    }
    if (!finished) break;
    queue_bytes_ -= queue_.front().memory_bytes;
    queue_.pop_front();
  }
  if (whole_replica_) {
    ended_ = std::all_of(seedings_.begin(), seedings_.end(),
                         [](const auto& one) { return one.second.place == SeedEnd(); });
  }
  return TakeEnd(never_writes);
}

// A namespace says nothing of origins that never write it, and its holders may all lack their
// entries. It is left out of the cut if, of all other origins, it covers what the rest covers. What
// remains is the lesser of whole cuts, so it stays closed under dependencies.
SeedCut SeedReceiver::LeastCut(NeverWrites never_writes) const {
  // True if entries of the origin up to `of` may have changed the namespace behind `have`.
  const auto changed = [&](const CutOrigin& of, const std::string& name, Sequence have) {
    const auto last = of.changes == nullptr ? std::nullopt : of.changes->Of(name);
    if (last) return *last > have;
    return of.replica.empty() || !never_writes(of.replica, name);
  };
  const auto total = [](const SeedCut& cut) {
    return std::accumulate(cut.begin(), cut.end(), uint64_t{0}, [](uint64_t sum, const auto& one) {
      return sum + one.second.sequence.value();
    });
  };
  std::map<std::string, const SeedCut*> left_out;
  const std::string* furthest = nullptr;
  for (const auto& [name, seeding] : seedings_) {
    left_out.emplace(name, &*seeding.cut);
    if (furthest == nullptr || total(*seeding.cut) > total(*left_out.at(*furthest))) {
      furthest = &name;
    }
  }
  SeedCut rest = *left_out.at(*furthest);
  left_out.erase(*furthest);
  const auto says_less = [&](const auto& one) {
    const auto& [name, cut] = one;
    return std::any_of(rest.begin(), rest.end(), [&, name = &name, cut = cut](const auto& in) {
      const auto& [origin, of] = in;
      const Sequence have = SequenceIn(*cut, origin);
      return have < of.sequence && changed(of, *name, have);
    });
  };
  // Each one that is taken lowers the rest, so what covers it goes on doing so.
  for (auto at = std::find_if(left_out.begin(), left_out.end(), says_less); at != left_out.end();
       at = std::find_if(left_out.begin(), left_out.end(), says_less)) {
    rest = LesserCut(rest, *at->second);
    left_out.erase(at);
  }
  return rest;
}

std::optional<SeedCut> SeedReceiver::TakeEnd(NeverWrites never_writes) {
  if (!std::exchange(ended_, false)) return std::nullopt;
  std::optional<SeedCut> least = LeastCut(never_writes);
  for (const auto& [name, seeding] : seedings_) Forget(name);
  staging_->Delete(Table::kMeta, std::string(kWholeReplicaKey));
  seedings_.clear();
  whole_replica_ = false;
  Restart();
  return least;
}

absl::Status SeedReceiver::StepItems(const Queued& chunk, Seeding& seeding, Budget& budget) {
  // Keys after `done`, of both sides, in order.
  std::string done = std::max(seeding.place, chunk.range.from).key;
  const std::string prefix = NamespacePrefix(chunk.name_space);
  auto theirs =
      std::upper_bound(chunk.items.begin(), chunk.items.end(), done,
                       [](const std::string& key, const auto& item) { return key < item.first; });
  std::unique_ptr<KvIterator> mine = staging_->engine()->Iterate(Table::kItems, PrefixEnd(prefix));
  mine->Seek(std::max(prefix, done));
  if (mine->Valid() && mine->key() == done) mine->Next();
  const bool to_end = chunk.range.to.part != SeedPlace::Part::kItems;
  while (true) {
    const bool has_mine = mine->Valid() && (to_end || mine->key() <= chunk.range.to.key);
    const bool has_theirs = theirs != chunk.items.end();
    if (!has_mine && !has_theirs) break;
    if (budget.spent()) {
      seeding.place = {SeedPlace::Part::kItems, std::move(done)};
      return mine->status();
    }
    const bool take_theirs = has_theirs && (!has_mine || theirs->first <= mine->key());
    const bool take_mine = has_mine && (!has_theirs || mine->key() <= theirs->first);
    size_t bytes = 0;
    if (take_mine) {
      done = std::string(mine->key());
      bytes += mine->value().size();
      mine->Next();
    }
    if (take_theirs) {
      done = theirs->first;
      bytes += theirs->second.ByteSizeLong();
      ++seeding.items;
    }
    const StoredItem* other = take_theirs ? &theirs->second : nullptr;
    if (auto status = MergeItem(done, other, *chunk.cut, seeding.partial); !status.ok()) {
      return status;
    }
    if (take_theirs) ++theirs;
    budget.Take(bytes);
  }
  if (!mine->status().ok()) return mine->status();
  seeding.place = chunk.range.to;
  return absl::OkStatus();
}

absl::Status SeedReceiver::MergeItem(const std::string& key, const StoredItem* sent,
                                     const SeedCut& cut, bool partial) {
  auto loaded = items_->Load(key);
  if (!loaded.ok()) return loaded.status();
  // What was removed here and forgotten may still be at a peer that has not seen the removal: one
  // whose disk is an old copy. Of a namespace that was not held here nothing was removed.
  const StoredItem* here = loaded->stored ? &*loaded->stored : nullptr;
  std::optional<StoredItem> kept;
  if (sent != nullptr) {
    kept = WithoutRemoved(*sent, here, [this, partial](Origin origin, Sequence sequence) {
      const OriginState* state = origins_->Find(origin);
      return !partial && state != nullptr && sequence <= state->applied;
    });
  }
  const StoredItem* theirs = kept ? &*kept : nullptr;
  if (HP_MUTANT(kReseedReplaces)) {
    if (theirs == nullptr) {
      items_->Remove(*std::move(loaded), ItemCause::kMerge);
    } else {
      items_->Replace(*std::move(loaded), *theirs, ItemCause::kMerge);
    }
    return absl::OkStatus();
  }
  if (!loaded->stored) {
    if (theirs != nullptr) items_->Merge(*std::move(loaded), *theirs, ItemCause::kMerge);
    return absl::OkStatus();
  }
  std::optional<StoredItem> merged =
      MergeSnapshot(*loaded->stored, theirs, [&cut](Origin origin, Sequence sequence) {
        return !HP_MUTANT(kSeedRemovesNothing) && sequence <= SequenceIn(cut, origin);
      });
  if (merged) {
    items_->Replace(*std::move(loaded), *merged, ItemCause::kMerge);
  } else {
    items_->Remove(*std::move(loaded), ItemCause::kMerge);
  }
  return absl::OkStatus();
}

absl::Status SeedReceiver::StepRequestIds(const Queued& chunk, Seeding& seeding, Budget& budget) {
  const std::string done = std::max(seeding.place, chunk.range.from).key;
  for (const auto& [key, request] : chunk.request_ids) {
    if (key <= done) continue;
    if (budget.spent()) return absl::OkStatus();
    // An answer that was given here under the id stays: a retry must not get another one.
    auto known = request_ids_->Find(key);
    if (!known.ok()) return known.status();
    if (!known->has_value()) request_ids_->Stage(key, request);
    seeding.place = {SeedPlace::Part::kRequestIds, key};
    budget.Take(key.size());
  }
  seeding.place = chunk.range.to;
  return absl::OkStatus();
}

bool SeedReceiver::Covers(absl::string_view item_key, Origin origin, Sequence sequence) const {
  if (!whole_replica_) return false;
  auto found = seedings_.find(item_key.substr(0, item_key.find('\0')));
  if (found == seedings_.end() || !found->second.cut) return false;
  const Seeding& seeding = found->second;
  const bool taken = seeding.place.part != SeedPlace::Part::kItems || item_key <= seeding.place.key;
  return taken && sequence <= SequenceIn(*seeding.cut, origin);
}

std::shared_ptr<const SeedView> SeedReceiver::View() const {
  if (seedings_.empty()) return nullptr;
  auto view = std::make_shared<SeedView>();
  view->whole_replica = whole_replica_;
  view->generation = generation_;
  for (const auto& [name, seeding] : seedings_) {
    view->namespaces.push_back({name, seeding.place, seeding.at_least, seeding.partial,
                                seeding.items, seeding.bytes, seeding.items_total, seeding.owed});
  }
  return view;
}

}  // namespace homeport
