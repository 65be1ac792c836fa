// Calls to a Homeport gateway, without gRPC in the caller's sight.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "homeport/v1/admin.pb.h"
#include "homeport/v1/key_value.pb.h"
#include "homeport/v1/locator.pb.h"

namespace homeport {

struct GatewayClientOptions {
  // "host:port".
  std::string address;
  // Sent as `x-forwarded-for`: the client's address, for a gateway that trusts this machine as a
  // proxy. Empty: not sent.
  std::string from;
  // Deadline of each call.
  absl::Duration timeout = absl::Seconds(5);
};

// A connection to one gateway; connects when first called, and again after a failure. Thread-safe.
//
// Each call blocks until it is answered or its deadline has passed. Errors are the gateway's, with
// reason and metadata (common/status/error.h), or UNAVAILABLE or DEADLINE_EXCEEDED without a
// reason when the gateway itself did not answer: then a write may have happened.
class GatewayClient {
 public:
  explicit GatewayClient(GatewayClientOptions options);
  ~GatewayClient();
  GatewayClient(const GatewayClient&) = delete;
  GatewayClient& operator=(const GatewayClient&) = delete;

  // Waits until there is a connection. UNAVAILABLE (REGION_UNREACHABLE) at the first refusal or
  // after the timeout. Optional: calls connect by themselves.
  absl::Status Connect();

  absl::StatusOr<v1::GetResponse> Get(const v1::GetRequest& request);
  absl::StatusOr<v1::PutResponse> Put(const v1::PutRequest& request);
  absl::StatusOr<v1::DeleteResponse> Delete(const v1::DeleteRequest& request);
  absl::StatusOr<v1::MutateResponse> Mutate(const v1::MutateRequest& request);
  absl::StatusOr<v1::ListItemsResponse> ListItems(const v1::ListItemsRequest& request);
  absl::StatusOr<v1::ListRecordsResponse> ListRecords(const v1::ListRecordsRequest& request);
  absl::StatusOr<v1::LocateResponse> Locate(const v1::LocateRequest& request);
  absl::StatusOr<v1::ExplainRouteResponse> ExplainRoute(const v1::ExplainRouteRequest& request);
  absl::StatusOr<v1::GetStatusResponse> GetStatus(const v1::GetStatusRequest& request);
  absl::StatusOr<v1::ListNamespacesResponse> ListNamespaces(
      const v1::ListNamespacesRequest& request);
  absl::StatusOr<v1::ListConflictsResponse> ListConflicts(const v1::ListConflictsRequest& request);
  absl::StatusOr<v1::GetConflictResponse> GetConflict(const v1::GetConflictRequest& request);
  absl::StatusOr<v1::RestoreConflictResponse> RestoreConflict(
      const v1::RestoreConflictRequest& request);

  const GatewayClientOptions& options() const { return options_; }

 private:
  struct Stubs;

  const GatewayClientOptions options_;
  const std::unique_ptr<Stubs> stubs_;
};

// 128 random bits in hexadecimal: a name for a write that no other write has. Thread-safe.
std::string NewRequestId();

}  // namespace homeport
