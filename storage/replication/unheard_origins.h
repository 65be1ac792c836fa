// Origins that session tokens name and that nobody has ever heard of: a start whose disk was lost
// before any other member had its first entry. What a session saw of one is lost.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/member_table.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// An origin is unheard once every listed member has said what it has, and nothing of the origin is
// among it, and its present start was alive after the origin was first asked about, by more than
// the clocks' drift: the origin was there before, so it is nobody's present start, and whoever had
// it on a disk would have said so. If it becomes known after all, it is not unheard any more.
// Thread-compatible.
class UnheardOrigins {
 public:
  // Origins that are looked for, and that are remembered as unheard, at most each. Of what is
  // beyond nothing is said.
  static constexpr size_t kMax = 1000;

  explicit UnheardOrigins(absl::Duration drift_max) : drift_max_(drift_max) {}

  // A token names the origin, of which nothing is known here. `now`: this replica's clock.
  void Ask(Origin origin, HybridTime now);
  // Looks what a new view says. `members`: those who are listed; `self`: this replica's name.
  void Look(const ReplicaView& view, const ReplicaName& self, const MemberTable& members);

  // Never null.
  const std::shared_ptr<const std::set<Origin>>& unheard() const { return unheard_; }

 private:
  const absl::Duration drift_max_;
  // With the time at which they were first asked about.
  std::map<Origin, HybridTime> asked_;
  std::shared_ptr<const std::set<Origin>> unheard_ = std::make_shared<const std::set<Origin>>();
};

}  // namespace homeport
