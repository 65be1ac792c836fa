// The conflict journal of a replica, as the Admin service asks for it.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/store/record_store.h"
#include "homeport/v1/admin.pb.h"
#include "storage/replica/replica.h"

namespace homeport {

// Thread-safe. Errors have reasons as the Admin service states them. `replica` must outlive it, and
// what it has begun.
class ConflictCalls {
 public:
  explicit ConflictCalls(Replica* replica) : replica_(replica) {}

  absl::StatusOr<v1::ListConflictsResponse> List(const v1::ListConflictsRequest& request) const;
  absl::StatusOr<v1::GetConflictResponse> Get(const v1::GetConflictRequest& request) const;

  // `done` is called once, in any thread, when the write is on disk. Errors are those of a write,
  // besides.
  using RestoreDone = absl::AnyInvocable<void(absl::StatusOr<v1::RestoreConflictResponse>)>;
  void Restore(const CallContext& context, const v1::RestoreConflictRequest& request,
               RestoreDone done);

 private:
  absl::StatusOr<v1::Conflict> Read(const std::string& id, ConflictNumber* number) const;

  Replica* replica_;
};

}  // namespace homeport
