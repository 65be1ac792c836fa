#include "storage/replication/replica_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/status/error.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/identity.h"
#include "storage/replication/local_write.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::EntryPart;
using internal::v1::ItemChange;
using internal::v1::Skip;
using internal::v1::StoredItem;
using internal::v1::StoredPosition;
using internal::v1::StoredRequest;

// How far ahead of the clock promises may be made between two writes to the disk. Short, because a
// replica that is started again at once begins that far ahead of its wall clock.
constexpr absl::Duration kClockReserve = absl::Milliseconds(300);
constexpr absl::Duration kForgetInterval = absl::Seconds(1);
constexpr absl::string_view kClockKey = "clock";
// One key a namespace of which entries were left out.
constexpr absl::string_view kLeftOutPrefix = "left_out/";

std::string OriginText(Origin origin) {
  return absl::StrCat(absl::Hex(origin.value(), absl::kZeroPad16));
}

}  // namespace

ReplicaCore::ReplicaCore(Options options, KvEngine* engine, Origin self, const Moment& now,
                         HybridTime floor)
    : options_(std::move(options)),
      engine_(engine),
      self_(self),
      clock_(options_.clock, now.wall, now.steady, floor),
      ceiling_(floor) {}

absl::StatusOr<std::unique_ptr<ReplicaCore>> ReplicaCore::Open(Options options, KvEngine* engine,
                                                               Origin origin, const Moment& now) {
  HP_CHECK(origin != Origin(0));
  if (auto status = ClaimIdentity(engine, options.cluster, options.replica); !status.ok()) {
    return status;
  }
  HybridTime floor;
  auto stored_clock = engine->Get(Table::kMeta, kClockKey);
  if (!stored_clock.ok()) return stored_clock.status();
  if (stored_clock->has_value()) {
    uint64_t ticks = 0;
    if (!absl::SimpleAtoi(**stored_clock, &ticks)) {
      return absl::DataLossError("the stored clock does not parse");
    }
    floor = HybridTime(ticks);
  }
  std::unique_ptr<ReplicaCore> core(
      new ReplicaCore(std::move(options), engine, origin, now, floor));
  if (auto status = core->LoadOrigins(); !status.ok()) return status;
  if (auto status = core->LoadLeftOut(); !status.ok()) return status;
  if (core->origins_.contains(origin)) {
    return absl::FailedPreconditionError("the new origin is one that the disk knows");
  }
  core->origins_[origin].replica = std::make_shared<const ReplicaName>(core->options_.replica);
  core->StageChain(now);
  if (auto status = core->Commit(now); !status.ok()) return status;
  return core;
}

absl::Status ReplicaCore::LoadOrigins() {
  std::unique_ptr<KvIterator> it = engine_->Iterate(Table::kMeta, PrefixEnd(kPositionPrefix));
  for (it->Seek(kPositionPrefix); it->Valid(); it->Next()) {
    std::optional<Origin> origin = ParsePositionKey(it->key());
    StoredPosition stored;
    if (!origin ||
        !stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) {
      return absl::DataLossError(
          absl::StrCat("stored position ", absl::BytesToHexString(it->key()), " does not parse"));
    }
    OriginState& state = origins_[*origin];
    state.received = Sequence(stored.received());
    state.durable = state.received;
    state.applied = Sequence(stored.applied());
    state.applied_time = HybridTime(stored.applied_timestamp());
    state.watermark = state.applied_time;
    state.covered_by = Origin(stored.covered_by());
    state.covered_at = Sequence(stored.covered_at());
    state.covered_end = Sequence(stored.covered_end());
    if (!stored.replica().empty()) {
      state.replica = std::make_shared<const ReplicaName>(ReplicaName(stored.replica()));
    }
    clock_.Observe(state.applied_time);
    if (state.applied < state.received) apply_wanted_ = true;
  }
  return it->status();
}

absl::Status ReplicaCore::LoadLeftOut() {
  std::unique_ptr<KvIterator> it = engine_->Iterate(Table::kMeta, PrefixEnd(kLeftOutPrefix));
  for (it->Seek(kLeftOutPrefix); it->Valid(); it->Next()) {
    left_out_.insert(std::string(it->key().substr(kLeftOutPrefix.size())));
  }
  return it->status();
}

bool ReplicaCore::OwnsOrigin(const OriginState& state) const {
  return state.replica != nullptr && *state.replica == options_.replica;
}

void ReplicaCore::StageChain(const Moment& now) {
  chain_wanted_ = false;
  Entry entry;
  entry.mutable_chain()->set_replica(options_.replica.value());
  OriginState& own = origins_[self_];
  const Sequence at(own.received.value() + 1);
  for (auto& [origin, state] : origins_) {
    if (origin == self_ || !OwnsOrigin(state) || state.applied == Sequence(0)) continue;
    internal::v1::Position* end = entry.mutable_chain()->add_ends();
    end->set_origin(origin.value());
    end->set_sequence(state.applied.value());
    state.covered_by = self_;
    state.covered_at = at;
    state.covered_end = state.applied;
    state.dirty = true;
  }
  AppendOwn(entry, Stamp{{clock_.Next(now.wall, now.steady), self_}, at});
  ++counters_.chain_entries;
}

void ReplicaCore::AppendOwn(Entry& entry, const Stamp& stamp) {
  entry.set_origin(self_.value());
  entry.set_sequence(stamp.sequence.value());
  entry.set_timestamp(stamp.version.time.value());
  batch_.Put(Table::kLog, LogKey(self_, stamp.sequence),
             MakeLogRecord(LogRecord::Kind::kEntry, entry.SerializeAsString()));
  OriginState& own = origins_[self_];
  own.received = stamp.sequence;
  Advance(own, stamp.sequence, stamp.version.time);
}

absl::StatusOr<WriteName> ReplicaCore::StageWrite(const LocalWrite& write, const Moment& now) {
  if (!failed_.ok()) return failed_;
  const v1::MutateRequest& mutation = *write.mutation;
  const EntryPart part = PartOf(mutation);
  const std::string part_bytes = part.SerializeAsString();
  const std::string& request_id = mutation.options().request_id();
  const uint64_t mutation_hash = MutationHash(part_bytes);
  if (!request_id.empty()) {
    auto found = FindRequest(RequestKey(mutation.namespace_(), request_id));
    if (!found.ok()) return found.status();
    if (found->has_value()) {
      if ((*found)->mutation_hash() != mutation_hash) {
        return MakeError(absl::StatusCode::kInvalidArgument, reason::kRequestIdReused,
                         "options.request_id: was used for another mutation",
                         {{"field", "options.request_id"}});
      }
      ++counters_.writes_repeated;
      return WriteName{{HybridTime((*found)->timestamp()), Origin((*found)->origin())},
                       Sequence((*found)->sequence()),
                       true};
    }
  }
  // Everything that can fail comes before anything is staged.
  std::vector<std::string> keys;
  keys.reserve(part.changes_size());
  SessionToken seen = *write.token;
  for (const ItemChange& change : part.changes()) {
    keys.push_back(ItemKey(mutation.namespace_(), mutation.id(), change.key()));
    auto replaced = StampOf(keys.back());
    if (!replaced.ok()) return replaced.status();
    if (replaced->has_value()) {
      seen.Advance((*replaced)->version.origin, (*replaced)->sequence);
    }
  }

  Entry entry;
  for (const SessionToken::Position& position : seen.positions()) {
    if (position.origin == self_) continue;
    auto known = origins_.find(position.origin);
    if (known != origins_.end() && known->second.covered_by == self_ &&
        position.sequence <= known->second.covered_end) {
      continue;  // the chain entry before this one implies it
    }
    Sequence& implied = implied_[position.origin];
    if (position.sequence <= implied) continue;
    implied = position.sequence;
    internal::v1::Position* dependency = entry.add_dependencies();
    dependency->set_origin(position.origin.value());
    dependency->set_sequence(position.sequence.value());
  }
  entry.set_request_id(request_id);
  entry.add_part_checksums(Checksum(part_bytes));
  *entry.add_parts() = part_bytes;

  const Stamp stamp{{clock_.Next(now.wall, now.steady), self_},
                    Sequence(origins_[self_].received.value() + 1)};
  AppendOwn(entry, stamp);
  for (int i = 0; i < part.changes_size(); ++i) {
    StageItem(std::move(keys[i]), part.changes(i), stamp);
  }
  if (!request_id.empty()) {
    StageRequest(mutation.namespace_(), request_id, stamp, mutation_hash);
  }
  ++counters_.writes;
  return WriteName{stamp.version, stamp.sequence, false};
}

absl::StatusOr<std::optional<ReplicaCore::Stamp>> ReplicaCore::StampOf(
    const std::string& item_key) {
  if (auto staged = staged_items_.find(item_key); staged != staged_items_.end()) {
    return std::optional<Stamp>(staged->second);
  }
  auto bytes = engine_->Get(Table::kItems, item_key);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<Stamp>();
  StoredItem item;
  if (!item.ParseFromString(**bytes)) return absl::DataLossError("stored item does not parse");
  return std::optional<Stamp>(
      Stamp{{HybridTime(item.timestamp()), Origin(item.origin())}, Sequence(item.sequence())});
}

void ReplicaCore::StageItem(std::string item_key, const ItemChange& change, const Stamp& stamp) {
  StoredItem item;
  item.set_timestamp(stamp.version.time.value());
  item.set_origin(stamp.version.origin.value());
  item.set_sequence(stamp.sequence.value());
  item.set_expires(change.expires());
  if (change.has_value()) item.set_value(change.value());
  staged_items_[item_key] = stamp;
  batch_.Put(Table::kItems, std::move(item_key), item.SerializeAsString());
}

absl::StatusOr<std::optional<StoredRequest>> ReplicaCore::FindRequest(
    const std::string& request_key) {
  if (auto staged = staged_requests_.find(request_key); staged != staged_requests_.end()) {
    return std::optional<StoredRequest>(staged->second);
  }
  auto bytes = engine_->Get(Table::kRequests, request_key);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<StoredRequest>();
  StoredRequest request;
  if (!request.ParseFromString(**bytes)) {
    return absl::DataLossError("stored request id does not parse");
  }
  return std::optional<StoredRequest>(std::move(request));
}

void ReplicaCore::StageRequest(absl::string_view name_space, absl::string_view request_id,
                               const Stamp& stamp, uint64_t mutation_hash) {
  StoredRequest request;
  request.set_origin(stamp.version.origin.value());
  request.set_sequence(stamp.sequence.value());
  request.set_timestamp(stamp.version.time.value());
  request.set_mutation_hash(mutation_hash);
  const std::string key = RequestKey(name_space, request_id);
  batch_.Put(Table::kRequests, key, request.SerializeAsString());
  std::string time_key = RequestTimeKey(stamp.version.time, key);
  if (staged_requests_.empty() || time_key < staged_request_first_) {
    staged_request_first_ = time_key;
  }
  batch_.Put(Table::kRequests, std::move(time_key), std::string());
  staged_requests_[key] = std::move(request);
}

absl::Status ReplicaCore::ForgetRequests(const Moment& now) {
  if (now.steady < forget_next_) return absl::OkStatus();
  forget_next_ = now.steady + kForgetInterval;
  const HybridTime before =
      FromWallTime(clock_.Physical(now.wall, now.steady) - options_.request_id_window);
  int left = options_.forget_max;
  std::unique_ptr<KvIterator> it =
      engine_->Iterate(Table::kRequests, RequestTimeKey(before, absl::string_view()));
  // Not from the front: what was forgotten before is there as tombstones until the engine compacts.
  for (it->Seek(forget_from_); it->Valid() && left > 0; it->Next(), --left) {
    auto parts = ParseRequestTimeKey(it->key());
    if (!parts) return absl::DataLossError("stored request time does not parse");
    batch_.Delete(Table::kRequests, std::string(parts->request_key));
    forget_from_ = std::string(it->key());
    batch_.Delete(Table::kRequests, forget_from_);
  }
  if (left == 0) forget_next_ = now.steady;
  return it->status();
}

absl::Status ReplicaCore::StageEntry(absl::string_view bytes) {
  if (!failed_.ok()) return failed_;
  auto entry = ParseEntry(bytes);
  if (!entry.ok()) return entry.status();
  const Origin origin(entry->origin());
  const Sequence sequence(entry->sequence());
  auto known = origins_.find(origin);
  const Sequence have = known == origins_.end() ? Sequence(0) : known->second.received;
  if (sequence <= have) {
    ++counters_.entries_duplicate;
    return absl::OkStatus();
  }
  if (origin == self_) {
    return absl::FailedPreconditionError(
        absl::StrCat("a peer has entry ", sequence.value(), " of this replica's own origin ",
                     OriginText(origin), ", which ends at ", have.value()));
  }
  if (sequence.value() != have.value() + 1) {
    return absl::FailedPreconditionError(absl::StrCat("entry ", sequence.value(), " of origin ",
                                                      OriginText(origin), " came after ",
                                                      have.value()));
  }
  if (sequence == Sequence(1) && !entry->has_chain()) {
    return absl::DataLossError(
        absl::StrCat("origin ", OriginText(origin), " does not begin with a chain entry"));
  }
  if (known == origins_.end() && origins_.size() >= kOriginsMax) {
    return absl::ResourceExhaustedError(absl::StrCat("origin ", OriginText(origin),
                                                     " is one more than the ", kOriginsMax,
                                                     " that a replica can know"));
  }
  if (auto status = MayHold(*entry); !status.ok()) return status;
  batch_.Put(Table::kLog, LogKey(origin, sequence), MakeLogRecord(LogRecord::Kind::kEntry, bytes));
  OriginState& state = origins_[origin];
  state.received = sequence;
  state.dirty = true;
  KeepFresh(state, sequence, {sequence, std::move(*entry), std::nullopt});
  apply_wanted_ = true;
  ++counters_.entries_received;
  return absl::OkStatus();
}

// The receiver's half of the residency promise: what the topology does not give to this region is
// not taken, whoever sends it.
absl::Status ReplicaCore::MayHold(const Entry& entry) const {
  for (int i = 0; i < entry.parts_size(); ++i) {
    auto part = ParsePart(entry, i);
    if (!part.ok()) return part.status();
    if (!policy_ || policy_->Ask(part->change_class()) != HoldingPolicy::Answer::kHolds) {
      return absl::PermissionDeniedError(absl::StrCat("this region may not hold namespace '",
                                                      part->change_class().namespace_(),
                                                      "', of which a peer sent an entry"));
    }
  }
  return absl::OkStatus();
}

// A skip can not be taken back: what it leaves out is never sent again.
absl::Status ReplicaCore::MayLack(const Skip& skip) const {
  if (skip.classes().empty()) return absl::DataLossError("a skip names no classes");
  for (const internal::v1::ChangeClass& left_out : skip.classes()) {
    if (!policy_ || policy_->Ask(left_out) != HoldingPolicy::Answer::kForbids) {
      return absl::FailedPreconditionError(absl::StrCat(
          "a peer left out entries of namespace '", left_out.namespace_(),
          "', which this region may hold or does not know; do the topologies differ?"));
    }
  }
  return absl::OkStatus();
}

void ReplicaCore::KeepFresh(OriginState& state, Sequence first, LoggedRecord record) {
  const Sequence end = state.fresh.empty() ? state.applied : state.fresh.back().sequence;
  if (end.value() + 1 == first.value()) state.fresh.push_back(std::move(record));
}

absl::Status ReplicaCore::StageSkip(const Skip& skip) {
  if (!failed_.ok()) return failed_;
  const Origin origin(skip.origin());
  if (origin == Origin(0) || skip.first() == 0 || skip.last() < skip.first()) {
    return absl::DataLossError("a skip names no sequences");
  }
  auto known = origins_.find(origin);
  const Sequence have = known == origins_.end() ? Sequence(0) : known->second.received;
  if (Sequence(skip.last()) <= have) return absl::OkStatus();
  if (origin == self_ || skip.first() != have.value() + 1) {
    return absl::FailedPreconditionError(absl::StrCat("a skip from ", skip.first(), " of origin ",
                                                      OriginText(origin), " came after ",
                                                      have.value()));
  }
  if (known == origins_.end()) {
    return absl::DataLossError(
        absl::StrCat("origin ", OriginText(origin), " does not begin with a chain entry"));
  }
  if (auto status = MayLack(skip); !status.ok()) return status;
  for (const internal::v1::ChangeClass& left_out : skip.classes()) {
    if (!left_out_.insert(left_out.namespace_()).second) continue;
    batch_.Put(Table::kMeta, absl::StrCat(kLeftOutPrefix, left_out.namespace_()), std::string());
  }
  batch_.Put(Table::kLog, LogKey(origin, Sequence(skip.last())),
             MakeLogRecord(LogRecord::Kind::kSkip, skip.SerializeAsString()));
  OriginState& state = origins_[origin];
  state.received = Sequence(skip.last());
  state.dirty = true;
  KeepFresh(state, Sequence(skip.first()), {Sequence(skip.last()), std::nullopt, skip});
  apply_wanted_ = true;
  return absl::OkStatus();
}

void ReplicaCore::ObserveWatermark(Origin origin, Sequence sequence, HybridTime time) {
  auto found = origins_.find(origin);
  if (found == origins_.end() || origin == self_) return;
  OriginState& state = found->second;
  if (state.applied >= sequence) {
    state.watermark = std::max(state.watermark, time);
  } else if (state.watermark_at == Sequence(0)) {
    // One waiting watermark an origin is enough: the entries in between carry their own times.
    state.watermark_at = sequence;
    state.watermark_then = time;
  }
}

void ReplicaCore::ObserveReplica(Origin origin, const ReplicaName& replica) {
  auto found = origins_.find(origin);
  if (found == origins_.end()) return;
  OriginState& state = found->second;
  if (state.replica == nullptr) {
    state.replica = std::make_shared<const ReplicaName>(replica);
    state.dirty = true;
  }
}

void ReplicaCore::Advance(OriginState& state, Sequence sequence, HybridTime time) {
  state.applied = sequence;
  state.applied_time = std::max(state.applied_time, time);
  state.watermark = std::max(state.watermark, time);
  if (state.watermark_at != Sequence(0) && state.applied >= state.watermark_at) {
    state.watermark = std::max(state.watermark, state.watermark_then);
    state.watermark_at = Sequence(0);
  }
  state.dirty = true;
}

absl::Status ReplicaCore::ApplyAll(const Moment& now) {
  apply_wanted_ = false;
  int left = options_.apply_max;
  LogReader log(engine_);
  bool progress = true;
  while (progress) {
    progress = false;
    for (auto& [origin, state] : origins_) {
      while (state.applied < state.received) {
        if (left == 0) {
          apply_wanted_ = true;
          return absl::OkStatus();
        }
        auto applied = ApplyNext(origin, state, log, now);
        if (!applied.ok()) return applied.status();
        if (!*applied) break;
        progress = true;
        --left;
      }
    }
  }
  return absl::OkStatus();
}

template <typename Positions>
std::optional<OriginBlock> ReplicaCore::FirstMissing(const Positions& positions) const {
  for (const internal::v1::Position& position : positions) {
    auto found = origins_.find(Origin(position.origin()));
    const Sequence applied = found == origins_.end() ? Sequence(0) : found->second.applied;
    if (applied < Sequence(position.sequence())) {
      return OriginBlock{OriginBlock::Kind::kDependency, Origin(position.origin()),
                         Sequence(position.sequence()), HybridTime()};
    }
  }
  return std::nullopt;
}

absl::StatusOr<bool> ReplicaCore::ApplyNext(Origin origin, OriginState& state, LogReader& log,
                                            const Moment& now) {
  if (state.block) {
    // The head is known to wait: look at what it waits for before reading it again.
    if (state.block->kind == OriginBlock::Kind::kDependency) {
      auto found = origins_.find(state.block->origin);
      if (found == origins_.end() || found->second.applied < state.block->sequence) return false;
    } else if (clock_.TooFarAhead(state.block->time, now.wall, now.steady)) {
      return false;
    }
    state.block.reset();
  }
  LoggedRecord record;
  if (!state.fresh.empty()) {
    record = std::move(state.fresh.front());
    state.fresh.pop_front();
  } else if (state.applied >= state.durable) {
    apply_wanted_ = true;  // in the batch only; the next commit can read it
    return false;
  } else {
    auto read = log.Read(origin, Sequence(state.applied.value() + 1));
    if (!read.ok()) return read.status();
    record = std::move(*read);
  }
  const auto& dependencies =
      record.entry ? record.entry->dependencies() : record.skip->dependencies();
  const HybridTime time(record.entry ? record.entry->timestamp() : record.skip->timestamp());
  std::optional<OriginBlock> block = FirstMissing(dependencies);
  if (!block && record.entry && record.entry->has_chain()) {
    block = FirstMissing(record.entry->chain().ends());
  }
  if (!block && clock_.TooFarAhead(time, now.wall, now.steady)) {
    block = OriginBlock{OriginBlock::Kind::kClock, Origin(0), Sequence(0), time};
    ++counters_.clock_refusals;
  }
  if (block) {
    state.block = block;
    state.fresh.push_front(std::move(record));
    return false;
  }
  clock_.Observe(time);
  if (record.entry) {
    if (auto status = ApplyEntry(*record.entry); !status.ok()) return status;
    ++counters_.entries_applied;
  }
  Advance(state, record.sequence, time);
  if (OwnsOrigin(state) && origin != self_ && state.applied > state.covered_end) {
    chain_wanted_ = true;
  }
  return true;
}

absl::Status ReplicaCore::ApplyEntry(const Entry& entry) {
  const Stamp stamp{{HybridTime(entry.timestamp()), Origin(entry.origin())},
                    Sequence(entry.sequence())};
  if (entry.has_chain()) {
    const ReplicaName replica(entry.chain().replica());
    OriginState& own = origins_[stamp.version.origin];
    // What others said of the origin before was hearsay.
    if (own.replica == nullptr || *own.replica != replica) {
      own.replica = std::make_shared<const ReplicaName>(replica);
      own.dirty = true;
    }
    for (const internal::v1::Position& end : entry.chain().ends()) {
      auto found = origins_.find(Origin(end.origin()));
      if (found == origins_.end()) continue;
      OriginState& earlier = found->second;
      // A replica speaks for its own origins only, and for none that is running here.
      if (found->first == self_ || earlier.replica == nullptr || *earlier.replica != replica) {
        continue;
      }
      earlier.covered_by = stamp.version.origin;
      earlier.covered_at = stamp.sequence;
      earlier.covered_end = Sequence(end.sequence());
      earlier.dirty = true;
    }
    return absl::OkStatus();
  }
  for (int i = 0; i < entry.parts_size(); ++i) {
    auto part = ParsePart(entry, i);
    if (!part.ok()) return part.status();
    for (const ItemChange& change : part->changes()) {
      std::string key = ItemKey(part->change_class().namespace_(), part->record_id(), change.key());
      auto existing = StampOf(key);
      if (!existing.ok()) return existing.status();
      if (existing->has_value() && (*existing)->version >= stamp.version) {
        ++counters_.registers_kept;
        continue;
      }
      StageItem(std::move(key), change, stamp);
    }
    if (entry.request_id().empty()) continue;
    // An answer that was given here under the id stays: a retry must not get another one.
    auto known = FindRequest(RequestKey(part->change_class().namespace_(), entry.request_id()));
    if (!known.ok()) return known.status();
    if (known->has_value()) continue;
    StageRequest(part->change_class().namespace_(), entry.request_id(), stamp,
                 MutationHash(entry.parts(i)));
  }
  return absl::OkStatus();
}

void ReplicaCore::StagePositions(const Moment& now) {
  for (auto& [origin, state] : origins_) {
    if (!state.dirty) continue;
    StoredPosition stored;
    stored.set_received(state.received.value());
    stored.set_applied(state.applied.value());
    stored.set_applied_timestamp(state.applied_time.value());
    if (state.replica != nullptr) stored.set_replica(state.replica->value());
    stored.set_covered_by(state.covered_by.value());
    stored.set_covered_at(state.covered_at.value());
    stored.set_covered_end(state.covered_end.value());
    batch_.Put(Table::kMeta, PositionKey(origin), stored.SerializeAsString());
    state.dirty = false;
  }
  if (batch_.empty() && !ceiling_wanted_) return;
  const absl::Time physical = clock_.Physical(now.wall, now.steady);
  if (ceiling_wanted_ || ceiling_ < FromWallTime(physical + kClockReserve / 2)) {
    ceiling_ = std::max(ceiling_, FromWallTime(physical + kClockReserve));
    batch_.Put(Table::kMeta, std::string(kClockKey), absl::StrCat(ceiling_.value()));
    ceiling_wanted_ = false;
  }
}

absl::Status ReplicaCore::Commit(const Moment& now) {
  if (!failed_.ok()) return failed_;
  absl::Status status = ApplyAll(now);
  if (status.ok()) status = ForgetRequests(now);
  if (status.ok()) {
    if (chain_wanted_) StageChain(now);
    StagePositions(now);
    if (!batch_.empty()) status = engine_->Write(batch_, KvEngine::Durability::kSynced);
  }
  if (!status.ok()) {
    failed_ = status;
    return status;
  }
  batch_.Clear();
  staged_items_.clear();
  // An entry that came late can bring an id from before what was forgotten already.
  if (!staged_requests_.empty()) forget_from_ = std::min(forget_from_, staged_request_first_);
  staged_requests_.clear();
  // What waits is in the log now; keeping it here would let a slow peer fill the memory.
  for (auto& [origin, state] : origins_) {
    state.fresh.clear();
    state.durable = state.received;
  }
  Publish(now);
  return absl::OkStatus();
}

void ReplicaCore::Publish(const Moment& now) {
  auto view = std::make_shared<ReplicaView>();
  view->origins.reserve(origins_.size());
  for (const auto& [origin, state] : origins_) {
    view->origins.push_back({origin, state.received, state.applied, state.applied_time,
                             state.watermark, state.covered_by, state.covered_at, state.covered_end,
                             state.replica});
  }
  view->self = self_;
  view->time = FromWallTime(clock_.Physical(now.wall, now.steady));
  view_ = std::move(view);
}

internal::v1::Watermark ReplicaCore::MakeWatermark(const Moment& now) {
  HP_CHECK(staged_items_.empty());
  const HybridTime time = clock_.Next(now.wall, now.steady);
  // Only what the disk knows may be promised: after a restart, time must not go back behind it.
  if (time.value() + kHybridTicksPerMicro >= ceiling_.value()) ceiling_wanted_ = true;
  internal::v1::Watermark watermark;
  watermark.set_origin(self_.value());
  watermark.set_sequence(origins_[self_].received.value());
  watermark.set_timestamp(std::min(time, ceiling_).value());
  return watermark;
}

std::vector<std::pair<Origin, OriginBlock>> ReplicaCore::Blocked() const {
  std::vector<std::pair<Origin, OriginBlock>> blocked;
  for (const auto& [origin, state] : origins_) {
    if (state.block) blocked.emplace_back(origin, *state.block);
  }
  return blocked;
}

}  // namespace homeport
