// What a replica's core does because of the other members: closes origins, drops tombstones and
// what has expired, and remembers who has left. Works on the parts of one core.
#pragma once

#include <set>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/cleaner.h"
#include "storage/replication/closing.h"
#include "storage/replication/core_counters.h"
#include "storage/replication/earlier_starts.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/member_table.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/staging.h"

namespace homeport {

// Thread-compatible.
class Membership {
 public:
  // All must outlive it.
  struct Parts {
    ReplicaName replica;
    Origin self;
    const OriginTable* origins;
    ItemWriter* items;
    Staging* staging;
    CoreCounters* counters;
  };
  // Candidates for cleaning that one commit looks at.
  static constexpr int kCleanMax = 1000;

  explicit Membership(const Parts& parts);

  // Takes what the engine has; to be called once the origins are loaded. DATA_LOSS if something
  // does not parse; otherwise the engine's errors.
  absl::Status Load(KvEngine* engine) { return starts_.Load(engine); }
  void SetMembers(MemberSet members);
  void TakeBackPast(const ReplicaName& name, Origin start) { table_.TakeBackPast(name, start); }
  void Observe(const internal::v1::MemberReport& report, const ReplicaName& from) {
    changed_ = table_.Observe(report, from) || changed_;
  }
  // True if the origin's process is known to be gone.
  bool Finished(Origin origin) const;

  // To be called about once a second: begins to look for what can be cleaned, and says what is to
  // be closed. `now`: what tells whether an item has expired. `may_clean` is false while items are
  // being seeded. `unheard`: as of PlanClosing(). The engine's errors.
  absl::StatusOr<ClosingPlan> Tend(HybridTime now, bool may_clean, const std::set<Origin>& unheard);
  // Stages what this commit has to do. Errors as Cleaner::Step().
  absl::Status Stage();
  // What was learned is in the next view, so there should be one.
  bool HasNews() const { return changed_ || cleaner_.HasWork(); }
  void Show(ReplicaView& view);

  const MemberTable& table() const { return table_; }

 private:
  KnownCluster Known() const { return {parts_.replica, parts_.self, *parts_.origins, table_}; }

  Parts parts_;
  MemberTable table_;
  EarlierStarts starts_;
  Cleaner cleaner_;
  bool changed_ = false;
};

}  // namespace homeport
