// The services as the public server runs them: everything unary as bytes, so that messages are read
// into a call's own arena and a request that can not be read is answered with an error of ours.
#pragma once

#include "grpc/health/v1/health.grpc.pb.h"
#include "homeport/v1/admin.grpc.pb.h"
#include "homeport/v1/key_value.grpc.pb.h"
#include "homeport/v1/locator.grpc.pb.h"

namespace homeport {

// clang-format off
using KeyValueService =
    v1::KeyValue::WithRawMethod_Get<
    v1::KeyValue::WithRawMethod_BatchGet<
    v1::KeyValue::WithRawMethod_Put<
    v1::KeyValue::WithRawMethod_Delete<
    v1::KeyValue::WithRawMethod_Mutate<
    v1::KeyValue::WithRawMethod_ListItems<
    v1::KeyValue::WithRawMethod_ListRecords<
    v1::KeyValue::Service>>>>>>>;
using LocatorService =
    v1::Locator::WithRawMethod_Locate<
    v1::Locator::WithRawMethod_ExplainRoute<
    v1::Locator::Service>>;
using AdminService =
    v1::Admin::WithRawMethod_GetStatus<
    v1::Admin::WithRawMethod_ListNamespaces<
    v1::Admin::WithRawMethod_ListConflicts<
    v1::Admin::WithRawMethod_GetConflict<
    v1::Admin::WithRawMethod_RestoreConflict<
    v1::Admin::Service>>>>>;
using HealthService =
    grpc::health::v1::Health::WithRawMethod_Check<
    grpc::health::v1::Health::WithAsyncMethod_Watch<
    grpc::health::v1::Health::Service>>;
// clang-format on

}  // namespace homeport
