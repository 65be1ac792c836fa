#include <utility>

#include "storage/replica/replica_impl.h"
#include "storage/replication/kept_items.h"

namespace homeport {
namespace {

// What other members have of the entries of this replica, of all its starts.
void AddMembers(const Topology& topology, const ReplicaName& self, const ReplicaView& view,
                v1::ReplicaStatus& status) {
  for (const RegionInfo& region : topology.regions()) {
    for (const ReplicaInfo& replica : region.replicas) {
      if (replica.name == self) continue;
      v1::MemberStatus* member = status.add_members();
      member->set_replica(replica.name.value());
      const Member* known = nullptr;
      if (view.members != nullptr) {
        auto found = view.members->find(replica.name);
        if (found != view.members->end()) known = found->second.get();
      }
      member->set_known(known != nullptr);
      uint64_t missing = 0;
      for (const OriginView& origin : view.origins) {
        if (origin.replica == nullptr || *origin.replica != self) continue;
        const Sequence has = known == nullptr ? Sequence(0) : known->Of(origin.origin).applied;
        if (has < origin.applied) missing += origin.applied.value() - has.value();
      }
      member->set_missing_entries(missing);
    }
  }
}

}  // namespace

v1::ReplicaStatus Replica::Status() const {
  const std::shared_ptr<const ReplicaView> view = this->view();
  v1::ReplicaStatus status;
  status.set_name(name().value());
  status.set_origin(view->self.value());
  auto add = [&status](const OriginView& origin) {
    v1::OriginPosition* position = status.add_positions();
    position->set_origin(origin.origin.value());
    if (origin.replica != nullptr) position->set_replica(origin.replica->value());
    position->set_received(origin.received.value());
    position->set_applied(origin.applied.value());
    if (origin.watermark == HybridTime(0)) return;
    const absl::Time time = ToWallTime(origin.watermark);
    position->mutable_watermark()->set_seconds(absl::ToUnixSeconds(time));
    position->mutable_watermark()->set_nanos(
        static_cast<int32_t>(absl::ToUnixMicros(time) % 1000000 * 1000));
  };
  if (const OriginView* self = view->Find(view->self); self != nullptr) add(*self);
  for (const OriginView& origin : view->origins) {
    if (origin.origin != view->self) add(origin);
  }
  status.set_disk_bytes(impl_->engine()->DiskBytes());
  impl_->guards().AddTo(status, *view, clock()->SteadyNow());
  for (const OriginView& origin : view->origins) {
    status.set_log_bytes(status.log_bytes() + origin.log_bytes);
  }
  AddMembers(*topology(), name(), *view, status);
  if (view->seeding != nullptr) {
    for (const NamespaceSeeding& seeding : view->seeding->namespaces) {
      if (seeding.owed == 0) continue;
      v1::OwedNamespace* owed = status.add_owed();
      owed->set_namespace_(seeding.name);
      owed->set_entries(seeding.owed);
    }
  }
  if (view->kept != nullptr) {
    for (const auto& [name_space, waits] : view->kept->waits) {
      v1::KeptNamespace* kept = status.add_kept();
      kept->set_namespace_(name_space);
      kept->set_reason(waits);
    }
  }
  const std::shared_ptr<const ConflictStats> conflicts = Stats().conflicts;
  v1::ConflictJournalStatus& journal = *status.mutable_conflict_journal();
  journal.set_conflicts(conflicts->conflicts);
  journal.set_bytes(conflicts->bytes);
  journal.set_bytes_max(conflicts->bytes_max);
  journal.set_evicted(conflicts->evicted);
  if (absl::Status state = WriteState(); !state.ok()) {
    status.set_writes_refused(std::string(state.message()));
  }
  return status;
}

}  // namespace homeport
