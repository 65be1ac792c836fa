#include "storage/replication/origin_table.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"

namespace homeport {

using internal::v1::StoredPosition;

std::string OriginText(Origin origin) {
  return absl::StrCat(absl::Hex(origin.value(), absl::kZeroPad16));
}

void OriginState::Advance(Sequence sequence, HybridTime time) {
  if (applied == Sequence(0)) first_time = time;
  applied = sequence;
  applied_time = std::max(applied_time, time);
  watermark = std::max(watermark, time);
  if (watermark_at != Sequence(0) && applied >= watermark_at) {
    watermark = std::max(watermark, watermark_then);
    watermark_at = Sequence(0);
  }
  dirty = true;
}

void OriginState::KeepFresh(Sequence first, LoggedRecord record) {
  const Sequence end = fresh.empty() ? applied : fresh.back().sequence;
  if (end.value() + 1 == first.value()) fresh.push_back(std::move(record));
}

absl::Status OriginTable::Load(KvEngine* engine, HybridClock& clock) {
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
    state.received = Sequence(stored.received());
    state.durable = state.received;
    state.applied = Sequence(stored.applied());
    state.applied_time = HybridTime(stored.applied_timestamp());
    state.first_time = HybridTime(stored.first_timestamp());
    state.watermark = state.applied_time;
    state.covered_by = Origin(stored.covered_by());
    state.covered_at = Sequence(stored.covered_at());
    state.covered_end = Sequence(stored.covered_end());
    state.log_begin = Sequence(std::max<uint64_t>(1, stored.log_begin()));
    state.frozen = stored.frozen();
    if (stored.has_closed_end()) state.closed_end = Sequence(stored.closed_end());
    for (const internal::v1::Position& known : stored.knows_own()) {
      state.knows_own[Origin(known.origin())] = Sequence(known.sequence());
    }
    if (!stored.replica().empty()) {
      state.replica = std::make_shared<const ReplicaName>(ReplicaName(stored.replica()));
    }
    clock.Observe(state.applied_time);
  }
  return it->status();
}

void OriginTable::StagePositions(Staging& staging) {
  for (auto& [origin, state] : states_) {
    if (!state.dirty) continue;
    StoredPosition stored;
    stored.set_received(state.received.value());
    stored.set_applied(state.applied.value());
    stored.set_applied_timestamp(state.applied_time.value());
    stored.set_first_timestamp(state.first_time.value());
    if (state.replica != nullptr) stored.set_replica(state.replica->value());
    stored.set_covered_by(state.covered_by.value());
    stored.set_covered_at(state.covered_at.value());
    stored.set_covered_end(state.covered_end.value());
    if (state.log_begin != Sequence(1)) stored.set_log_begin(state.log_begin.value());
    stored.set_frozen(state.frozen);
    if (state.closed_end) stored.set_closed_end(state.closed_end->value());
    for (const auto& [own, sequence] : state.knows_own) {
      internal::v1::Position* known = stored.add_knows_own();
      known->set_origin(own.value());
      known->set_sequence(sequence.value());
    }
    staging.Put(Table::kMeta, PositionKey(origin), stored.SerializeAsString());
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
    shown.log_begin = state.log_begin;
    shown.frozen = state.frozen;
    shown.closed_end = state.closed_end;
    shown.first_time = state.first_time;
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
    Cover(*earlier, at, Sequence(end.sequence()));
  }
}

void OriginTable::ObserveWatermark(Origin origin, Sequence sequence, HybridTime time) {
  OriginState* state = Find(origin);
  if (state == nullptr) return;
  if (state->applied >= sequence) {
    state->watermark = std::max(state->watermark, time);
  } else if (state->watermark_at == Sequence(0)) {
    // One waiting watermark an origin is enough: the entries in between carry their own times.
    state->watermark_at = sequence;
    state->watermark_then = time;
  }
}

void OriginTable::ObserveReplica(Origin origin, const ReplicaName& replica) {
  OriginState* state = Find(origin);
  if (state == nullptr || state->replica != nullptr) return;
  state->replica = std::make_shared<const ReplicaName>(replica);
  state->dirty = true;
}

}  // namespace homeport
