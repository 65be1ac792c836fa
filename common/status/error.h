// Errors with a stable reason, as clients see them.
//
// A Homeport error is an absl::Status whose payload is a google.rpc.ErrorInfo: the canonical code,
// a reason from the list below, and the variable parts as metadata. The message is for people and
// names the field or thing.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/rpc/status.pb.h"

namespace homeport {

// The domain of every ErrorInfo of ours.
inline constexpr absl::string_view kErrorDomain = "homeport.dev";

// Reasons. Stable: clients act on them. Written on the wire as here.
namespace reason {
inline constexpr absl::string_view kFieldInvalid = "FIELD_INVALID";          // field
inline constexpr absl::string_view kLimitExceeded = "LIMIT_EXCEEDED";        // field, limit, actual
inline constexpr absl::string_view kItemTypeWrong = "ITEM_TYPE_WRONG";       // field, type
inline constexpr absl::string_view kCounterOverflow = "COUNTER_OVERFLOW";    // field
inline constexpr absl::string_view kSetTooLarge = "SET_TOO_LARGE";           // field, limit, actual
inline constexpr absl::string_view kNamespaceUnknown = "NAMESPACE_UNKNOWN";  // namespace
inline constexpr absl::string_view kTokenInvalid = "TOKEN_INVALID";          // field
inline constexpr absl::string_view kTokenForeign = "TOKEN_FOREIGN";          // cluster
inline constexpr absl::string_view kHistoryLost = "HISTORY_LOST";            // fresh_token, ...
inline constexpr absl::string_view kTokenAhead = "TOKEN_AHEAD";              // origin, have, want
// field, max_staleness_ms, age_ms, behind, replica
inline constexpr absl::string_view kStaleLimit = "STALE_LIMIT";
inline constexpr absl::string_view kPageTokenInvalid = "PAGE_TOKEN_INVALID";  // field
inline constexpr absl::string_view kLevelUnavailable = "LEVEL_UNAVAILABLE";   // level
inline constexpr absl::string_view kNoLocalReplica = "NO_LOCAL_REPLICA";      // region
inline constexpr absl::string_view kNotHere = "NAMESPACE_NOT_HERE";           // namespace, region
inline constexpr absl::string_view kNoRegion = "NO_REGION";                   // tried
inline constexpr absl::string_view kUnreachable = "REGION_UNREACHABLE";       // replica; not sent
inline constexpr absl::string_view kOutcomeUnknown = "OUTCOME_UNKNOWN";       // replica; was sent
inline constexpr absl::string_view kDraining = "DRAINING";                    // replica
inline constexpr absl::string_view kDiskFull = "DISK_FULL";                   // path
inline constexpr absl::string_view kStorageFailed = "STORAGE_FAILED";         // path
inline constexpr absl::string_view kRequestIdReused = "REQUEST_ID_REUSED";    // field
inline constexpr absl::string_view kDeadline = "DEADLINE_EXCEEDED";           // waited_for
inline constexpr absl::string_view kOverloaded = "OVERLOADED";                // what
inline constexpr absl::string_view kReplicaNotHere = "REPLICA_NOT_HERE";      // replica, here
inline constexpr absl::string_view kConflictUnknown = "CONFLICT_UNKNOWN";     // conflict
inline constexpr absl::string_view kConflictExpired = "CONFLICT_EXPIRED";     // conflict
inline constexpr absl::string_view kAddressInvalid = "ADDRESS_INVALID";       // field
inline constexpr absl::string_view kGeoDatabaseInvalid = "GEO_DATABASE_INVALID";  // path
inline constexpr absl::string_view kListenFailed = "LISTEN_FAILED";               // address
// have, want, version_time, version_origin; the write is done
inline constexpr absl::string_view kNotYetReplicated = "NOT_YET_REPLICATED";
inline constexpr absl::string_view kClockSuspect = "CLOCK_SUSPECT";    // replica, ahead
inline constexpr absl::string_view kTwin = "TWIN";                     // replica, origin
inline constexpr absl::string_view kCatchingUp = "CATCHING_UP";        // replica, progress
inline constexpr absl::string_view kRegionLeaving = "REGION_LEAVING";  // region
inline constexpr absl::string_view kReplicaLeft = "REPLICA_LEFT";      // replica
}  // namespace reason

using ErrorMetadata = std::initializer_list<std::pair<absl::string_view, std::string>>;

// An error of `code` with an ErrorInfo. `code` must not be kOk.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                       ErrorMetadata metadata = {});

// INVALID_ARGUMENT, FIELD_INVALID: "`field`: `problem`".
absl::Status FieldError(absl::string_view field, absl::string_view problem);

// INVALID_ARGUMENT, LIMIT_EXCEEDED: "`field`: `actual` `unit` is over the limit of `limit`".
absl::Status LimitError(absl::string_view field, uint64_t limit, uint64_t actual,
                        absl::string_view unit);

// The reason of an error made here or received; empty if it has none.
std::string ReasonOf(const absl::Status& status);
// One metadata value of the error's ErrorInfo; nullopt if it has none of that name.
std::optional<std::string> ErrorMetadataOf(const absl::Status& status, absl::string_view name);
// `status` with one metadata value added or replaced. An error without an ErrorInfo gets one
// without a reason. OK stays OK.
absl::Status WithErrorMetadata(absl::Status status, absl::string_view name, std::string value);

// To and from the wire form. Details of unknown types are kept through both.
google::rpc::Status ToRpcStatus(const absl::Status& status);
absl::Status FromRpcStatus(const google::rpc::Status& status);

}  // namespace homeport
