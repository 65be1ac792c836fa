// How far a replica is in each origin.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "google/protobuf/repeated_field.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/hybrid_clock.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/last_changes.h"
#include "storage/replication/log_reader.h"
#include "storage/replication/origin_log.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/staging.h"

namespace homeport {

// Why the entries of an origin are not applied.
struct OriginBlock {
  enum class Kind { kDependency, kClock };
  Kind kind;
  // kDependency: what is missing.
  Origin origin;
  Sequence sequence;
  // kClock: the entry's time.
  HybridTime time;
};

// How far the replica is in one origin. What StoredPosition has is stored when `dirty`.
struct OriginState {
  Sequence received;
  Sequence applied;
  // As of the last commit; what was received since can not be read back from the log yet.
  Sequence durable;
  HybridTime applied_time;
  HybridTime received_time;  // of record `received`
  HybridTime first_time;     // of entry 1; 0 while that is not applied
  HybridTime watermark;
  // Watermarks that wait for their positions, which ascend; at most two, the nearest and the
  // latest.
  struct Waiting {
    Sequence at;
    HybridTime time;
  };
  std::vector<Waiting> waiting;
  Origin covered_by;
  Sequence covered_at;
  Sequence covered_end;
  OriginLog log;
  bool frozen = false;
  std::optional<Sequence> closed_end;
  // What applied entries depend on. Null: nothing. Shared with views, so never changed in place.
  std::shared_ptr<const KnownPositions> knows;
  // Of an earlier start of this replica: the chain entries that cover it, each of which covers more
  // than the one before.
  struct ChainCover {
    Origin by;
    Sequence at;
    Sequence end;
  };
  std::vector<ChainCover> covers;
  std::shared_ptr<const ReplicaName> replica;
  // What applied entries changed.
  LastChanges changes;
  // The same, for views; null once `changes` has changed.
  mutable std::shared_ptr<const LastChanges> shown_changes;
  std::optional<OriginBlock> block;
  // Staged since the last commit and not applied yet, in sequence; older ones are read from the
  // log.
  std::deque<LoggedRecord> fresh;
  // The disk had it when this process started.
  bool loaded = false;
  bool dirty = false;

  // True if the origin is a start of `name`.
  bool StartOf(const ReplicaName& name) const { return replica != nullptr && *replica == name; }
  // A record up to `sequence` was staged, with so many bytes of log.
  void Receive(Sequence sequence, HybridTime time, uint64_t bytes);
  // What the entry that is to be applied next changed, which ends with `sequence`.
  void NoteChange(absl::string_view name_space, Sequence sequence);
  // Entry `sequence` was applied, and all before it.
  void Advance(Sequence sequence, HybridTime time);
  // A record was staged; keeps it if it follows what is kept.
  void KeepFresh(Sequence first, LoggedRecord record);
  // As far as a dependency on `sequence` has to be waited for: what is lost counts as applied.
  Sequence Required(Sequence sequence) const {
    return closed_end ? std::min(sequence, *closed_end) : sequence;
  }
};

// An origin as a peer had it whose items were taken: of `position` the fields applied,
// applied_timestamp and first_timestamp, replica, covered_by, covered_at, covered_end, frozen,
// closed_end, knows and changes.
struct SeededOrigin {
  Origin origin;
  internal::v1::StoredPosition position;
};

// Thread-compatible. States stay where they are while others are added.
class OriginTable {
 public:
  explicit OriginTable(ReplicaName replica) : replica_(std::move(replica)) {}

  // Takes what the engine has, and shows `clock` the times in it. DATA_LOSS if a position does not
  // parse or the log lacks its last record; otherwise the engine's errors.
  absl::Status Load(KvEngine* engine, HybridClock& clock);
  // Stages what is dirty. `now` and `segment_bytes` are for the size of the log.
  void StagePositions(HybridTime now, uint64_t segment_bytes, Staging& staging);
  // What was staged is on the disk now. Forgets the fresh records, which can be read from the log.
  void OnCommitted();
  // Adds the origins to `view`, in order.
  void Show(ReplicaView& view) const;

  // Null if the origin is not known.
  OriginState* Find(Origin origin);
  const OriginState* Find(Origin origin) const;
  // Adds the origin if it is not known.
  OriginState& At(Origin origin) { return states_[origin]; }
  bool IsOwn(const OriginState& state) const { return state.StartOf(replica_); }
  std::map<Origin, OriginState>& states() { return states_; }
  const std::map<Origin, OriginState>& states() const { return states_; }

  // What of `positions` (a range of Position messages) is not applied, the first in their order.
  template <typename Positions>
  std::optional<OriginBlock> FirstMissing(const Positions& positions) const {
    for (const internal::v1::Position& position : positions) {
      const OriginState* state = Find(Origin(position.origin()));
      Sequence required(position.sequence());
      if (state != nullptr) required = state->Required(required);
      if ((state == nullptr ? Sequence(0) : state->applied) < required) {
        return OriginBlock{OriginBlock::Kind::kDependency, Origin(position.origin()), required,
                           HybridTime()};
      }
    }
    return std::nullopt;
  }
  // What is needed of `positions` (a range of Position messages) by an entry of `state` was
  // applied: remembers that.
  template <typename Positions>
  void Learn(OriginState& state, const Positions& positions) {
    KnownPositions known;
    for (const internal::v1::Position& position : positions) {
      known.emplace_back(Origin(position.origin()), Sequence(position.sequence()));
    }
    Learn(state, known);
  }
  void Learn(OriginState& state, const KnownPositions& positions);
  // True if `origin` had applied entry `sequence` of `own`, an origin of this replica, when it made
  // the last entry that is applied here, as far as its entries' dependencies say.
  bool KnewOwn(Origin origin, Origin own, Sequence sequence) const;
  // An origin ends with `end`: the chain entry `at` says so.
  void Cover(OriginState& earlier, const Stamp& at, Sequence end);
  // Applies what a chain entry of another replica, or of an earlier start of this one, says.
  void ApplyChain(const internal::v1::OriginChain& chain, const Stamp& at, Origin self);
  // The part of ApplyChain() that holds for this replica's own chain entries too.
  void ApplyClosing(const internal::v1::OriginChain& chain, Origin self);
  // A chain entry came that is not applied yet. Of origins that are frozen here it says the end at
  // once: the entry, or one before it, may wait for what is taken only once that is known.
  void Thaw(const internal::v1::OriginChain& chain, Origin self);
  // Takes over what is greater in `cut` than here, and stages what that takes of the log. What was
  // received beyond the cut stays, to be applied.
  void TakeSeeded(const std::vector<SeededOrigin>& cut, Staging& staging);
  // Takes note of a watermark; it counts once its position is applied.
  void ObserveWatermark(Origin origin, Sequence sequence, HybridTime time);
  // Takes note of whose start an origin is, by hearsay: only if nothing is known of that.
  void ObserveReplica(Origin origin, const ReplicaName& replica);

 private:
  // True if a chain entry that `known` has covers the position.
  bool Implied(const KnownPositions& known, Origin origin, Sequence sequence) const;
  void TakePosition(const SeededOrigin& seeded, Staging& staging);

  ReplicaName replica_;
  std::map<Origin, OriginState> states_;
};

// 0 if nothing of the origin is known.
Sequence KnownOf(const KnownPositions& known, Origin origin);
// Known positions on the wire and on disk. Null if there are none.
void AddKnown(const KnownPositions& known,
              google::protobuf::RepeatedPtrField<internal::v1::Position>* out);
std::shared_ptr<const KnownPositions> ParseKnown(
    const google::protobuf::RepeatedPtrField<internal::v1::Position>& known);

// For error texts.
std::string OriginText(Origin origin);

}  // namespace homeport
