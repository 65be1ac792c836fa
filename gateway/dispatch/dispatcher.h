// Runs a plan: tries its replicas in order until one answers, inside the caller's deadline.
#pragma once

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "common/store/record_store.h"
#include "common/time/clock.h"
#include "gateway/dispatch/health_tracker.h"
#include "gateway/dispatch/load_budget.h"
#include "gateway/route/plan.h"
#include "gateway/route/router.h"

namespace homeport {

// Finds the store of a target: the one in this process, or one that forwards. Thread-safe. Null
// when there is none (the topology changed). The store is kept alive during Execute() only: ending
// the calls that are then still under way is the work of whoever destroys it.
using StoreLookup = std::function<std::shared_ptr<RecordStore>(Target)>;

struct DispatchOptions {
  // Replicas that a request is sent to at most. Those that turn out to be unreachable without
  // sending anything cost nothing and do not count.
  int attempts_max = 3;
  // A deadline of a request is divided so that an attempt that is not the last leaves at least this
  // share to those after it; reads only.
  double reserve_share = 0.5;
  // What a read waits at most for a replica that it probes, if there is another one to go to.
  absl::Duration probe_time_max = absl::Seconds(1);
  // What retries are paid from. A retry is a call that follows one which was sent and failed: that
  // a replica is behind, or was not reached, makes the next call none.
  LoadBudgetOptions retries = {};
};

// How an answer was got.
struct DispatchResult {
  // The last replica that was tried; of the plan's first attempt if none was.
  Target target;
  v1::RouteReason reason = v1::ROUTE_REASON_UNSPECIFIED;
  // Attempts that were made, those that reached no replica included.
  int attempts = 0;
  // Of these, retries that were paid for.
  int retries = 0;
  // One more was refused by the budget.
  bool retry_denied = false;
};

// Tries the replicas of a plan, one at a time, until one answers.
//
// Thread-safe. A read is retried at the next replica after any failure of a replica; a write only
// when it is known not to have been done (retry_policy.h). A write with a request id that was sent
// and not answered is asked for once more at the same replica; without one it ends with
// OUTCOME_UNKNOWN. A replica that failed is not tried again by the request, and the last attempt
// goes to a region that was not tried yet, if the plan has one. A replica whose time out is over
// gets single requests before its turn, so that it is found out when it is back.
class Dispatcher {
 public:
  using Done = absl::AnyInvocable<void(absl::Status, const DispatchResult&)>;

  // `clock` and `health` must outlive the calls; the dispatcher itself need not.
  Dispatcher(const Clock* clock, StoreLookup stores, HealthTracker* health,
             DispatchOptions options);

  // As RecordStore::Execute, over the plan's attempts, which must not be empty. When none answers:
  //   UNAVAILABLE NO_REGION  no replica could be reached; nothing was done
  //   otherwise              the error of the last replica that was reached, or OUTCOME_UNKNOWN if
  //   a
  //                          write may have been done; STALE_LIMIT goes before other errors, the
  //                          one that names the least age before all
  //   CANCELLED              the caller cancelled between attempts
  //   DEADLINE_EXCEEDED      with `waited_for` "gateway": the time was over before anything was
  //   sent
  // When the budget allows no retry, the error is that of the last replica, with `retry` "denied".
  // An error that is not the request's own has in its metadata `tried` the replicas that were
  // tried, in order, each with how it ended: "eu-west/a REGION_UNREACHABLE, us-east/a OVERLOADED".
  void Dispatch(Plan plan, const CallContext& context, const internal::v1::StoreRequest& request,
                internal::v1::StoreResponse* response, Done done);

  // What is known of how far a replica is behind the others; null: nothing.
  std::shared_ptr<const StoreFreshness> FreshnessOf(Target target) const;

 private:
  struct Shared;
  class Run;

  std::shared_ptr<const Shared> shared_;
};

}  // namespace homeport
