// What lost is restored from the conflict journal, as `homeport conflicts restore` does it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/replication/conflict_reader.h"
#include "tests/sim/clients.h"

namespace homeport::sim {

void Clients::Restore(int at, int node) {
  Session& session = sessions_[at];
  if (!world_->ServesWrites(node) || !world_->MayWrite(node)) return;
  const ReplicaName here(shape_.ReplicaNameOf(node));
  KvEngine* engine = world_->node(node).raw;
  auto page = ListConflicts(engine, here, {}, ReadLimits());
  if (!page.ok()) {
    return world_->Fail(absl::StrCat("conflicts are not listed: ", StatusText(page.status())));
  }
  if (page->conflicts().empty()) return;
  const v1::Conflict conflict =
      page->conflicts(static_cast<int>(restores_.Below(page->conflicts_size())));
  int name_space = 0;
  const int namespaces = static_cast<int>(shape_.namespaces.size());
  while (name_space < namespaces && shape_.namespaces[name_space].name != conflict.namespace_()) {
    ++name_space;
  }
  // What would have expired lives as long as it would have lived; that is left out here.
  if (name_space == namespaces || !world_->Holds(node, name_space) || conflict.has_expires())
    return;
  v1::ListConflictsRequest by_record;
  by_record.set_namespace_(conflict.namespace_());
  by_record.set_record_id(conflict.record_id());
  *by_record.mutable_from() = conflict.overtaken();
  auto same = ListConflicts(engine, here, by_record, ReadLimits());
  bool listed = false;
  if (same.ok()) {
    for (const v1::Conflict& one : same->conflicts()) listed = listed || one.id() == conflict.id();
  }
  if (!listed) {
    return world_->Fail(absl::StrCat("conflict ", conflict.id(),
                                     " is not listed by its record and the time it was found"));
  }
  const auto number = ParseConflictId(conflict.id(), here);
  if (!number.ok()) {
    return world_->Fail(absl::StrCat("a conflict's id: ", StatusText(number.status())));
  }
  Operation operation;
  operation.restores = *number;
  operation.name_space = name_space;
  operation.mutation.set_namespace_(conflict.namespace_());
  operation.mutation.set_id(conflict.record_id());
  v1::Change* change = operation.mutation.add_changes();
  change->set_key(conflict.key());
  Effect effect;
  effect.item = world_->history().Item(name_space, conflict.namespace_(), conflict.record_id(),
                                       conflict.key());
  if (conflict.deleted()) {
    change->set_delete_(true);
    effect.kind = Effect::Kind::kDelete;
  } else {
    change->set_put(conflict.value());
    effect.value = conflict.value();
  }
  operation.items.push_back(effect.item);
  operation.effects.push_back(std::move(effect));
  operation.token = session.token;
  operation.past = session.past;
  operation.seen_time = session.seen_time;
  session.busy = true;
  const uint64_t generation = session.generation;
  const Operation copy = operation;
  operation.done = [this, at, generation, node, here, copy, id = conflict.id()](
                       const absl::Status& status, const WriteName& written) {
    sessions_[at].busy = false;
    if (absl::IsUnknown(status) || absl::IsUnavailable(status)) return;
    // It was dropped to make room since it was listed.
    if (absl::IsNotFound(status)) return;
    if (!status.ok()) {
      return world_->Fail(absl::StrCat("a restore is refused: ", StatusText(status)));
    }
    const auto [known, first] = restored_.try_emplace(id, written.version);
    if (!first && known->second != written.version && !world_->node(node).disk_lost) {
      return world_->Fail(absl::StrCat("conflict ", id, " was restored twice"));
    }
    known->second = written.version;
    world_->coverage().Covered(written.repeated ? Path::kRestoreRepeated : Path::kConflictRestored);
    auto now = ReadConflict(world_->node(node).raw, here, *copy.restores);
    // To say so may take the room that it had.
    if (now.ok() && now->restored().hybrid_time() != written.version.time.value()) {
      return world_->Fail(absl::StrCat("conflict ", id, " does not say that it was restored"));
    }
    if (!written.repeated) ++acknowledged_;
    Acknowledge(at, generation, copy, written);
  };
  world_->Submit(node, std::move(operation));
}

}  // namespace homeport::sim
