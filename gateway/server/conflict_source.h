// Where the Admin service gets a replica's conflict journal from.
#pragma once

#include <functional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/store/record_store.h"
#include "homeport/v1/admin.pb.h"

namespace homeport {

// The journal of the replica in this process. The functions are empty, all of them, if there is no
// replica, and are called in any thread.
struct ConflictSource {
  using RestoreDone = absl::AnyInvocable<void(absl::StatusOr<v1::RestoreConflictResponse>)>;

  std::function<absl::StatusOr<v1::ListConflictsResponse>(const v1::ListConflictsRequest&)> list;
  std::function<absl::StatusOr<v1::GetConflictResponse>(const v1::GetConflictRequest&)> get;
  // Calls `done` once, in any thread, possibly before it returns. The request is not used after.
  std::function<void(const CallContext&, const v1::RestoreConflictRequest&, RestoreDone done)>
      restore;
};

}  // namespace homeport
