// Answers of the Locator service. Nothing is sent to any replica.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/server/gateway.h"
#include "homeport/v1/locator.pb.h"

namespace homeport {

// An address in a request; longer text can not be one.
inline constexpr size_t kAddressBytesMax = 128;

// The place of the request's address, or of `caller_address` if the request has none. `now` is the
// time of day, for the age of databases. INVALID_ARGUMENT: ADDRESS_INVALID, LIMIT_EXCEEDED.
absl::StatusOr<v1::LocateResponse> Locate(const GatewayState& state,
                                          const IpAddress& caller_address,
                                          const v1::LocateRequest& request, absl::Time now);

// Where a request would go at this moment. Besides Locate's errors: INVALID_ARGUMENT FIELD_INVALID
// for an unknown enum value or an empty namespace, NOT_FOUND NAMESPACE_UNKNOWN, and those of
// Router::Explain.
absl::StatusOr<v1::ExplainRouteResponse> ExplainRoute(const GatewayState& state,
                                                      const IpAddress& caller_address,
                                                      const v1::ExplainRouteRequest& request,
                                                      absl::Time now, SteadyTime steady_now);

// A database as the API shows it.
void FillGeoDatabase(const GeoDatabaseInfo& info, absl::Time now, v1::GeoDatabase* out);

// What is degraded about locating clients; empty when nothing is.
std::string LocatingWarning(const GatewayState& state);

}  // namespace homeport
