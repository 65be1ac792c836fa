#include "storage/replication/origin_table.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "storage/model/keys.h"

namespace homeport {

using google::protobuf::RepeatedPtrField;
using internal::v1::Position;
using internal::v1::StoredPosition;

std::string OriginText(Origin origin) {
  return absl::StrCat(absl::Hex(origin.value(), absl::kZeroPad16));
}

Sequence KnownOf(const KnownPositions& known, Origin origin) {
  const auto at = std::lower_bound(known.begin(), known.end(), std::pair(origin, Sequence(0)));
  return at == known.end() || at->first != origin ? Sequence(0) : at->second;
}

void AddKnown(const KnownPositions& known, RepeatedPtrField<Position>* out) {
  for (const auto& [origin, sequence] : known) {
    Position* position = out->Add();
    position->set_origin(origin.value());
    position->set_sequence(sequence.value());
  }
}

std::shared_ptr<const KnownPositions> ParseKnown(const RepeatedPtrField<Position>& known) {
  if (known.empty()) return nullptr;
  auto parsed = std::make_shared<KnownPositions>();
  parsed->reserve(known.size());
  for (const Position& position : known) {
    parsed->emplace_back(Origin(position.origin()), Sequence(position.sequence()));
  }
  std::sort(parsed->begin(), parsed->end());
  return parsed;
}

void OriginState::Receive(Sequence sequence, HybridTime time, uint64_t bytes) {
  received = sequence;
  received_time = std::max(received_time, time);
  log.Add(bytes);
  dirty = true;
}

void OriginState::Advance(Sequence sequence, HybridTime time) {
  if (applied == Sequence(0)) first_time = time;
  applied = sequence;
  applied_time = std::max(applied_time, time);
  watermark = std::max(watermark, time);
  while (!waiting.empty() && waiting.front().at <= applied) {
    watermark = std::max(watermark, waiting.front().time);
    waiting.erase(waiting.begin());
  }
  dirty = true;
}

void OriginState::NoteChange(absl::string_view name_space, Sequence sequence) {
  changes.Note(name_space, sequence);
  shown_changes.reset();
}

void OriginState::KeepFresh(Sequence first, LoggedRecord record) {
  const Sequence end = fresh.empty() ? applied : fresh.back().sequence;
  if (end.value() + 1 == first.value()) fresh.push_back(std::move(record));
}

absl::Status OriginTable::Load(KvEngine* engine, HybridClock& clock) {
  LogReader log(engine);
  std::unique_ptr<KvIterator> it = engine->Iterate(Table::kMeta, PrefixEnd(kPositionPrefix));
  for (it->Seek(kPositionPrefix); it->Valid(); it->Next()) {
    std::optional<Origin> origin = ParsePositionKey(it->key());
    StoredPosition stored;
    if (!origin ||
        !stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError(
          absl::StrCat("stored position ", absl::BytesToHexString(it->key()), " does not parse"));
    }
    OriginState& state = states_[*origin];
    state.loaded = true;
    state.received = Sequence(stored.received());
    state.durable = state.received;
    state.applied = Sequence(stored.applied());
    state.applied_time = HybridTime(stored.applied_timestamp());
    state.first_time = HybridTime(stored.first_timestamp());
    state.watermark = state.applied_time;
    state.covered_by = Origin(stored.covered_by());
    state.covered_at = Sequence(stored.covered_at());
    state.covered_end = Sequence(stored.covered_end());
    state.log.LoadOpen(Sequence(std::max<uint64_t>(1, stored.log_begin())),
                       {stored.open_bytes() == 0 ? Sequence(0) : state.received,
                        stored.open_bytes(), HybridTime(stored.open_logged())});
    state.frozen = stored.frozen();
    if (stored.has_closed_end()) state.closed_end = Sequence(stored.closed_end());
    state.knows = ParseKnown(stored.knows());
    state.changes =
        LastChanges::Parse(stored.changes_known() || stored.applied() == 0, stored.changes());
    for (const internal::v1::ChainCover& cover : stored.covers()) {
      state.covers.push_back(
          {Origin(cover.origin()), Sequence(cover.sequence()), Sequence(cover.end())});
    }
    if (!stored.replica().empty()) {
      state.replica = std::make_shared<const ReplicaName>(ReplicaName(stored.replica()));
    }
    if (!HP_MUTANT(kClockNotRecovered)) clock.Observe(state.applied_time);
    state.received_time = state.applied_time;
    if (state.applied < state.received) {
      auto last = log.Read(*origin, state.received);
      if (!last.ok()) return last.status();
      state.received_time =
          HybridTime(last->entry ? last->entry->timestamp() : last->skip->timestamp());
    }
  }
  if (!it->status().ok()) return it->status();
  it = engine->Iterate(Table::kMeta, PrefixEnd(kLogSegmentPrefix));
  for (it->Seek(kLogSegmentPrefix); it->Valid(); it->Next()) {
    auto key = ParseLogKey(it->key().substr(kLogSegmentPrefix.size()));
    internal::v1::StoredLogSegment stored;
    OriginState* state = key ? Find(key->origin) : nullptr;
    if (state == nullptr ||
        !stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError(absl::StrCat("stored log segment ",
                                              absl::BytesToHexString(it->key()),
                                              " does not parse or has no position"));
    }
    state->log.LoadClosed({key->sequence, stored.bytes(), HybridTime(stored.logged())});
  }
  return it->status();
}

void OriginTable::StagePositions(HybridTime now, uint64_t segment_bytes, Staging& staging) {
  for (auto& [origin, state] : states_) {
    if (!state.dirty) continue;
    state.log.Settle(origin, state.received, now, segment_bytes, staging);
    StoredPosition stored;
    stored.set_received(state.received.value());
    stored.set_applied(state.applied.value());
    stored.set_applied_timestamp(state.applied_time.value());
    stored.set_first_timestamp(state.first_time.value());
    if (state.replica != nullptr) stored.set_replica(state.replica->value());
    stored.set_covered_by(state.covered_by.value());
    stored.set_covered_at(state.covered_at.value());
    stored.set_covered_end(state.covered_end.value());
    if (state.log.begin() != Sequence(1)) stored.set_log_begin(state.log.begin().value());
    stored.set_open_bytes(state.log.open().bytes);
    stored.set_open_logged(state.log.open().logged.value());
    stored.set_frozen(state.frozen);
    if (state.closed_end) stored.set_closed_end(state.closed_end->value());
    if (state.knows != nullptr) AddKnown(*state.knows, stored.mutable_knows());
    state.changes.AddTo(*stored.mutable_changes());
    stored.set_changes_known(state.changes.known());
    for (const OriginState::ChainCover& cover : state.covers) {
      internal::v1::ChainCover* out = stored.add_covers();
      out->set_origin(cover.by.value());
      out->set_sequence(cover.at.value());
      out->set_end(cover.end.value());
    }
    if (!HP_MUTANT(kPositionNeverSaved) || state.StartOf(replica_)) {
      staging.Put(Table::kMeta, PositionKey(origin), stored.SerializeAsString());
    }
    state.dirty = false;
  }
}

void OriginTable::OnCommitted() {
  // What waits is in the log now; keeping it here would let a slow peer fill the memory.
  for (auto& [origin, state] : states_) {
    state.fresh.clear();
    state.durable = state.received;
  }
}

void OriginTable::Show(ReplicaView& view) const {
  view.origins.reserve(states_.size());
  for (const auto& [origin, state] : states_) {
    OriginView shown;
    shown.origin = origin;
    shown.received = state.received;
    shown.applied = state.applied;
    shown.applied_time = state.applied_time;
    shown.watermark = state.watermark;
    shown.covered_by = state.covered_by;
    shown.covered_at = state.covered_at;
    shown.covered_end = state.covered_end;
    shown.replica = state.replica;
    shown.log_begin = state.log.begin();
    shown.log_bytes = state.log.bytes();
    shown.frozen = state.frozen;
    shown.closed_end = state.closed_end;
    shown.first_time = state.first_time;
    shown.knows = state.knows;
    shown.came_since_start = !state.loaded;
    if (state.shown_changes == nullptr) {
      state.shown_changes = std::make_shared<const LastChanges>(state.changes);
    }
    shown.changes = state.shown_changes;
    view.origins.push_back(std::move(shown));
  }
}

OriginState* OriginTable::Find(Origin origin) {
  auto found = states_.find(origin);
  return found == states_.end() ? nullptr : &found->second;
}

const OriginState* OriginTable::Find(Origin origin) const {
  auto found = states_.find(origin);
  return found == states_.end() ? nullptr : &found->second;
}

void OriginTable::Cover(OriginState& earlier, const Stamp& at, Sequence end) {
  earlier.covered_by = at.version.origin;
  earlier.covered_at = at.sequence;
  earlier.covered_end = end;
  earlier.dirty = true;
  // Every start covers all earlier ones anew; who knows of one in between only knows them too.
  if (IsOwn(earlier) && (earlier.covers.empty() || earlier.covers.back().end < end)) {
    earlier.covers.push_back({at.version.origin, at.sequence, end});
  }
}

void OriginTable::ApplyChain(const internal::v1::OriginChain& chain, const Stamp& at, Origin self) {
  const ReplicaName replica(chain.replica());
  OriginState& writer = states_[at.version.origin];
  // What others said of the origin before was hearsay.
  if (!writer.StartOf(replica)) {
    writer.replica = std::make_shared<const ReplicaName>(replica);
    writer.dirty = true;
  }
  for (const internal::v1::Position& end : chain.ends()) {
    OriginState* earlier = Find(Origin(end.origin()));
    // A replica speaks for its own origins only, and for none that is running here.
    if (earlier == nullptr || Origin(end.origin()) == self || !earlier->StartOf(replica)) continue;
    Cover(*earlier, at, earlier->Required(Sequence(end.sequence())));
  }
  ApplyClosing(chain, self);
}

void OriginTable::ApplyClosing(const internal::v1::OriginChain& chain, Origin self) {
  const auto known = [this, self](Origin origin) -> OriginState* {
    const bool full = states_.size() >= kOriginsMax && !states_.contains(origin);
    return origin == self || full ? nullptr : &states_[origin];
  };
  for (const uint64_t origin : chain.closing()) {
    OriginState* state = known(Origin(origin));
    if (state == nullptr || state->closed_end) continue;
    state->frozen = true;
    state->dirty = true;
  }
  for (const internal::v1::Position& closed : chain.closed()) {
    OriginState* state = known(Origin(closed.origin()));
    if (state == nullptr) continue;
    // Two who did not know of each other may have closed it; everybody ends with the lesser end, in
    // whatever order they come.
    const Sequence end(closed.sequence());
    if (state->closed_end && *state->closed_end <= end) continue;
    state->closed_end = end;
    state->frozen = false;
    // A token that names what is lost must not be satisfied by the chain entry that covers the
    // rest.
    state->covered_end = std::min(state->covered_end, *state->closed_end);
    state->dirty = true;
  }
}

void OriginTable::Thaw(const internal::v1::OriginChain& chain, Origin self) {
  internal::v1::OriginChain ends;
  for (const internal::v1::Position& closed : chain.closed()) {
    const OriginState* state = Find(Origin(closed.origin()));
    if (state != nullptr && state->frozen) *ends.add_closed() = closed;
  }
  ApplyClosing(ends, self);
}

bool OriginTable::Implied(const KnownPositions& known, Origin origin, Sequence sequence) const {
  const OriginState* state = Find(origin);
  if (state == nullptr) return false;
  if (state->covered_by != Origin(0) && sequence <= state->covered_end &&
      KnownOf(known, state->covered_by) >= state->covered_at) {
    return true;
  }
  return std::any_of(state->covers.begin(), state->covers.end(), [&](const auto& cover) {
    return sequence <= cover.end && KnownOf(known, cover.by) >= cover.at;
  });
}

void OriginTable::Learn(OriginState& state, const KnownPositions& positions) {
  static const KnownPositions kNothing;
  const KnownPositions& before = state.knows == nullptr ? kNothing : *state.knows;
  bool fresh = false;
  bool more = false;
  for (const auto& [origin, sequence] : positions) {
    const Sequence known = KnownOf(before, origin);
    fresh = fresh || known == Sequence(0);
    more = more || known < sequence;
  }
  if (!more) return;
  std::map<Origin, Sequence> all(before.begin(), before.end());
  for (const auto& [origin, sequence] : positions) {
    Sequence& known = all[origin];
    known = std::max(known, sequence);
  }
  auto after = std::make_shared<KnownPositions>(all.begin(), all.end());
  if (fresh) {
    // What a chain entry implies needs no place of its own, so there are about as many as there are
    // replicas.
    const KnownPositions known = *after;
    after->erase(
        std::remove_if(after->begin(), after->end(),
                       [&](const auto& one) { return Implied(known, one.first, one.second); }),
        after->end());
  }
  state.knows = std::move(after);
  state.dirty = true;
}

bool OriginTable::KnewOwn(Origin origin, Origin own, Sequence sequence) const {
  const OriginState* state = Find(origin);
  if (state == nullptr || state->knows == nullptr) return false;
  const KnownPositions& known = *state->knows;
  // From chain entry to chain entry, each of which says what its start knew of the earlier ones.
  std::vector<std::pair<Origin, Sequence>> from{{own, sequence}};
  std::set<Origin> seen{own};
  while (!from.empty()) {
    const auto [earlier, needed] = from.back();
    from.pop_back();
    if (KnownOf(known, earlier) >= needed || Implied(known, earlier, needed)) return true;
    const OriginState* at = Find(earlier);
    if (at == nullptr) continue;
    for (const OriginState::ChainCover& cover : at->covers) {
      if (needed <= cover.end && seen.insert(cover.by).second)
        from.emplace_back(cover.by, cover.at);
    }
  }
  return false;
}

void OriginTable::TakeSeeded(const std::vector<SeededOrigin>& cut, Staging& staging) {
  for (const SeededOrigin& seeded : cut) TakePosition(seeded, staging);
  for (const SeededOrigin& seeded : cut) {
    const internal::v1::StoredPosition& there = seeded.position;
    OriginState& state = states_[seeded.origin];
    if (there.has_closed_end() && !state.closed_end) {
      state.closed_end = Sequence(there.closed_end());
      state.dirty = true;
    } else if (there.frozen() && !state.closed_end && !state.frozen) {
      state.frozen = true;
      state.dirty = true;
    }
    // A chain entry beyond the cut will come by itself.
    const OriginState* by = Find(Origin(there.covered_by()));
    const bool covered =
        by != nullptr && by->applied >= Sequence(there.covered_at()) && there.covered_at() > 0;
    const Sequence end = state.Required(Sequence(there.covered_end()));
    if (covered && (state.covered_by == Origin(0) || state.covered_end < end)) {
      Cover(state, {{HybridTime(), Origin(there.covered_by())}, Sequence(there.covered_at())}, end);
    }
  }
}

void OriginTable::TakePosition(const SeededOrigin& seeded, Staging& staging) {
  const internal::v1::StoredPosition& there = seeded.position;
  const Sequence cut(there.applied());
  OriginState& state = states_[seeded.origin];
  if (state.replica == nullptr && !there.replica().empty()) {
    state.replica = std::make_shared<const ReplicaName>(ReplicaName(there.replica()));
    state.dirty = true;
  }
  if (cut <= state.applied) return;
  state.block.reset();
  state.fresh.clear();
  // Entries that come after the cut name only what those up to it do not imply.
  if (!HP_MUTANT(kSeedForgetsKnown)) Learn(state, there.knows());
  state.changes.Take(LastChanges::Parse(there.changes_known(), there.changes()));
  state.shown_changes.reset();
  const HybridTime first_time = state.first_time;
  state.Advance(cut, HybridTime(there.applied_timestamp()));
  state.first_time = first_time == HybridTime(0) ? HybridTime(there.first_timestamp()) : first_time;
  if (state.received >= cut) return;
  // What is between is nowhere here, so the log can only go on behind it.
  state.received = cut;
  state.received_time = state.applied_time;
  state.log.Restart(seeded.origin, Sequence(cut.value() + 1), staging);
}

void OriginTable::ObserveWatermark(Origin origin, Sequence sequence, HybridTime time) {
  OriginState* state = Find(origin);
  if (state == nullptr) return;
  if (state->applied >= sequence || HP_MUTANT(kWatermarkTooEarly)) {
    state->watermark = std::max(state->watermark, time);
    return;
  }
  // Two are enough, as the entries in between carry their own times: the nearest counts soon
  // however far the latest is, and the latest is there once the backlog is gone.
  auto& waiting = state->waiting;
  auto at = std::find_if(waiting.begin(), waiting.end(),
                         [sequence](const OriginState::Waiting& w) { return w.at >= sequence; });
  if (at != waiting.end() && at->at == sequence) {
    at->time = std::max(at->time, time);
  } else if (waiting.size() < 2) {
    waiting.insert(at, {sequence, time});
  } else if (at != waiting.begin() + 1) {
    (at == waiting.end() ? waiting.back() : waiting.front()) = {sequence, time};
  }
}

void OriginTable::ObserveReplica(Origin origin, const ReplicaName& replica) {
  OriginState* state = Find(origin);
  if (state == nullptr || state->replica != nullptr) return;
  state->replica = std::make_shared<const ReplicaName>(replica);
  state->dirty = true;
}

}  // namespace homeport
