#include "storage/replica/replica_impl.h"

#include <utility>

#include "common/topology/option_ranges.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/member_view.h"

namespace homeport {

RetentionLimits RetentionOf(const Topology& topology) {
  const internal::v1::StorageOptions& storage = topology.proto().storage();
  return {storage.log_bytes_max(), ToAbslDuration(storage.log_age_max())};
}

Taken RefusedBatch(absl::Status why) {
  Taken taken;
  taken.status = std::move(why);
  return taken;
}

Replica::Impl::Impl(ReplicaOptions options, std::unique_ptr<KvEngine> engine,
                    std::unique_ptr<ReplicaCore> core, const Clock* clock,
                    std::shared_ptr<const Topology> topology, JoinState::Phase phase)
    : options_(std::move(options)),
      engine_(std::move(engine)),
      core_(std::move(core)),
      clock_(clock),
      cluster_(ClusterFingerprint(topology->cluster())),
      reader_(engine_.get(), options_.name, cluster_, options_.read_limits),
      disk_(options_.data_path, options_.disk_reserve_bytes),
      topology_(std::move(topology)),
      waiting_(options_.waiting_max,
               [this] {
                 absl::MutexLock lock(&mutex_);
                 waiting_changed_ = true;
               }),
      guards_({options_.name, options_.clock_drift_max, options_.clock_confirmed,
               options_.clock_hold > absl::ZeroDuration() ? clock->SteadyNow() + options_.clock_hold
                                                          : -absl::InfiniteDuration(),
               phase},
              core_->view()->stamp, *topology_) {
  watermark_ = core_->MakeWatermark(Now());
  core_->SetPolicy(HoldingPolicy(topology_, RegionOf(*topology_, options_.name)));
  core_->SetMembers(MembersOf(*topology_));
  stats_.conflicts = core_->journal().stats();
  acks_.SetTopology(topology_->fingerprint());
  Publish();
  commit_thread_ = std::thread([this] { CommitLoop(); });
}

std::shared_ptr<const Published> Replica::Impl::published() const {
  absl::MutexLock lock(&published_mutex_);
  return published_;
}

std::shared_ptr<const Topology> Replica::Impl::topology() const {
  absl::MutexLock lock(&mutex_);
  return topology_;
}

internal::v1::Watermark Replica::Impl::watermark() const {
  absl::MutexLock lock(&mutex_);
  return watermark_;
}

int Replica::Impl::AddListener(std::function<void()> listener) {
  absl::MutexLock lock(&listeners_mutex_);
  listeners_[++listener_last_] = std::move(listener);
  return listener_last_;
}

void Replica::Impl::RemoveListener(int number) {
  absl::MutexLock lock(&listeners_mutex_);
  listeners_.erase(number);
}

ReplicaStats Replica::Impl::Stats() const {
  absl::MutexLock lock(&mutex_);
  ReplicaStats stats = stats_;
  stats.writes_queued = writes_.size();
  stats.waiting = waiting_.size();
  stats.waiting_for_regions = acks_.size();
  return stats;
}

void Replica::Impl::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  commit_thread_.join();
  runner_.Stop();
}

}  // namespace homeport
