#include "storage/replica/conflict_calls.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "homeport/internal/v1/store.pb.h"
#include "storage/replication/conflict_reader.h"

namespace homeport {
namespace {

absl::Status StorageError(const absl::Status& status) {
  if (status.ok() || !ReasonOf(status).empty()) return status;
  return MakeError(status.code(), reason::kStorageFailed, status.message());
}

// What a restore needs until it is answered.
struct Restoring {
  internal::v1::StoreRequest request;
  internal::v1::StoreResponse response;
  bool repeated = false;
  ConflictCalls::RestoreDone done;
};

}  // namespace

absl::StatusOr<v1::ListConflictsResponse> ConflictCalls::List(
    const v1::ListConflictsRequest& request) const {
  auto page = ListConflicts(replica_->engine(), replica_->name(), request, ReadLimits());
  if (!page.ok()) return StorageError(page.status());
  return page;
}

absl::StatusOr<v1::Conflict> ConflictCalls::Read(const std::string& id,
                                                 ConflictNumber* number) const {
  auto parsed = ParseConflictId(id, replica_->name());
  if (!parsed.ok()) return parsed.status();
  *number = *parsed;
  auto conflict = ReadConflict(replica_->engine(), replica_->name(), *parsed);
  if (!conflict.ok()) return StorageError(conflict.status());
  return conflict;
}

absl::StatusOr<v1::GetConflictResponse> ConflictCalls::Get(
    const v1::GetConflictRequest& request) const {
  ConflictNumber number;
  auto conflict = Read(request.id(), &number);
  if (!conflict.ok()) return conflict.status();
  v1::GetConflictResponse response;
  *response.mutable_conflict() = *std::move(conflict);
  return response;
}

void ConflictCalls::Restore(const CallContext& context, const v1::RestoreConflictRequest& request,
                            RestoreDone done) {
  ConflictNumber number;
  auto conflict = Read(request.id(), &number);
  if (!conflict.ok()) return done(conflict.status());
  auto restoring = std::make_shared<Restoring>();
  restoring->repeated = conflict->has_restored();
  restoring->request.set_restores_conflict(number.value());
  v1::MutateRequest& mutation = *restoring->request.mutable_mutate();
  mutation.set_namespace_(conflict->namespace_());
  mutation.set_id(conflict->record_id());
  mutation.mutable_options()->set_session_token(request.session_token());
  v1::Change& change = *mutation.add_changes();
  change.set_key(conflict->key());
  if (conflict->deleted()) {
    change.set_delete_(true);
  } else {
    change.set_put(std::move(*conflict->mutable_value()));
  }
  if (conflict->has_expires() && !conflict->deleted()) {
    // It lives as long as it would have lived.
    const absl::Time expires = absl::FromUnixSeconds(conflict->expires().seconds()) +
                               absl::Nanoseconds(conflict->expires().nanos());
    const absl::Duration left = expires - replica_->clock()->WallNow();
    if (left <= absl::ZeroDuration() && !restoring->repeated) {
      return done(MakeError(
          absl::StatusCode::kFailedPrecondition, reason::kConflictExpired,
          absl::StrCat("the value that lost has expired at ",
                       absl::FormatTime(expires, absl::UTCTimeZone()), "; nothing was written"),
          {{"conflict", request.id()}}));
    }
    // Of one that was restored before nothing is written.
    const absl::Duration ttl = left > absl::ZeroDuration() ? left : absl::Seconds(1);
    change.mutable_ttl()->set_seconds(absl::ToInt64Seconds(ttl));
    change.mutable_ttl()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(ttl % absl::Seconds(1))));
  }
  restoring->done = std::move(done);
  replica_->Execute(context, restoring->request, &restoring->response,
                    [restoring](absl::Status status) {
                      RestoreDone answer = std::move(restoring->done);
                      if (!status.ok()) return answer(std::move(status));
                      v1::MutateResponse& written = *restoring->response.mutable_mutate();
                      v1::RestoreConflictResponse response;
                      *response.mutable_version() = std::move(*written.mutable_version());
                      response.set_session_token(std::move(*written.mutable_session_token()));
                      response.set_repeated(restoring->repeated);
                      answer(std::move(response));
                    });
}

}  // namespace homeport
