// The errors with which a replica refuses a request.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "common/session/session_token.h"
#include "common/topology/topology.h"
#include "storage/replica/published.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// UNAVAILABLE (DRAINING).
absl::Status StoppingError(const ReplicaName& self);
// NOT_FOUND (NAMESPACE_UNKNOWN).
absl::Status UnknownNamespaceError(const std::string& name_space);
// FAILED_PRECONDITION (NOT_HERE).
absl::Status NotHereError(const std::string& name_space, const std::string& region);
// FAILED_PRECONDITION (HISTORY_LOST): what the session saw, `lost`, was lost with a disk; nobody
// will ever have it. The error brings a token without it.
absl::Status HistoryLostError(const ReplicaView& view, SessionToken token,
                              const SessionToken::Position& lost, uint64_t cluster);
// UNAVAILABLE (CATCHING_UP): the namespace, which `view` does not hold whole, was given to this
// region, and has to be brought here first.
absl::Status NotWholeError(const ReplicaName& self, const ReplicaView& view,
                           const NamespaceInfo& info);
// UNAVAILABLE (TOKEN_AHEAD).
absl::Status TokenAheadError(const ReplicaName& self, const ReplicaView& view,
                             const SessionToken::Position& missing);
// UNAVAILABLE (STALE_LIMIT): what is here is `found` old, and waiting does not help in time.
absl::Status StaleLimitError(const ReplicaName& self, absl::Duration max_staleness,
                             const ReadAge& found);
// UNAVAILABLE (OUTCOME_UNKNOWN): the commit of a write failed with `why`.
absl::Status OutcomeUnknownError(const ReplicaName& self, const absl::Status& why);
// RESOURCE_EXHAUSTED (OVERLOADED): there is too much of `what`.
absl::Status OverloadedError(const std::string& message, const std::string& what);

}  // namespace homeport
