#include "gateway/server/rpc/info_methods.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/topology/option_ranges.h"
#include "gateway/server/locate.h"
#include "gateway/server/rpc/messages.h"

namespace homeport {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// These methods are asked by people and monitors; a few waiting calls do.
constexpr int kPosted = 4;

// A method that answers at once from what the process knows.
template <typename RequestMessage, typename Response>
class InfoMethod : public UnaryMethod {
 public:
  using Next = std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, UnaryWriter*,
                                  grpc::ServerCompletionQueue*, void*)>;
  using Answer =
      std::function<absl::StatusOr<Response>(grpc::ServerContext&, const RequestMessage&)>;

  InfoMethod(ServerMetrics::Method metrics, Next next, Answer answer)
      : UnaryMethod(std::move(metrics)), next_(std::move(next)), answer_(std::move(answer)) {}

  void Request(grpc::ServerContext* context, grpc::ByteBuffer* request, UnaryWriter* writer,
               grpc::ServerCompletionQueue* queue, void* tag) override {
    next_(context, request, writer, queue, tag);
  }

  void Handle(UnaryCall* call) override {
    grpc::ByteBuffer bytes;
    absl::Status status = Run(call, &bytes);
    if (!status.ok()) return call->Fail(status);
    call->Reply(bytes);
  }

 private:
  absl::Status Run(UnaryCall* call, grpc::ByteBuffer* bytes) {
    RequestMessage request;
    if (absl::Status status = ReadMessage(call->request(), &request); !status.ok()) return status;
    const absl::StatusOr<Response> response = answer_(call->context(), request);
    if (!response.ok()) return response.status();
    return WriteMessage(*response, bytes);
  }

  const Next next_;
  const Answer answer_;
};

absl::Status NoReplicaHere() {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason::kReplicaNotHere,
                   "this process is a gateway without a replica, and journals are replicas'",
                   {{"here", ""}});
}

IpAddress AddressOf(const GatewayState& state, grpc::ServerContext& context) {
  return WithCaller(
      context, [&state](const Caller& caller) { return Gateway::ClientAddress(state, caller); });
}

// Writes what a conflict has lost; the answer comes when that is on disk.
class RestoreConflictMethod : public UnaryMethod {
 public:
  RestoreConflictMethod(ServerMetrics::Method metrics, AdminService* admin, Gateway* gateway,
                        const ConflictSource* source)
      : UnaryMethod(std::move(metrics)), admin_(admin), gateway_(gateway), source_(source) {}

  void Request(grpc::ServerContext* context, grpc::ByteBuffer* request, UnaryWriter* writer,
               grpc::ServerCompletionQueue* queue, void* tag) override {
    admin_->RequestRestoreConflict(context, request, writer, queue, queue, tag);
  }

  void Handle(UnaryCall* call) override {
    if (!source_->restore) return call->Fail(NoReplicaHere());
    v1::RestoreConflictRequest request;
    if (absl::Status status = ReadMessage(call->request(), &request); !status.ok()) {
      return call->Fail(status);
    }
    CallContext context;
    context.deadline = call->Deadline();
    if (context.deadline == absl::InfiniteDuration()) {
      const auto state = gateway_->state();
      context.deadline =
          gateway_->clock().SteadyNow() +
          ToAbslDuration(state->router->topology().proto().gateway().default_deadline());
    }
    context.cancellation = call->cancellation();
    source_->restore(context, request, [call](absl::StatusOr<v1::RestoreConflictResponse> answer) {
      if (!answer.ok()) return call->Fail(answer.status());
      grpc::ByteBuffer bytes;
      absl::Status written = WriteMessage(*answer, &bytes);
      if (!written.ok()) return call->Fail(written);
      call->Reply(bytes);
    });
  }

 private:
  AdminService* const admin_;
  Gateway* const gateway_;
  const ConflictSource* const source_;
};

// The answer of a method that needs nothing of its caller.
template <typename Function>
auto WithoutContext(Function function) {
  return [function](grpc::ServerContext&, const auto& request) { return function(request); };
}

}  // namespace

HealthCheckResponse::ServingStatus ToWire(ServingState::Answer answer) {
  switch (answer) {
    case ServingState::Answer::kServing:
      return HealthCheckResponse::SERVING;
    case ServingState::Answer::kNotServing:
      return HealthCheckResponse::NOT_SERVING;
    case ServingState::Answer::kUnknown:
      return HealthCheckResponse::UNKNOWN;
    case ServingState::Answer::kNoService:
      break;
  }
  return HealthCheckResponse::SERVICE_UNKNOWN;
}

// A capture can not be in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define HP_NEXT(service, method)                                                          \
  [service](grpc::ServerContext* context, grpc::ByteBuffer* request, UnaryWriter* writer, \
            grpc::ServerCompletionQueue* queue,                                           \
            void* tag) { service->Request##method(context, request, writer, queue, queue, tag); }
// NOLINTEND(bugprone-macro-parentheses)

std::vector<PostedMethod> MakeInfoMethods(LocatorService* locator, AdminService* admin,
                                          HealthService* health, ServerShared* shared,
                                          const StatusSource* status, const ServingState* serving) {
  std::vector<PostedMethod> methods;
  Gateway* const gateway = shared->gateway;
  const Clock* const clock = &gateway->clock();

  methods.push_back({std::make_unique<InfoMethod<v1::LocateRequest, v1::LocateResponse>>(
                         shared->metrics.AddMethod("Locate"), HP_NEXT(locator, Locate),
                         [=](grpc::ServerContext& context, const v1::LocateRequest& request) {
                           const std::shared_ptr<const GatewayState> state = gateway->state();
                           return Locate(*state, AddressOf(*state, context), request,
                                         clock->WallNow());
                         }),
                     kPosted});
  methods.push_back(
      {std::make_unique<InfoMethod<v1::ExplainRouteRequest, v1::ExplainRouteResponse>>(
           shared->metrics.AddMethod("ExplainRoute"), HP_NEXT(locator, ExplainRoute),
           [=](grpc::ServerContext& context, const v1::ExplainRouteRequest& request) {
             const std::shared_ptr<const GatewayState> state = gateway->state();
             return ExplainRoute(*state, AddressOf(*state, context), request, clock->WallNow(),
                                 clock->SteadyNow());
           }),
       kPosted});
  methods.push_back(
      {std::make_unique<InfoMethod<v1::GetStatusRequest, v1::GetStatusResponse>>(
           shared->metrics.AddMethod("GetStatus"), HP_NEXT(admin, GetStatus),
           WithoutContext(
               [=](const v1::GetStatusRequest&) -> absl::StatusOr<v1::GetStatusResponse> {
                 return AdminStatus(*gateway->state(), *status, clock->WallNow(),
                                    clock->SteadyNow());
               })),
       kPosted});
  methods.push_back(
      {std::make_unique<InfoMethod<v1::ListNamespacesRequest, v1::ListNamespacesResponse>>(
           shared->metrics.AddMethod("ListNamespaces"), HP_NEXT(admin, ListNamespaces),
           WithoutContext([=](const v1::ListNamespacesRequest& request) {
             return ListNamespaces(gateway->state()->router->topology(), request);
           })),
       kPosted});
  methods.push_back(
      {std::make_unique<InfoMethod<v1::ListConflictsRequest, v1::ListConflictsResponse>>(
           shared->metrics.AddMethod("ListConflicts"), HP_NEXT(admin, ListConflicts),
           WithoutContext([=](const v1::ListConflictsRequest& request)
                              -> absl::StatusOr<v1::ListConflictsResponse> {
             if (!status->conflicts.list) return NoReplicaHere();
             return status->conflicts.list(request);
           })),
       kPosted});
  methods.push_back({std::make_unique<InfoMethod<v1::GetConflictRequest, v1::GetConflictResponse>>(
                         shared->metrics.AddMethod("GetConflict"), HP_NEXT(admin, GetConflict),
                         WithoutContext([=](const v1::GetConflictRequest& request)
                                            -> absl::StatusOr<v1::GetConflictResponse> {
                           if (!status->conflicts.get) return NoReplicaHere();
                           return status->conflicts.get(request);
                         })),
                     kPosted});
  methods.push_back(
      {std::make_unique<RestoreConflictMethod>(shared->metrics.AddMethod("RestoreConflict"), admin,
                                               gateway, &status->conflicts),
       kPosted});
  methods.push_back(
      {std::make_unique<InfoMethod<HealthCheckRequest, HealthCheckResponse>>(
           shared->metrics.AddMethod("Check"), HP_NEXT(health, Check),
           WithoutContext(
               [=](const HealthCheckRequest& request) -> absl::StatusOr<HealthCheckResponse> {
                 const ServingState::Answer answer = serving->Of(request.service());
                 if (answer == ServingState::Answer::kNoService) {
                   return absl::NotFoundError(
                       absl::StrCat("no service is called \"", request.service(), "\""));
                 }
                 HealthCheckResponse response;
                 response.set_status(ToWire(answer));
                 return response;
               })),
       kPosted});
  return methods;
}

#undef HP_NEXT

}  // namespace homeport
