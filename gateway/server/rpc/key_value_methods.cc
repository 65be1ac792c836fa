#include "gateway/server/rpc/key_value_methods.h"

#include <utility>

#include "common/status/error.h"
#include "common/status/retry_delay.h"
#include "gateway/server/requests.h"
#include "gateway/server/rpc/messages.h"

namespace homeport {
namespace {

using google::protobuf::Arena;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// Calls that wait for a request on each queue. More cost memory and cache misses, fewer a wait when
// a burst comes; those of the two methods that make the load are replaced as fast as they are
// taken.
constexpr int kPostedOften = 96;
constexpr int kPostedSeldom = 16;

// How one method's messages become the store's.
struct Codec {
  absl::Status (*read)(grpc::ByteBuffer* bytes, Arena* arena, StoreRequest* request);
  absl::Status (*write)(StoreResponse* response, Arena* arena, grpc::ByteBuffer* bytes);
  MutationForm form;
};

using RequestNext = void (*)(KeyValueService*, grpc::ServerContext*, grpc::ByteBuffer*,
                             UnaryWriter*, grpc::ServerCompletionQueue*, void*);

class KeyValueMethod : public UnaryMethod {
 public:
  KeyValueMethod(ServerMetrics::Method metrics, ServerShared* shared, KeyValueService* service,
                 RequestNext next, Codec codec)
      : UnaryMethod(std::move(metrics)),
        shared_(shared),
        service_(service),
        next_(next),
        codec_(codec) {}

  void Request(grpc::ServerContext* context, grpc::ByteBuffer* request, UnaryWriter* writer,
               grpc::ServerCompletionQueue* queue, void* tag) override {
    next_(service_, context, request, writer, queue, tag);
  }

  void Handle(UnaryCall* call) override {
    if (!call->EnterInFlight()) {
      return call->Fail(
          WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                                   "the gateway has too many requests in flight; try again later",
                                   {{"what", "requests in flight"}}),
                         kOverloadedRetryDelay));
    }
    GatewayCall& gateway_call = call->gateway_call();
    gateway_call.request = Arena::CreateMessage<StoreRequest>(call->arena());
    gateway_call.response = Arena::CreateMessage<StoreResponse>(call->arena());
    gateway_call.form = codec_.form;
    if (absl::Status status = codec_.read(call->request(), call->arena(), gateway_call.request);
        !status.ok()) {
      return call->Fail(status);
    }
    gateway_call.context.deadline = call->Deadline();
    gateway_call.context.cancellation = call->cancellation();
    gateway_call.done = [this, call](absl::Status status) { Answer(call, status); };
    WithCaller(call->context(),
               [&](const Caller& caller) { shared_->gateway->Execute(caller, &gateway_call); });
  }

 private:
  void Answer(UnaryCall* call, absl::Status status) {
    grpc::ByteBuffer bytes;
    shared_->metrics.ObserveRetries(call->gateway_call().result);
    if (status.ok()) status = codec_.write(call->gateway_call().response, call->arena(), &bytes);
    if (!status.ok()) return call->Fail(status);
    shared_->metrics.ObserveRoute(call->gateway_call().result.reason);
    call->Reply(bytes);
  }

  ServerShared* const shared_;
  KeyValueService* const service_;
  const RequestNext next_;
  const Codec codec_;
};

// A put or delete is read by itself and moved into a mutation.
template <typename Request>
absl::Status ReadSingleChange(grpc::ByteBuffer* bytes, Arena* arena, StoreRequest* request) {
  auto* message = Arena::CreateMessage<Request>(arena);
  if (absl::Status status = ReadMessage(bytes, message); !status.ok()) return status;
  MoveToStoreRequest(message, request);
  return absl::OkStatus();
}

template <typename Response>
absl::Status WriteSingleChange(StoreResponse* response, Arena* arena, grpc::ByteBuffer* bytes) {
  auto* message = Arena::CreateMessage<Response>(arena);
  MoveToResponse(response->mutable_mutate(), message);
  return WriteMessage(*message, bytes);
}

// The codec of a method whose messages the store knows as they are, as its operation `field`.
#define HP_PLAIN_CODEC(field)                                          \
  Codec {                                                              \
    [](grpc::ByteBuffer* bytes, Arena*, StoreRequest* request) {       \
      return ReadMessage(bytes, request->mutable_##field());           \
    },                                                                 \
        [](StoreResponse* response, Arena*, grpc::ByteBuffer* bytes) { \
          return WriteMessage(response->field(), bytes);               \
        },                                                             \
        MutationForm::kMutate                                          \
  }

#define HP_NEXT(method)                                                                 \
  [](KeyValueService* service, grpc::ServerContext* context, grpc::ByteBuffer* request, \
     UnaryWriter* writer, grpc::ServerCompletionQueue* queue,                           \
     void* tag) { service->Request##method(context, request, writer, queue, queue, tag); }

}  // namespace

std::vector<PostedMethod> MakeKeyValueMethods(KeyValueService* service, ServerShared* shared) {
  std::vector<PostedMethod> methods;
  const auto add = [&](const char* name, int posted, RequestNext next, Codec codec) {
    methods.push_back({std::make_unique<KeyValueMethod>(shared->metrics.AddMethod(name), shared,
                                                        service, next, codec),
                       posted});
  };
  add("Get", kPostedOften, HP_NEXT(Get), HP_PLAIN_CODEC(get));
  add("Put", kPostedOften, HP_NEXT(Put),
      {ReadSingleChange<v1::PutRequest>, WriteSingleChange<v1::PutResponse>, MutationForm::kPut});
  add("Delete", kPostedSeldom, HP_NEXT(Delete),
      {ReadSingleChange<v1::DeleteRequest>, WriteSingleChange<v1::DeleteResponse>,
       MutationForm::kDelete});
  add("BatchGet", kPostedSeldom, HP_NEXT(BatchGet), HP_PLAIN_CODEC(batch_get));
  add("Mutate", kPostedSeldom, HP_NEXT(Mutate), HP_PLAIN_CODEC(mutate));
  add("ListItems", kPostedSeldom, HP_NEXT(ListItems), HP_PLAIN_CODEC(list_items));
  add("ListRecords", kPostedSeldom, HP_NEXT(ListRecords), HP_PLAIN_CODEC(list_records));
  return methods;
}

#undef HP_PLAIN_CODEC
#undef HP_NEXT

}  // namespace homeport
