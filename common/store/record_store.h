// The one narrow interface at which gateway and storage meet.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/store/cancellation.h"
#include "common/store/freshness.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/store.pb.h"

namespace homeport {

// What a store must know of a call besides the request.
struct CallContext {
  // When the caller stops waiting, on the steady clock. InfiniteDuration: no limit but the store's.
  SteadyTime deadline = absl::InfiniteDuration();
  // Set when the caller may stop waiting earlier; may be null.
  std::shared_ptr<Cancellation> cancellation;
};

// Executes operations on one replica, in this process or in another region.
//
// Thread-safe. Execute() never blocks on other clients, the network or a sync; a read from disk may
// happen in the caller's thread. `done` is called exactly once, in any thread, possibly before
// Execute() returns. `request` and `response` belong to the caller and must stay valid and
// unchanged until `done` is called. On success `response` holds the result of the request's kind;
// on error it is unspecified.
//
// Errors by code and reason:
//   INVALID_ARGUMENT      the request is not well formed; names the field
//   NOT_FOUND             NAMESPACE_UNKNOWN
//   FAILED_PRECONDITION   NAMESPACE_NOT_HERE, TOKEN_FOREIGN, LEVEL_UNAVAILABLE
//   RESOURCE_EXHAUSTED    DISK_FULL, OVERLOADED; nothing was written
//   UNAVAILABLE           REGION_UNREACHABLE, DRAINING: the call was not sent, nothing happened;
//                         STALE_LIMIT: a BOUNDED read is not met here and not about to be;
//                         STORAGE_FAILED: the disk failed, nothing is acknowledged any more;
//                         OUTCOME_UNKNOWN: it was sent, and a write may have happened
//   DEADLINE_EXCEEDED     a read: nothing; a write: it may have happened, unless `waited_for` is
//                         "token" (it waited for its session token and was not begun)
//   CANCELLED             the caller cancelled; a write may have happened
class RecordStore {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~RecordStore() = default;
  virtual void Execute(const CallContext& context, const internal::v1::StoreRequest& request,
                       internal::v1::StoreResponse* response, Done done) = 0;
  // How far the replica is behind the others, as far as is known here: at `as_of`, for one that is
  // reached over a network a way back earlier. Null: nothing is known.
  virtual std::shared_ptr<const StoreFreshness> freshness() const { return nullptr; }
};

}  // namespace homeport
