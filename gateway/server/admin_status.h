// Answers of the Admin service.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/server/conflict_source.h"
#include "gateway/server/gateway.h"
#include "homeport/v1/admin.pb.h"

namespace homeport {

// What the state of a process has besides the gateway's own. The functions may be empty and are
// called in any thread.
struct StatusSource {
  // The version of the software.
  std::string version;
  // When the process started.
  absl::Time started;
  // The replica in this process; nullopt if there is none.
  std::function<std::optional<v1::ReplicaStatus>()> replica;
  // Degraded modes of other parts, for people.
  std::function<std::vector<std::string>()> warnings;
  // The conflict journal of the replica in this process.
  ConflictSource conflicts;
};

// A page of namespaces that does not say has this many, and no page has more than the other.
inline constexpr int kNamespacePageDefault = 100;
inline constexpr int kNamespacePageMax = 1000;

// The state of everything that this process knows of.
v1::GetStatusResponse AdminStatus(const GatewayState& state, const StatusSource& source,
                                  absl::Time now, SteadyTime steady_now);

// A page of namespaces. INVALID_ARGUMENT: FIELD_INVALID (page_size), PAGE_TOKEN_INVALID.
absl::StatusOr<v1::ListNamespacesResponse> ListNamespaces(const Topology& topology,
                                                          const v1::ListNamespacesRequest& request);

}  // namespace homeport
