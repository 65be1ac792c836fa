// Runs a plan: tries its replicas in order until one answers, inside the caller's deadline.
#pragma once

#include <functional>
#include <memory>

#include "common/store/record_store.h"
#include "gateway/dispatch/health_tracker.h"
#include "gateway/route/router.h"

namespace homeport {

// Finds the store of a target: the one in this process, or one that forwards. Thread-safe. Null
// when there is none (the topology changed).
using StoreLookup = std::function<std::shared_ptr<RecordStore>(Target)>;

struct DispatchOptions {
  int attempts_max = 3;
  // A deadline of a request is divided so that an attempt that is not the last leaves at least this
  // share to those after it; reads only.
  double reserve_share = 0.5;
};

// How an answer was got.
struct DispatchResult {
  Target target;
  v1::RouteReason reason = v1::ROUTE_REASON_UNSPECIFIED;
  int attempts = 0;
};

// Thread-safe. A read is retried at the next replica after any failure of a replica; a write only when
// it is known not to have been sent or done (REGION_UNREACHABLE, DRAINING). A write that was sent and
// not answered ends with OUTCOME_UNKNOWN. A replica that failed is not tried again by the request.
class Dispatcher {
 public:
  using Done = absl::AnyInvocable<void(absl::Status, const DispatchResult&)>;

  Dispatcher(const Clock* clock, StoreLookup stores, HealthTracker* health,
             DispatchOptions options);

  // As RecordStore::Execute, over the plan's attempts. The error of the last attempt is returned
  // when none answers; with NO_REGION when none could be reached.
  void Dispatch(Plan plan, const CallContext& context, const internal::v1::StoreRequest& request,
                internal::v1::StoreResponse* response, Done done);

 private:
  const Clock* clock_;
  StoreLookup stores_;
  HealthTracker* health_;
  DispatchOptions options_;
};

}  // namespace homeport
