#include "storage/replication/entry_applier.h"

#include <optional>
#include <string>
#include <utility>

#include "common/base/mutants.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/local_write.h"

namespace homeport {

using internal::v1::Entry;
using internal::v1::ItemChange;

absl::StatusOr<EntryApplier::Result> EntryApplier::ApplyAll(KvEngine* engine, int max,
                                                            const Moment& now) {
  Result result;
  LogReader log(engine);
  bool progress = true;
  while (progress) {
    progress = false;
    for (auto& [origin, state] : parts_.origins->states()) {
      while (state.applied < state.received) {
        if (max == 0) {
          result.more = true;
          return result;
        }
        auto step = ApplyNext(origin, state, log, now);
        if (!step.ok()) return step.status();
        if (*step == Step::kNotReadable) result.more = true;
        if (*step != Step::kApplied) break;
        if (parts_.origins->IsOwn(state) && origin != parts_.self &&
            state.applied > state.covered_end) {
          result.chain_wanted = true;
        }
        progress = true;
        --max;
      }
    }
  }
  return result;
}

bool EntryApplier::StillBlocked(const OriginBlock& block, const Moment& now) {
  if (block.kind == OriginBlock::Kind::kClock) {
    return parts_.clock->TooFarAhead(block.time, now.wall, now.steady);
  }
  const OriginState* needed = parts_.origins->Find(block.origin);
  return needed == nullptr || needed->applied < needed->Required(block.sequence);
}

std::optional<OriginBlock> EntryApplier::BlockOf(const LoggedRecord& record, HybridTime time,
                                                 const Moment& now) {
  std::optional<OriginBlock> block;
  if (record.entry && !HP_MUTANT(kDependenciesIgnored)) {
    block = parts_.origins->FirstMissing(record.entry->dependencies());
  }
  if (record.skip && !HP_MUTANT(kSkipPassesDependencies)) {
    block = parts_.origins->FirstMissing(record.skip->dependencies());
  }
  if (!block && record.entry && record.entry->has_chain() && !HP_MUTANT(kChainEndsIgnored)) {
    block = parts_.origins->FirstMissing(record.entry->chain().ends());
  }
  if (!block && parts_.clock->TooFarAhead(time, now.wall, now.steady) &&
      !HP_MUTANT(kFutureApplied)) {
    block = OriginBlock{OriginBlock::Kind::kClock, Origin(0), Sequence(0), time};
    ++parts_.counters->clock_refusals;
  }
  return block;
}

// A dependency beyond the end of a closed origin names what is lost.
void EntryApplier::NoteLost(
    const google::protobuf::RepeatedPtrField<internal::v1::Position>& dependencies) {
  for (const internal::v1::Position& position : dependencies) {
    const OriginState* state = parts_.origins->Find(Origin(position.origin()));
    if (state == nullptr || !state->closed_end) continue;
    const Sequence named(position.sequence());
    if (named <= *state->closed_end) continue;
    Sequence& last = lost_.try_emplace(Origin(position.origin()), *state->closed_end).first->second;
    if (named <= last) continue;
    parts_.counters->positions_lost += named.value() - last.value();
    last = named;
  }
}

absl::StatusOr<EntryApplier::Step> EntryApplier::ApplyNext(Origin origin, OriginState& state,
                                                           LogReader& log, const Moment& now) {
  if (state.block) {
    // The head is known to wait: look at what it waits for before reading it again.
    if (StillBlocked(*state.block, now)) return Step::kWaits;
    state.block.reset();
  }
  LoggedRecord record;
  if (!state.fresh.empty()) {
    record = std::move(state.fresh.front());
    state.fresh.pop_front();
  } else if (state.applied >= state.durable) {
    return Step::kNotReadable;  // in the batch only; the next commit can read it
  } else {
    auto read = log.Read(origin, Sequence(state.applied.value() + 1));
    if (!read.ok()) return read.status();
    record = std::move(*read);
  }
  const HybridTime time(record.entry ? record.entry->timestamp() : record.skip->timestamp());
  if (auto block = BlockOf(record, time, now)) {
    state.block = block;
    state.fresh.push_front(std::move(record));
    return Step::kWaits;
  }
  if (!HP_MUTANT(kClockNotMerged)) parts_.clock->Observe(time);
  NoteLost(record.entry ? record.entry->dependencies() : record.skip->dependencies());
  parts_.origins->Learn(state,
                        record.entry ? record.entry->dependencies() : record.skip->dependencies());
  const auto& left_out = record.entry ? record.entry->withheld() : record.skip->classes();
  for (const internal::v1::ChangeClass& one : left_out) {
    state.NoteChange(one.namespace_(), record.sequence);
  }
  if (record.entry) {
    if (auto status = ApplyEntry(*record.entry, state); !status.ok()) return status;
    ++parts_.counters->entries_applied;
  }
  state.Advance(record.sequence, time);
  return Step::kApplied;
}

absl::Status EntryApplier::ApplyEntry(const Entry& entry, OriginState& state) {
  const Stamp stamp{{HybridTime(entry.timestamp()), Origin(entry.origin())},
                    Sequence(entry.sequence())};
  if (entry.has_chain()) {
    parts_.origins->ApplyChain(entry.chain(), stamp, parts_.self);
    return absl::OkStatus();
  }
  for (int i = 0; i < entry.parts_size(); ++i) {
    auto part = ParsePart(entry, i);
    if (!part.ok()) return part.status();
    const std::string& name_space = part->change_class().namespace_();
    state.NoteChange(name_space, stamp.sequence);
    // It was taken in before the namespace was taken from this region.
    if (parts_.holdings->LeavesOut(name_space)) continue;
    const int changes = part->changes_size() - (HP_MUTANT(kHalfBatchApplied) ? 1 : 0);
    for (int c = 0; c < changes; ++c) {
      const ItemChange& change = part->changes(c);
      std::string key = ItemKey(name_space, part->record_id(), change.key());
      if (parts_.seeds->Covers(key, stamp.version.origin, stamp.sequence)) continue;
      auto item = parts_.items->Load(std::move(key));
      if (!item.ok()) return item.status();
      if (parts_.items->Apply(*std::move(item), change, stamp, ItemCause::kEntry) ==
          ItemWriter::Outcome::kKept) {
        ++parts_.counters->registers_kept;
      }
    }
    if (entry.request_id().empty() || HP_MUTANT(kRetryNotReplicated)) continue;
    // An answer that was given here under the id stays: a retry must not get another one.
    const std::string request_key = RequestKey(name_space, entry.request_id());
    auto known = parts_.requests->Find(request_key);
    if (!known.ok()) return known.status();
    if (known->has_value()) continue;
    parts_.requests->Stage(request_key, MakeRequest(stamp, MutationHashOf(entry, entry.parts(i))));
  }
  return absl::OkStatus();
}

}  // namespace homeport
