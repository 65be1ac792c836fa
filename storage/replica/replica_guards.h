// What keeps a replica from answering: a clock that is ahead, a twin, being new, leaving, and
// having left.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/v1/admin.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/clock_guard.h"
#include "storage/replication/fence.h"
#include "storage/replication/join_phase.h"
#include "storage/replication/join_state.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// Thread-safe.
class ReplicaGuards {
 public:
  struct Options {
    ReplicaName self;
    absl::Duration drift_max;
    // The operator says that the clock is right.
    bool clock_confirmed = false;
    // Until then no writes are taken before the clock was compared with the peers'.
    SteadyTime clock_hold_until = -absl::InfiniteDuration();
    JoinState::Phase phase = JoinState::Phase::kServing;
  };

  // `started`: what the first write of this start would be named by. Earlier starts promised
  // nothing beyond, as the disk knows what they promised.
  ReplicaGuards(Options options, HybridTime started, const Topology& topology);

  void SetTopology(const Topology& topology);
  // A peer's clock was read.
  void ObserveClock(const ReplicaName& peer, const ClockBounds& bounds);
  // A link to a peer could not be established.
  void OnUnreachable(const ReplicaName& peer);
  // What a peer has, at the start of a link that pulls from it.
  void OnPeer(const internal::v1::Hello& hello, SteadyTime now);
  // A peer refuses this replica as one that left, and says what is to be done.
  void OnLeft(const ReplicaName& peer, std::string detail);
  // Everything shared with some peer was compared since `since`, and no difference found.
  void OnCompared(SteadyTime since);
  // Looks at what a commit has changed. The phase that is to be stored, if it is another.
  std::optional<JoinState::Phase> Update(const ReplicaView& view, SteadyTime now);

  // UNAVAILABLE (CATCHING_UP, REPLICA_LEFT).
  absl::Status MayRead() const;
  // UNAVAILABLE (CATCHING_UP, CLOCK_SUSPECT, TWIN, REGION_LEAVING, REPLICA_LEFT).
  absl::Status MayWrite() const;
  // True while the replica is new.
  bool joining() const { return joining_.load(std::memory_order_relaxed); }
  // True while the clock is to be compared first.
  bool clock_held() const;
  void AddTo(v1::ReplicaStatus& status, const ReplicaView& view, SteadyTime now) const;

 private:
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const HybridTime started_;
  std::atomic<bool> joining_{false};
  std::atomic<bool> reads_open_{true};
  std::atomic<bool> writes_open_{true};
  mutable absl::Mutex mutex_;
  ClockGuard clock_ ABSL_GUARDED_BY(mutex_);
  JoinState join_ ABSL_GUARDED_BY(mutex_);
  JoinState::Phase stored_ ABSL_GUARDED_BY(mutex_);
  Fence fence_ ABSL_GUARDED_BY(mutex_);
  std::optional<Origin> twin_ ABSL_GUARDED_BY(mutex_);
  // The clock is to be compared first.
  bool clock_held_ ABSL_GUARDED_BY(mutex_);
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status may_read_ ABSL_GUARDED_BY(mutex_);
  absl::Status may_write_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
