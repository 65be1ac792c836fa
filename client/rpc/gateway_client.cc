#include "client/rpc/gateway_client.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/rpc/channel.h"
#include "common/rpc/grpc_time.h"
#include "common/status/error.h"
#include "grpcpp/grpcpp.h"
#include "homeport/v1/admin.grpc.pb.h"
#include "homeport/v1/key_value.grpc.pb.h"
#include "homeport/v1/locator.grpc.pb.h"

namespace homeport {
namespace {

// What a call that failed at once spends on looking whether the connection comes up.
constexpr absl::Duration kReconnectPoll = absl::Milliseconds(100);

template <typename Response, typename Stub, typename Request>
absl::StatusOr<Response> Call(
    Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
    const GatewayClientOptions& options, grpc::Channel& channel, const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(GrpcTimeAfter(options.timeout));
  if (!options.from.empty()) context.AddMetadata("x-forwarded-for", options.from);
  Response response;
  absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
  if (absl::IsUnavailable(status)) {
    // A channel of blocking calls is polled only while one of them runs. Calls that all fail at
    // once would leave a connection that is coming up unread for many seconds.
    channel.WaitForStateChange(GRPC_CHANNEL_TRANSIENT_FAILURE, GrpcTimeAfter(kReconnectPoll));
  }
  if (!status.ok()) return status;
  return response;
}

}  // namespace

struct GatewayClient::Stubs {
  explicit Stubs(std::shared_ptr<grpc::Channel> c)
      : channel(std::move(c)), key_value(channel), locator(channel), admin(channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  v1::KeyValue::Stub key_value;
  v1::Locator::Stub locator;
  v1::Admin::Stub admin;
};

GatewayClient::GatewayClient(GatewayClientOptions options)
    : options_(std::move(options)),
      stubs_(std::make_unique<Stubs>(OpenChannel(options_.address))) {}

GatewayClient::~GatewayClient() = default;

absl::Status GatewayClient::Connect() {
  const auto deadline = GrpcTimeAfter(options_.timeout);
  grpc::Channel& channel = *stubs_->channel;
  for (;;) {
    const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return absl::OkStatus();
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || !channel.WaitForStateChange(state, deadline)) {
      return MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable,
                       absl::StrCat("no gateway answers at ", options_.address),
                       {{"address", options_.address}});
    }
  }
}

absl::StatusOr<v1::GetResponse> GatewayClient::Get(const v1::GetRequest& request) {
  return Call(stubs_->key_value, &v1::KeyValue::Stub::Get, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::PutResponse> GatewayClient::Put(const v1::PutRequest& request) {
  return Call(stubs_->key_value, &v1::KeyValue::Stub::Put, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::DeleteResponse> GatewayClient::Delete(const v1::DeleteRequest& request) {
  return Call(stubs_->key_value, &v1::KeyValue::Stub::Delete, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::MutateResponse> GatewayClient::Mutate(const v1::MutateRequest& request) {
  return Call(stubs_->key_value, &v1::KeyValue::Stub::Mutate, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::ListItemsResponse> GatewayClient::ListItems(
    const v1::ListItemsRequest& request) {
  return Call(stubs_->key_value, &v1::KeyValue::Stub::ListItems, options_, *stubs_->channel,
              request);
}

absl::StatusOr<v1::ListRecordsResponse> GatewayClient::ListRecords(
    const v1::ListRecordsRequest& request) {
  return Call(stubs_->key_value, &v1::KeyValue::Stub::ListRecords, options_, *stubs_->channel,
              request);
}

absl::StatusOr<v1::LocateResponse> GatewayClient::Locate(const v1::LocateRequest& request) {
  return Call(stubs_->locator, &v1::Locator::Stub::Locate, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::ExplainRouteResponse> GatewayClient::ExplainRoute(
    const v1::ExplainRouteRequest& request) {
  return Call(stubs_->locator, &v1::Locator::Stub::ExplainRoute, options_, *stubs_->channel,
              request);
}

absl::StatusOr<v1::GetStatusResponse> GatewayClient::GetStatus(
    const v1::GetStatusRequest& request) {
  return Call(stubs_->admin, &v1::Admin::Stub::GetStatus, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::ListNamespacesResponse> GatewayClient::ListNamespaces(
    const v1::ListNamespacesRequest& request) {
  return Call(stubs_->admin, &v1::Admin::Stub::ListNamespaces, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::ListConflictsResponse> GatewayClient::ListConflicts(
    const v1::ListConflictsRequest& request) {
  return Call(stubs_->admin, &v1::Admin::Stub::ListConflicts, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::GetConflictResponse> GatewayClient::GetConflict(
    const v1::GetConflictRequest& request) {
  return Call(stubs_->admin, &v1::Admin::Stub::GetConflict, options_, *stubs_->channel, request);
}

absl::StatusOr<v1::RestoreConflictResponse> GatewayClient::RestoreConflict(
    const v1::RestoreConflictRequest& request) {
  return Call(stubs_->admin, &v1::Admin::Stub::RestoreConflict, options_, *stubs_->channel,
              request);
}

std::string NewRequestId() {
  thread_local std::random_device random;
  const auto word = [] { return static_cast<uint32_t>(random()); };
  return absl::StrFormat("%08x%08x%08x%08x", word(), word(), word(), word());
}

}  // namespace homeport
