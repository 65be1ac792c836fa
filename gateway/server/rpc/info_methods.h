// The unary methods that tell rather than route: Locator, Admin and the health check.
#pragma once

#include <vector>

#include "gateway/server/admin_status.h"
#include "gateway/server/rpc/key_value_methods.h"
#include "gateway/server/serving_state.h"

namespace homeport {

// A health answer as grpc.health.v1 has it.
grpc::health::v1::HealthCheckResponse::ServingStatus ToWire(ServingState::Answer answer);

// Everything that is pointed to must outlive the methods.
std::vector<PostedMethod> MakeInfoMethods(LocatorService* locator, AdminService* admin,
                                          HealthService* health, ServerShared* shared,
                                          const StatusSource* status, const ServingState* serving);

}  // namespace homeport
