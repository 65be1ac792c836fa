#include "storage/replication/replica_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/mutants.h"
#include "common/status/error.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/identity.h"
#include "storage/replication/local_write.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::ItemChange;
using internal::v1::Skip;
using internal::v1::StoredItem;
using internal::v1::StoredRequest;

// How far ahead of the clock promises may be made between two writes to the disk. Short, because a
// replica that is started again at once begins that far ahead of its wall clock.
constexpr absl::Duration kClockReserve = absl::Milliseconds(300);
constexpr absl::string_view kClockKey = "clock";
// One key a namespace of which entries were left out.
constexpr absl::string_view kLeftOutPrefix = "left_out/";

StoredRequest MakeRequest(const Stamp& stamp, uint64_t mutation_hash) {
  StoredRequest request;
  request.set_origin(stamp.version.origin.value());
  request.set_sequence(stamp.sequence.value());
  request.set_timestamp(stamp.version.time.value());
  request.set_mutation_hash(mutation_hash);
  return request;
}

}  // namespace

ReplicaCore::ReplicaCore(Options options, KvEngine* engine, Origin self, const Moment& now,
                         HybridTime floor)
    : options_(std::move(options)),
      engine_(engine),
      self_(self),
      clock_(options_.clock, now.wall, now.steady, floor),
      origins_(options_.replica),
      staging_(engine),
      items_(&staging_),
      expiry_(&staging_),
      digests_(&staging_),
      journal_(&staging_, &origins_, options_.conflict_journal_bytes),
      requests_(&staging_, options_.forget_max),
      ceiling_(floor) {
  items_.AddObserver(&expiry_);
  items_.AddObserver(&digests_);
  items_.AddObserver(&journal_);
}

absl::StatusOr<std::unique_ptr<ReplicaCore>> ReplicaCore::Open(Options options, KvEngine* engine,
                                                               Origin origin, const Moment& now) {
  HP_CHECK(origin != Origin(0));
  if (auto status = ClaimIdentity(engine, options.cluster, options.replica); !status.ok()) {
    return status;
  }
  if (auto status = ExpiryIndex::Build(engine); !status.ok()) return status;
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
  if (auto status = core->origins_.Load(engine, core->clock_); !status.ok()) return status;
  if (auto status = core->LoadLeftOut(); !status.ok()) return status;
  if (auto status = core->digests_.Load(); !status.ok()) return status;
  if (auto status = core->journal_.Load(); !status.ok()) return status;
  if (core->origins_.Find(origin) != nullptr) {
    return absl::FailedPreconditionError("the new origin is one that the disk knows");
  }
  core->origins_.At(origin).replica = std::make_shared<const ReplicaName>(core->options_.replica);
  core->apply_wanted_ = true;  // the last start may have left a backlog
  core->StageChain({}, now);
  if (auto status = core->Commit(now); !status.ok()) return status;
  return core;
}

absl::Status ReplicaCore::LoadLeftOut() {
  std::unique_ptr<KvIterator> it = engine_->Iterate(Table::kMeta, PrefixEnd(kLeftOutPrefix));
  for (it->Seek(kLeftOutPrefix); it->Valid(); it->Next()) {
    left_out_.insert(std::string(it->key().substr(kLeftOutPrefix.size())));
  }
  return it->status();
}

void ReplicaCore::StageChain(internal::v1::OriginChain chain, const Moment& now) {
  chain_wanted_ = false;
  Entry entry;
  *entry.mutable_chain() = std::move(chain);
  entry.mutable_chain()->set_replica(options_.replica.value());
  const Stamp stamp{{clock_.Next(now.wall, now.steady), self_},
                    Sequence(origins_.At(self_).received.value() + 1)};
  for (auto& [origin, state] : origins_.states()) {
    if (origin == self_ || !origins_.IsOwn(state) || state.applied == Sequence(0)) continue;
    internal::v1::Position* end = entry.mutable_chain()->add_ends();
    end->set_origin(origin.value());
    end->set_sequence(state.applied.value());
    origins_.Cover(state, stamp, state.applied);
  }
  AppendOwn(entry, stamp);
  origins_.ApplyClosing(entry.chain(), self_);
  ++counters_.chain_entries;
}

uint64_t ReplicaCore::PutRecord(Origin origin, Sequence sequence, LogRecord::Kind kind,
                                absl::string_view body) {
  std::string key = LogKey(origin, sequence);
  std::string record = MakeLogRecord(kind, body);
  const uint64_t bytes = key.size() + record.size();
  staging_.Put(Table::kLog, std::move(key), std::move(record));
  return bytes;
}

void ReplicaCore::AppendOwn(Entry& entry, const Stamp& stamp) {
  entry.set_origin(self_.value());
  entry.set_sequence(stamp.sequence.value());
  entry.set_timestamp(stamp.version.time.value());
  OriginState& own = origins_.At(self_);
  own.Receive(stamp.sequence, stamp.version.time,
              PutRecord(self_, stamp.sequence, LogRecord::Kind::kEntry, entry.SerializeAsString()));
  own.Advance(stamp.sequence, stamp.version.time);
}

absl::StatusOr<WriteName> ReplicaCore::StageWrite(const LocalWrite& write, const Moment& now) {
  if (!failed_.ok()) return failed_;
  const v1::MutateRequest& mutation = *write.mutation;
  LocalMutation local(&mutation);
  const std::string& request_id = mutation.options().request_id();
  const std::string request_key = RequestKey(mutation.namespace_(), request_id);
  if (!request_id.empty()) {
    auto found = requests_.Find(request_key);
    if (!found.ok()) return found.status();
    if (found->has_value()) {
      if ((*found)->mutation_hash() != local.hash()) {
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
  const Stamp stamp{{clock_.Next(now.wall, now.steady), self_},
                    Sequence(origins_.At(self_).received.value() + 1)};
  const WriteTerms terms{self_, stamp.version.time, write.ttl};
  std::vector<ItemWriter::Loaded> items;
  items.reserve(mutation.changes_size());
  SessionToken seen = *write.token;
  for (int i = 0; i < mutation.changes_size(); ++i) {
    auto item =
        items_.Load(ItemKey(mutation.namespace_(), mutation.id(), mutation.changes(i).key()));
    if (!item.ok()) return item.status();
    const StoredItem* stored = item->stored ? &*item->stored : nullptr;
    if (auto status = local.Fit(i, stored, terms, seen); !status.ok()) return status;
    items.push_back(*std::move(item));
  }
  Entry entry;
  if (auto status = local.AddTo(entry); !status.ok()) return status;

  for (const SessionToken::Position& position : seen.positions()) {
    if (position.origin == self_) continue;
    const OriginState* known = origins_.Find(position.origin);
    if (known != nullptr && known->covered_by == self_ && position.sequence <= known->covered_end) {
      continue;  // the chain entry before this one implies it
    }
    Sequence& implied = implied_[position.origin];
    if (position.sequence <= implied) continue;
    implied = position.sequence;
    internal::v1::Position* dependency = entry.add_dependencies();
    dependency->set_origin(position.origin.value());
    dependency->set_sequence(position.sequence.value());
  }
  AppendOwn(entry, stamp);
  for (int i = 0; i < mutation.changes_size(); ++i) {
    items_.Apply(std::move(items[i]), local.part().changes(i), stamp, ItemCause::kLocal);
  }
  if (!request_id.empty()) requests_.Stage(request_key, MakeRequest(stamp, local.hash()));
  ++counters_.writes;
  return WriteName{stamp.version, stamp.sequence, false};
}

absl::StatusOr<WriteName> ReplicaCore::StageRestore(ConflictNumber conflict,
                                                    const LocalWrite& write, const Moment& now) {
  if (!failed_.ok()) return failed_;
  auto known = journal_.Find(conflict);
  if (!known.ok()) return known.status();
  if (known->restored_origin() != 0) {
    return WriteName{{HybridTime(known->restored_timestamp()), Origin(known->restored_origin())},
                     Sequence(known->restored_sequence()),
                     true};
  }
  auto name = StageWrite(write, now);
  if (!name.ok()) return name.status();
  journal_.Settle(conflict, *std::move(known), {name->version, name->sequence});
  return name;
}

absl::Status ReplicaCore::StageEntry(absl::string_view bytes) {
  if (!failed_.ok()) return failed_;
  auto entry = ParseEntry(bytes);
  if (!entry.ok()) return entry.status();
  const Origin origin(entry->origin());
  const Sequence sequence(entry->sequence());
  const OriginState* known = origins_.Find(origin);
  const Sequence have = known == nullptr ? Sequence(0) : known->received;
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
  if (auto status = MayContinue(known, origin, sequence, HybridTime(entry->timestamp()));
      !status.ok()) {
    return status;
  }
  if (sequence == Sequence(1) && !entry->has_chain()) {
    return absl::DataLossError(
        absl::StrCat("origin ", OriginText(origin), " does not begin with a chain entry"));
  }
  if (known == nullptr && origins_.states().size() >= kOriginsMax) {
    return absl::ResourceExhaustedError(absl::StrCat("origin ", OriginText(origin),
                                                     " is one more than the ", kOriginsMax,
                                                     " that a replica can know"));
  }
  if (auto status = MayHold(*entry); !status.ok()) return status;
  OriginState& state = origins_.At(origin);
  state.Receive(sequence, HybridTime(entry->timestamp()),
                PutRecord(origin, sequence, LogRecord::Kind::kEntry, bytes));
  state.KeepFresh(sequence, {sequence, std::move(*entry), std::nullopt});
  apply_wanted_ = true;
  ++counters_.entries_received;
  return absl::OkStatus();
}

absl::Status ReplicaCore::MayContinue(const OriginState* known, Origin origin, Sequence last,
                                      HybridTime time) const {
  if (known == nullptr) return absl::OkStatus();
  if (known->frozen) {
    return absl::FailedPreconditionError(
        absl::StrCat("origin ", OriginText(origin), " is about to be closed"));
  }
  if (known->closed_end && last > *known->closed_end) {
    return absl::FailedPreconditionError(
        absl::StrCat("origin ", OriginText(origin), " was closed at ", known->closed_end->value()));
  }
  if (known->received != Sequence(0) && time <= known->received_time) {
    return absl::DataLossError(absl::StrCat("entry ", last.value(), " of origin ",
                                            OriginText(origin),
                                            " is not later than the one before it"));
  }
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

absl::Status ReplicaCore::StageRepair(absl::string_view item_key, const StoredItem& item,
                                      const Moment& now) {
  if (!failed_.ok()) return failed_;
  const std::optional<ItemKeyParts> parts = ParseItemKey(item_key);
  if (!parts) return absl::DataLossError("a peer's item has a key that does not parse");
  internal::v1::ChangeClass change_class;
  change_class.set_namespace_(std::string(parts->name_space));
  change_class.set_kind(internal::v1::CLASS_KIND_GENERAL);
  if (!policy_ || policy_->Ask(change_class) != HoldingPolicy::Answer::kHolds) {
    return absl::PermissionDeniedError(absl::StrCat("this region may not hold namespace '",
                                                    parts->name_space,
                                                    "', of which a peer sent an item"));
  }
  const HybridTime time(item.timestamp());
  if (clock_.TooFarAhead(time, now.wall, now.steady)) {
    return absl::FailedPreconditionError("a peer sent an item from too far in the future");
  }
  auto here = items_.Load(std::string(item_key));
  if (!here.ok()) return here.status();
  clock_.Observe(time);
  const ItemWriter::Outcome outcome =
      HP_MUTANT(kRepairReplaces) ? items_.Replace(*std::move(here), item, ItemCause::kMerge)
                                 : items_.Merge(*std::move(here), item, ItemCause::kMerge);
  if (outcome == ItemWriter::Outcome::kChanged) ++counters_.items_repaired;
  return absl::OkStatus();
}

absl::Status ReplicaCore::StageSkip(const Skip& skip) {
  if (!failed_.ok()) return failed_;
  const Origin origin(skip.origin());
  if (origin == Origin(0) || skip.first() == 0 || skip.last() < skip.first()) {
    return absl::DataLossError("a skip names no sequences");
  }
  const OriginState* known = origins_.Find(origin);
  const Sequence have = known == nullptr ? Sequence(0) : known->received;
  if (Sequence(skip.last()) <= have) return absl::OkStatus();
  if (origin == self_ || skip.first() != have.value() + 1) {
    return absl::FailedPreconditionError(absl::StrCat("a skip from ", skip.first(), " of origin ",
                                                      OriginText(origin), " came after ",
                                                      have.value()));
  }
  if (have == Sequence(0)) {
    return absl::DataLossError(
        absl::StrCat("origin ", OriginText(origin), " does not begin with a chain entry"));
  }
  if (auto status = MayContinue(known, origin, Sequence(skip.last()), HybridTime(skip.timestamp()));
      !status.ok()) {
    return status;
  }
  if (auto status = MayLack(skip); !status.ok()) return status;
  for (const internal::v1::ChangeClass& left_out : skip.classes()) {
    if (!left_out_.insert(left_out.namespace_()).second) continue;
    staging_.Put(Table::kMeta, absl::StrCat(kLeftOutPrefix, left_out.namespace_()), std::string());
  }
  OriginState& state = origins_.At(origin);
  state.Receive(
      Sequence(skip.last()), HybridTime(skip.timestamp()),
      PutRecord(origin, Sequence(skip.last()), LogRecord::Kind::kSkip, skip.SerializeAsString()));
  state.KeepFresh(Sequence(skip.first()), {Sequence(skip.last()), std::nullopt, skip});
  apply_wanted_ = true;
  return absl::OkStatus();
}

absl::Status ReplicaCore::StageSeeded(const std::vector<SeededOrigin>& cut, const Moment& now) {
  if (!failed_.ok()) return failed_;
  size_t added = 0;
  for (const SeededOrigin& seeded : cut) {
    const OriginState* known = origins_.Find(seeded.origin);
    if (known == nullptr) ++added;
    if (seeded.origin == self_ && Sequence(seeded.position.applied()) > known->received) {
      return absl::FailedPreconditionError(
          absl::StrCat("a peer has applied entry ", seeded.position.applied(),
                       " of this replica's own origin, which ends at ", known->received.value()));
    }
    const HybridTime time(seeded.position.applied_timestamp());
    if (clock_.TooFarAhead(time, now.wall, now.steady)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "a peer has applied what origin ", OriginText(seeded.origin), " wrote in the future"));
    }
  }
  if (origins_.states().size() + added > kOriginsMax) {
    return absl::ResourceExhaustedError(absl::StrCat("a peer knows more than the ", kOriginsMax,
                                                     " origins that a replica can know"));
  }
  for (const SeededOrigin& seeded : cut) {
    clock_.Observe(HybridTime(seeded.position.applied_timestamp()));
  }
  origins_.TakeSeeded(cut, staging_);
  for (const auto& [origin, state] : origins_.states()) {
    if (origin != self_ && origins_.IsOwn(state) && state.applied > state.covered_end) {
      chain_wanted_ = true;
    }
  }
  apply_wanted_ = true;
  return absl::OkStatus();
}

absl::Status ReplicaCore::StageClosing(const std::vector<Origin>& closing,
                                       const std::vector<std::pair<Origin, Sequence>>& closed,
                                       const Moment& now) {
  if (!failed_.ok()) return failed_;
  internal::v1::OriginChain chain;
  for (const Origin origin : closing) chain.add_closing(origin.value());
  for (const auto& [origin, end] : closed) {
    internal::v1::Position* position = chain.add_closed();
    position->set_origin(origin.value());
    position->set_sequence(end.value());
  }
  StageChain(std::move(chain), now);
  return absl::OkStatus();
}

void ReplicaCore::PlanTruncation(absl::FunctionRef<Sequence(Origin)> applied_by_members,
                                 const Moment& now) {
  const std::vector<Truncation> plan =
      PlanRetention(origins_.states(), applied_by_members, options_.retention,
                    FromWallTime(clock_.Physical(now.wall, now.steady)));
  truncations_.assign(plan.begin(), plan.end());
}

void ReplicaCore::StageTruncation() {
  if (truncations_.empty()) return;
  const Truncation truncation = truncations_.front();
  truncations_.pop_front();
  OriginState& state = origins_.At(truncation.origin);
  state.log.Truncate(truncation.origin, truncation.begin, staging_);
  state.dirty = true;
  switch (truncation.reason) {
    case Truncation::Reason::kAppliedByAll:
      ++counters_.truncated_applied_by_all;
      break;
    case Truncation::Reason::kBytes:
      ++counters_.truncated_for_bytes;
      break;
    case Truncation::Reason::kAge:
      ++counters_.truncated_for_age;
      break;
  }
}

void ReplicaCore::ObserveWatermark(Origin origin, Sequence sequence, HybridTime time) {
  if (origin != self_) origins_.ObserveWatermark(origin, sequence, time);
}

void ReplicaCore::ObserveReplica(Origin origin, const ReplicaName& replica) {
  origins_.ObserveReplica(origin, replica);
}

absl::Status ReplicaCore::ApplyAll(const Moment& now) {
  apply_wanted_ = false;
  int left = options_.apply_max;
  LogReader log(engine_);
  bool progress = true;
  while (progress) {
    progress = false;
    for (auto& [origin, state] : origins_.states()) {
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

absl::StatusOr<bool> ReplicaCore::ApplyNext(Origin origin, OriginState& state, LogReader& log,
                                            const Moment& now) {
  if (state.block) {
    // The head is known to wait: look at what it waits for before reading it again.
    if (state.block->kind == OriginBlock::Kind::kDependency) {
      const OriginState* needed = origins_.Find(state.block->origin);
      if (needed == nullptr || needed->applied < state.block->sequence) return false;
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
  std::optional<OriginBlock> block = origins_.FirstMissing(dependencies);
  if (!block && record.entry && record.entry->has_chain()) {
    block = origins_.FirstMissing(record.entry->chain().ends());
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
  if (!origins_.IsOwn(state)) origins_.Learn(state, dependencies);
  if (record.entry) {
    if (auto status = ApplyEntry(*record.entry); !status.ok()) return status;
    ++counters_.entries_applied;
  }
  state.Advance(record.sequence, time);
  if (origins_.IsOwn(state) && origin != self_ && state.applied > state.covered_end) {
    chain_wanted_ = true;
  }
  return true;
}

absl::Status ReplicaCore::ApplyEntry(const Entry& entry) {
  const Stamp stamp{{HybridTime(entry.timestamp()), Origin(entry.origin())},
                    Sequence(entry.sequence())};
  if (entry.has_chain()) {
    origins_.ApplyChain(entry.chain(), stamp, self_);
    return absl::OkStatus();
  }
  for (int i = 0; i < entry.parts_size(); ++i) {
    auto part = ParsePart(entry, i);
    if (!part.ok()) return part.status();
    for (const ItemChange& change : part->changes()) {
      std::string key = ItemKey(part->change_class().namespace_(), part->record_id(), change.key());
      auto item = items_.Load(std::move(key));
      if (!item.ok()) return item.status();
      if (items_.Apply(*std::move(item), change, stamp, ItemCause::kEntry) ==
          ItemWriter::Outcome::kKept) {
        ++counters_.registers_kept;
      }
    }
    if (entry.request_id().empty()) continue;
    // An answer that was given here under the id stays: a retry must not get another one.
    const std::string request_key =
        RequestKey(part->change_class().namespace_(), entry.request_id());
    auto known = requests_.Find(request_key);
    if (!known.ok()) return known.status();
    if (known->has_value()) continue;
    requests_.Stage(request_key, MakeRequest(stamp, MutationHashOf(entry, entry.parts(i))));
  }
  return absl::OkStatus();
}

void ReplicaCore::StageCeiling(const Moment& now) {
  if (staging_.empty() && !ceiling_wanted_) return;
  const absl::Time physical = clock_.Physical(now.wall, now.steady);
  if (ceiling_wanted_ || ceiling_ < FromWallTime(physical + kClockReserve / 2)) {
    ceiling_ = std::max(ceiling_, FromWallTime(physical + kClockReserve));
    staging_.Put(Table::kMeta, std::string(kClockKey), absl::StrCat(ceiling_.value()));
    ceiling_wanted_ = false;
  }
}

absl::Status ReplicaCore::Commit(const Moment& now) {
  if (!failed_.ok()) return failed_;
  journal_.SetTime(FromWallTime(clock_.Physical(now.wall, now.steady)));
  absl::Status status = ApplyAll(now);
  if (status.ok()) {
    const absl::Time physical = clock_.Physical(now.wall, now.steady);
    status = requests_.Forget(FromWallTime(physical - options_.request_id_window), now.steady);
  }
  if (status.ok()) {
    if (chain_wanted_) StageChain({}, now);
    StageTruncation();
    digests_.StageChanged();
    status = journal_.Prepare();
  }
  if (status.ok()) {
    origins_.StagePositions(FromWallTime(clock_.Physical(now.wall, now.steady)),
                            LogSegmentBytes(options_.retention.log_bytes_max), staging_);
    StageCeiling(now);
    if (!staging_.empty()) status = staging_.Write();
  }
  if (!status.ok()) {
    failed_ = status;
    return status;
  }
  origins_.OnCommitted();
  journal_.OnCommitted();
  Publish(now);
  return absl::OkStatus();
}

void ReplicaCore::Publish(const Moment& now) {
  auto view = std::make_shared<ReplicaView>();
  origins_.Show(*view);
  view->self = self_;
  view->time = FromWallTime(clock_.Physical(now.wall, now.steady));
  view_ = std::move(view);
}

internal::v1::Watermark ReplicaCore::MakeWatermark(const Moment& now) {
  HP_CHECK(staging_.empty());
  const HybridTime time = clock_.Next(now.wall, now.steady);
  // Only what the disk knows may be promised: after a restart, time must not go back behind it.
  if (time.value() + kHybridTicksPerMicro >= ceiling_.value()) ceiling_wanted_ = true;
  internal::v1::Watermark watermark;
  watermark.set_origin(self_.value());
  watermark.set_sequence(origins_.At(self_).received.value());
  watermark.set_timestamp(std::min(time, ceiling_).value());
  return watermark;
}

std::vector<std::pair<Origin, OriginBlock>> ReplicaCore::Blocked() const {
  std::vector<std::pair<Origin, OriginBlock>> blocked;
  for (const auto& [origin, state] : origins_.states()) {
    if (state.block) blocked.emplace_back(origin, *state.block);
  }
  return blocked;
}

}  // namespace homeport
