// What a replica commits: its clients' writes and what its peers sent.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/item_merge.h"
#include "tests/sim/invariants.h"
#include "tests/sim/world.h"

namespace homeport::sim {

void World::Submit(int at, Operation operation) {
  HP_CHECK(nodes_[at].running());
  nodes_[at].operations.push_back(std::move(operation));
  WantCommit(at);
}

void World::WantCommit(int at) {
  Node& node = nodes_[at];
  if (node.commit_pending || !node.running()) return;
  node.commit_pending = true;
  Push(now_ + shape_.sync_delay, Kind::kCommit, at, node.life);
}

std::vector<const EntryRecord*> World::Replaced(const Node& node, int name_space,
                                                const Effect& effect,
                                                const ReplicaView& view) const {
  const auto applied = [&view](uint64_t o) { return view.AppliedOf(Origin(o)).value(); };
  if (shape_.namespaces[name_space].type == internal::v1::ITEM_TYPE_REGISTER) {
    const Expected replaced = history_.ExpectedOf(effect.item, applied);
    if (replaced.entry == nullptr) return {};
    // Of what is cleaned away nothing is seen. Who may not hold it need not have applied it then.
    if (replaced.effect->kind == Effect::Kind::kDelete || replaced.effect->ttl != 0) {
      auto bytes = node.raw->Get(Table::kItems, history_.item(effect.item).stored_key);
      if (bytes.ok() && !bytes->has_value()) return {};
    }
    return {replaced.entry};
  }
  // Additions replace nothing.
  if (effect.kind == Effect::Kind::kDelete) return history_.PartsOf(effect.item, applied).entries;
  std::vector<const EntryRecord*> replaced;
  for (const auto& [entry, at] : history_.item(effect.item).writes) {
    if (entry->sequence > applied(entry->origin)) continue;
    for (const std::string& element : entry->effects[at].added) {
      const auto& removed = effect.removed;
      if (std::find(removed.begin(), removed.end(), element) == removed.end()) continue;
      replaced.push_back(entry);
    }
  }
  return replaced;
}

void World::AddShown(const Node& node, EntryRecord& planned) const {
  if (shape_.namespaces[planned.name_space].type == internal::v1::ITEM_TYPE_REGISTER) return;
  for (Effect& effect : planned.effects) {
    if (effect.kind != Effect::Kind::kDelete && effect.removed.empty()) continue;
    auto bytes = node.raw->Get(Table::kItems, history_.item(effect.item).stored_key);
    internal::v1::StoredItem item;
    if (!bytes.ok() || !bytes->has_value() || !item.ParseFromString(**bytes)) continue;
    ForEachPosition(item, [&](Origin origin, Sequence sequence) {
      effect.shown.Advance(origin.value(), sequence.value());
    });
  }
}

void World::Commit(int at) {
  Node& node = nodes_[at];
  const Moment moment = MomentAt(at);
  const std::shared_ptr<const ReplicaView> view = node.core->view();
  std::deque<Operation> operations = std::exchange(node.operations, {});
  std::deque<Node::PeerWork> work = std::exchange(node.peer_work, {});
  std::vector<std::pair<Operation, WriteName>> staged;
  const CoreCounters before = node.core->counters();
  for (Operation& operation : operations) {
    const Micros ttl = shape_.namespaces[operation.name_space].ttl;
    // The topology may have changed since it was asked for.
    if (!Holds(at, operation.name_space) || !ServesWrites(at)) {
      operation.done(absl::UnavailableError("not here, or not by now"), WriteName());
      continue;
    }
    // As a replica's front does, which asks the same view.
    if (!view->HoldsWhole(shape_.namespaces[operation.name_space].name)) {
      coverage_->Covered(Path::kWriteToPartial);
      operation.done(absl::UnavailableError("the namespace is not whole here"), WriteName());
      continue;
    }
    const LocalWrite write{&operation.mutation, &operation.token, absl::Microseconds(ttl)};
    auto name = operation.restores ? node.core->StageRestore(*operation.restores, write, moment)
                                   : node.core->StageWrite(write, moment);
    if (!name.ok()) {
      operation.done(name.status(), WriteName());
      continue;
    }
    if (!name->repeated) {
      EntryRecord* planned = history_.Plan(name->version.origin.value(), name->sequence.value(),
                                           name->version.time.value());
      if (planned == nullptr) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " gave a name twice"));
      }
      planned->past = operation.past;
      planned->effects = operation.effects;
      planned->name_space = operation.name_space;
      planned->request_id = operation.mutation.options().request_id();
      for (const OriginView& origin : view->origins) {
        planned->observed.Advance(origin.origin.value(), origin.applied.value());
      }
      planned->observed.Advance(planned->origin, planned->sequence - 1);
      planned->by_positions = !node.seeded;
      if (node.seeded) AddShown(node, *planned);
      // What it replaces, its writer has seen too.
      uint64_t seen = operation.seen_time;
      for (const Effect& effect : operation.effects) {
        for (const EntryRecord* replaced : Replaced(node, operation.name_space, effect, *view)) {
          planned->past.Advance(replaced->origin, replaced->sequence);
          seen = std::max(seen, replaced->time);
        }
      }
      if (planned->time <= seen) {
        return Fail(absl::StrCat("a write at ", shape_.ReplicaNameOf(at),
                                 " is not later than what its writer had seen"));
      }
    }
    trace_->Tell([&] {
      std::string text =
          absl::StrCat("  ", name->repeated ? "again " : "",
                       absl::Hex(name->version.origin.value(), absl::kZeroPad16), "/",
                       name->sequence.value(), " at ", name->version.time.value(), ":");
      for (const Effect& effect : operation.effects) {
        const ItemRecord& item = history_.item(effect.item);
        absl::StrAppend(&text, " ", item.name_space_name, "/", item.id, "/", item.key);
        if (effect.kind == Effect::Kind::kPut) absl::StrAppend(&text, "=", effect.value);
        if (effect.kind == Effect::Kind::kDelete) absl::StrAppend(&text, " deleted");
        if (effect.kind == Effect::Kind::kAdd) absl::StrAppend(&text, " add ", effect.delta);
        for (const std::string& element : effect.added) absl::StrAppend(&text, " +", element);
        for (const std::string& element : effect.removed) absl::StrAppend(&text, " -", element);
      }
      return text;
    });
    staged.emplace_back(std::move(operation), *name);
  }
  std::vector<Taken> taken(work.size());
  for (size_t i = 0; i < work.size(); ++i) {
    if (work[i].batch.seed_chunk) node.seeded = true;
    taken[i] = TakeIn(work[i].batch, *node.core, moment);
    if (!work[i].batch.skips.empty() && taken[i].status.ok()) {
      coverage_->Covered(Path::kSkipTaken);
    }
  }
  const absl::Status status = node.core->Commit(moment);
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " commits ", staged.size(), " writes and ",
                        work.size(), " messages", status.ok() ? "" : ": ", StatusText(status));
  });
  if (!status.ok()) {
    if (!absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(at), ": ", StatusText(status)));
    }
    if (absl::IsResourceExhausted(status)) coverage_->Covered(Path::kDiskFull);
    if (node.plan.reads_failed > 0) coverage_->Covered(Path::kReadFailed);
    if (!staged.empty()) coverage_->Covered(Path::kWriteOutcomeUnknown);
    Crash(at, false, 0);
    for (auto& [operation, name] : staged) {
      operation.done(absl::UnknownError(StatusText(status)), name);
    }
    RestartLater(at, kRestart);
    return;
  }
  const CoreCounters& after = node.core->counters();
  if (after.entries_owed > before.entries_owed) coverage_->Covered(Path::kOwed);
  if (after.entries_duplicate > before.entries_duplicate) coverage_->Covered(Path::kDuplicate);
  if (after.registers_kept > before.registers_kept) coverage_->Covered(Path::kConflict);
  if (after.clock_refusals > before.clock_refusals) coverage_->Covered(Path::kClockRefused);
  if (after.truncated_applied_by_all > before.truncated_applied_by_all) {
    coverage_->Covered(Path::kLogTruncated);
  }
  if (after.truncated_for_bytes > before.truncated_for_bytes) {
    coverage_->Covered(Path::kLogTruncatedEarly);
  }
  if (after.items_repaired > before.items_repaired && damaged_at_ != -1) {
    coverage_->Covered(Path::kRepaired);
    node.repairs = 0;
  } else if (after.items_repaired > before.items_repaired + std::exchange(node.repairs, 0)) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " found a difference to a peer"));
  }
  if (view->seeding != nullptr && node.core->view()->seeding == nullptr) {
    coverage_->Covered(Path::kSeeded);
  }
  if (after.tombstones_dropped > before.tombstones_dropped) {
    coverage_->Covered(Path::kTombstoneCleaned);
  }
  if (after.expired_dropped > before.expired_dropped) coverage_->Covered(Path::kExpiredCleaned);
  if (after.items_pruned > before.items_pruned) coverage_->Covered(Path::kPruned);
  if (after.chain_entries > before.chain_entries) coverage_->Covered(Path::kOwnHistoryFetched);
  for (const auto& [origin, block] : node.core->Blocked()) {
    if (block.kind == OriginBlock::Kind::kDependency) coverage_->Covered(Path::kDependencyWaited);
  }
  invariants_->AfterCommit(at);
  if (!failure_.empty()) return;
  for (auto& [operation, name] : staged) {
    EntryRecord* entry = history_.Find(name.version.origin.value(), name.sequence.value());
    if (entry == nullptr || !entry->on_disk) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " answered with a name of no entry"));
    }
    if (!name.repeated) entry->acknowledged = true;
    const auto regions = operation.mutation.options().acknowledged_by_regions();
    if (regions > 0) {
      node.wanted.push_back(
          {name.version.origin, name.sequence, operation.name_space, static_cast<int>(regions)});
    }
    operation.done(absl::OkStatus(), name);
  }
  for (size_t i = 0; i < work.size(); ++i) {
    Link& link = links_[work[i].link];
    if (link.generation != work[i].generation) continue;
    if (!taken[i].status.ok()) {
      // A start that looks earlier than one that was lost is refused once more before it is known;
      // that it goes on is asked for in the end.
      const bool finished = absl::IsFailedPrecondition(taken[i].status);
      if (!absl::IsUnavailable(taken[i].status) && !finished) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " takes what ",
                                 shape_.ReplicaNameOf(link.from),
                                 " sent for nonsense: ", StatusText(taken[i].status)));
      }
      EndStream(link, taken[i].status);
      continue;
    }
    for (const Origin origin : taken[i].full) link.receiver->OnFull(origin);
    if (!taken[i].seed_refused.ok()) {
      link.receiver->seeds().OnRefused(taken[i].seed_refused, moment.steady);
    }
    bool ended = false;
    for (RefusedOrigin& refused : taken[i].refused) {
      trace_->Tell([&] {
        return absl::StrCat(shape_.ReplicaNameOf(at), " refuses: ", StatusText(refused.why));
      });
      auto news = link.receiver->OnRefused(refused.origin, std::move(refused.why));
      if (news.ok()) continue;
      EndStream(link, news.status());
      ended = true;
      break;
    }
    if (!ended) {
      link.uncommitted -= static_cast<int64_t>(work[i].batch.credit_bytes);
      link.receiver->OnCommitted(work[i].batch.credit_bytes, taken[i].entries, moment.steady);
    }
  }
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    WantPump(LinkOf(at, other), Side::kSender);
    WantPump(LinkOf(other, at), Side::kReceiver);
  }
  if (node.core->HasBacklog()) {
    coverage_->Covered(Path::kBacklog);
    WantCommit(at);
  }
}

}  // namespace homeport::sim
