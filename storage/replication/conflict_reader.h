// Reading the conflict journal from an engine, as the Admin service shows it. No I/O but the
// engine's.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "homeport/v1/admin.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/model/journal_keys.h"
#include "storage/replication/record_reader.h"

namespace homeport {

// Names a conflict in all regions: "eu-west/a:0006439b2f1c0d00".
std::string ConflictId(const ReplicaName& replica, ConflictNumber number);
// INVALID_ARGUMENT (FIELD_INVALID) for what is no such name; FAILED_PRECONDITION (REPLICA_NOT_HERE)
// if it is of another replica than `here`.
absl::StatusOr<ConflictNumber> ParseConflictId(absl::string_view id, const ReplicaName& here);

// FAILED_PRECONDITION (REPLICA_NOT_HERE) unless `replica` is empty or `here`.
absl::Status CheckReplica(absl::string_view replica, const ReplicaName& here);

// Conflicts that a page has at most.
inline constexpr int kConflictPageMax = 1000;

// INVALID_ARGUMENT (FIELD_INVALID, PAGE_TOKEN_INVALID); FAILED_PRECONDITION (REPLICA_NOT_HERE);
// DATA_LOSS; the engine's errors.
absl::StatusOr<v1::ListConflictsResponse> ListConflicts(KvEngine* engine, const ReplicaName& here,
                                                        const v1::ListConflictsRequest& request,
                                                        const ReadLimits& limits);
// NOT_FOUND (CONFLICT_UNKNOWN); DATA_LOSS; the engine's errors.
absl::StatusOr<v1::Conflict> ReadConflict(KvEngine* engine, const ReplicaName& here,
                                          ConflictNumber number);

}  // namespace homeport
