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
using internal::v1::Skip;
using internal::v1::StoredItem;

// How far ahead of the clock promises may be made between two writes to the disk. Short, because a
// replica that is started again at once begins that far ahead of its wall clock.
constexpr absl::Duration kClockReserve = absl::Milliseconds(300);
constexpr absl::string_view kClockKey = "clock";

absl::Status NotAppliedError(const ReplicaName& self, int index,
                             const SessionToken::Position& missing) {
  return MakeError(
      absl::StatusCode::kUnavailable, reason::kCatchingUp,
      absl::StrCat(self.value(), " is being seeded: changes[", index, "] would replace entry ",
                   missing.sequence.value(), " of origin ", OriginText(missing.origin),
                   ", of which it has not everything yet that was before it"),
      {{"replica", self.value()}});
}

}  // namespace

ReplicaCore::ReplicaCore(Options options, KvEngine* engine, Origin self, const Moment& now,
                         HybridTime floor)
    : options_(std::move(options)),
      engine_(engine),
      self_(self),
      clock_(options_.clock, now.wall, now.steady, floor),
      origins_(options_.replica),
      admission_(self_, &origins_),
      staging_(engine),
      items_(&staging_),
      expiry_(&staging_),
      digests_(&staging_),
      journal_(&staging_, &origins_, options_.conflict_journal_bytes),
      requests_(&staging_, options_.forget_max),
      applier_({self_, &origins_, &items_, &requests_, &clock_, &counters_, &seeds_, &holdings_}),
      seeds_(options_.seeding, &staging_, &items_, &requests_, &origins_),
      holdings_(options_.replica, &staging_, &origins_, &digests_, &seeds_),
      joins_(options_.joining_streams),
      membership_({options_.replica, self_, &origins_, &items_, &staging_, &counters_}),
      unheard_(options_.clock.drift_max),
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
  if (auto status = core->holdings_.Load(); !status.ok()) return status;
  if (auto status = core->membership_.Load(engine); !status.ok()) return status;
  if (auto status = core->digests_.Load(); !status.ok()) return status;
  if (auto status = core->seeds_.Load(); !status.ok()) return status;
  if (auto status = core->journal_.Load(); !status.ok()) return status;
  core->journal_.SetForgotten(core->holdings_.left_out());
  if (core->origins_.Find(origin) != nullptr) {
    return absl::FailedPreconditionError("the new origin is one that the disk knows");
  }
  core->origins_.At(origin).replica = std::make_shared<const ReplicaName>(core->options_.replica);
  core->apply_wanted_ = true;  // the last start may have left a backlog
  core->StageChain({}, now);
  if (auto status = core->Commit(now); !status.ok()) return status;
  return core;
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

std::optional<SessionToken::Position> ReplicaCore::NotApplied(const SessionToken& token) const {
  for (const SessionToken::Position& position : token.positions()) {
    const OriginState* state = origins_.Find(position.origin);
    if (state == nullptr || state->applied < state->Required(position.sequence)) return position;
  }
  return std::nullopt;
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
  SessionToken replaced;
  for (int i = 0; i < mutation.changes_size(); ++i) {
    auto item =
        items_.Load(ItemKey(mutation.namespace_(), mutation.id(), mutation.changes(i).key()));
    if (!item.ok()) return item.status();
    const StoredItem* stored = item->stored ? &*item->stored : nullptr;
    if (auto status = local.Fit(i, stored, terms, replaced); !status.ok()) return status;
    // A seeding shows values that are newer than the positions. An own entry is applied at once,
    // so one that replaced such a value would not have its dependencies here.
    if (NotApplied(replaced)) {
      // But for what was lost, which nobody will ever have.
      view_->DropLost(replaced);
      if (auto missing = NotApplied(replaced); missing) {
        return NotAppliedError(options_.replica, i, *missing);
      }
    }
    items.push_back(*std::move(item));
  }
  SessionToken seen = *write.token;
  seen.Merge(replaced);
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
  origins_.Learn(origins_.At(self_), entry.dependencies());
  origins_.At(self_).NoteChange(mutation.namespace_(), stamp.sequence);
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
  auto answer = admission_.CheckEntry(*entry);
  if (!answer.ok()) return answer.status();
  if (*answer == Admission::Answer::kDuplicate) {
    ++counters_.entries_duplicate;
    return absl::OkStatus();
  }
  NoteLeftOut(entry->withheld());
  origins_.Thaw(entry->chain(), self_);
  OriginState& state = origins_.At(origin);
  state.Receive(sequence, HybridTime(entry->timestamp()),
                PutRecord(origin, sequence, LogRecord::Kind::kEntry, bytes));
  state.KeepFresh(sequence, {sequence, std::move(*entry), std::nullopt});
  apply_wanted_ = true;
  ++counters_.entries_received;
  return absl::OkStatus();
}

void ReplicaCore::NoteLeftOut(
    const google::protobuf::RepeatedPtrField<internal::v1::ChangeClass>& classes) {
  for (const internal::v1::ChangeClass& left_out : classes) {
    holdings_.LeaveOut(left_out.namespace_());
  }
}

absl::Status ReplicaCore::StageRepair(absl::string_view item_key, const StoredItem& item,
                                      const Moment& now) {
  if (!failed_.ok()) return failed_;
  const std::optional<ItemKeyParts> parts = ParseItemKey(item_key);
  if (!parts) return absl::DataLossError("a peer's item has a key that does not parse");
  if (auto status = admission_.CheckHolds(parts->name_space); !status.ok()) return status;
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
  auto answer = admission_.CheckSkip(skip);
  if (!answer.ok()) return answer.status();
  if (*answer == Admission::Answer::kDuplicate) return absl::OkStatus();
  NoteLeftOut(skip.classes());
  LogSkip(skip);
  return absl::OkStatus();
}

absl::Status ReplicaCore::StageOwed(const Skip& skip) {
  if (!failed_.ok()) return failed_;
  auto answer = admission_.CheckOwed(skip);
  if (!answer.ok()) return answer.status();
  if (*answer == Admission::Answer::kDuplicate) return absl::OkStatus();
  for (const internal::v1::ChangeClass& left_out : skip.classes()) {
    if (HP_MUTANT(kOwedForgotten)) break;
    const std::string& name_space = left_out.namespace_();
    if (admission_.Misses(name_space)) {
      holdings_.Owe(name_space, Origin(skip.origin()), Sequence(skip.last()),
                    skip.last() - skip.first() + 1);
    } else {
      holdings_.LeaveOut(name_space);
    }
  }
  counters_.entries_owed += skip.last() - skip.first() + 1;
  LogSkip(skip);
  return absl::OkStatus();
}

void ReplicaCore::LogSkip(const Skip& skip) {
  const Origin origin(skip.origin());
  OriginState& state = origins_.At(origin);
  state.Receive(
      Sequence(skip.last()), HybridTime(skip.timestamp()),
      PutRecord(origin, Sequence(skip.last()), LogRecord::Kind::kSkip, skip.SerializeAsString()));
  state.KeepFresh(Sequence(skip.first()), {Sequence(skip.last()), std::nullopt, skip});
  apply_wanted_ = true;
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

void ReplicaCore::SetPolicy(HoldingPolicy policy) {
  std::vector<std::pair<Origin, Sequence>> received;
  for (const auto& [origin, state] : origins_.states()) {
    if (origin != self_ && state.received != Sequence(0)) {
      received.emplace_back(origin, state.received);
    }
  }
  if (auto status = holdings_.OnPolicy(policy, received, {self_, origins_.At(self_).received});
      !status.ok() && failed_.ok()) {
    failed_ = status;
  }
  journal_.SetForgotten(holdings_.left_out());
  admission_.SetPolicy(std::move(policy));
  if (!seeds_.TakeChanged() && view_->kept == holdings_.kept()) return;
  // Whoever reads by the new policy must see at once what is not whole.
  seeds_view_ = seeds_.View();
  auto view = std::make_shared<ReplicaView>(*view_);
  view->seeding = seeds_view_;
  view->kept = holdings_.kept();
  view_ = std::move(view);
}

absl::Status ReplicaCore::StageSeedChunk(const ReplicaName& peer,
                                         const internal::v1::SeedChunk& chunk, const Moment& now) {
  if (!failed_.ok()) return failed_;
  if (!chunk.namespace_().empty()) {
    if (auto status = admission_.CheckHolds(chunk.namespace_()); !status.ok()) return status;
  }
  return seeds_.Add(
      peer, chunk,
      {self_, origins_.At(self_).received,
       [&](HybridTime time) { return clock_.TooFarAhead(time, now.wall, now.steady); },
       [&](HybridTime time) { clock_.Observe(time); }});
}

absl::Status ReplicaCore::MergeSeeds(const Moment& now) {
  auto cut = seeds_.Step([this](absl::string_view replica, absl::string_view name_space) {
    return admission_.NeverWrites(replica, name_space);
  });
  if (!cut.ok()) return cut.status();
  if (!cut->has_value()) return absl::OkStatus();
  // Refused, the seeding begins anew: the origins that it was for are still not to be had.
  StageSeeded(SeededOriginsOf(**cut), now).IgnoreError();
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

absl::Status ReplicaCore::Tend(const Moment& now) {
  if (!failed_.ok()) return failed_;
  const HybridTime time = FromWallTime(clock_.Physical(now.wall, now.steady));
  for (const auto& [origin, sequence] : Awaited(origins_)) {
    const OriginState* state = origins_.Find(origin);
    if (state == nullptr || state->received == Sequence(0)) unheard_.Ask(origin, time);
  }
  auto plan = membership_.Tend(time, seeds_view_ == nullptr, *unheard_.unheard());
  if (!plan.ok()) return plan.status();
  if (plan->empty()) return absl::OkStatus();
  counters_.origins_closed += plan->closed.size();
  return StageClosing(plan->closing, plan->closed, now);
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
  auto applied = applier_.ApplyAll(engine_, options_.apply_max, now);
  if (!applied.ok()) return applied.status();
  apply_wanted_ = applied->more;
  chain_wanted_ = chain_wanted_ || applied->chain_wanted;
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
  requests_.SetTime(FromWallTime(clock_.Physical(now.wall, now.steady)));
  holdings_.LetGo(membership_.table());
  counters_.namespaces_kept = holdings_.kept()->cuts.size();
  absl::Status status = MergeSeeds(now);
  if (status.ok()) status = ApplyAll(now);
  if (status.ok()) {
    const absl::Time physical = clock_.Physical(now.wall, now.steady);
    status = requests_.Forget(FromWallTime(physical - options_.request_id_window), now.steady);
  }
  if (status.ok()) {
    if (chain_wanted_) StageChain({}, now);
    StageTruncation();
    status = membership_.Stage();
  }
  if (status.ok()) {
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
  view->steady = now.steady;
  view->stamp = std::max(view->time, clock_.last());
  if (seeds_.TakeChanged()) seeds_view_ = seeds_.View();
  view->seeding = seeds_view_;
  view->kept = holdings_.kept();
  membership_.Show(*view);
  unheard_.Look(*view, options_.replica, membership_.table());
  view->unheard = unheard_.unheard();
  joins_.Prune([this](Origin origin) -> std::optional<Sequence> {
    const OriginState* state = origins_.Find(origin);
    if (state == nullptr) return Sequence(0);
    const bool ended =
        state->frozen || (state->closed_end && state->received >= *state->closed_end);
    return ended ? std::nullopt : std::optional<Sequence>(state->received);
  });
  view->joins = joins_.View();
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
