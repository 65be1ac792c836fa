#include "gateway/server/rpc/public_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/status/retry_delay.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "homeport/v1/admin.grpc.pb.h"
#include "homeport/v1/locator.grpc.pb.h"
#include "tests/unit/gateway/server/server_fixture.h"

namespace homeport {
namespace {

class PublicServerTest : public ServerFixture {};

TEST_F(PublicServerTest, EveryMethodOfKeyValueAnswers) {
  Start();
  v1::GetResponse get;
  ASSERT_TRUE(Get(GetOf("o-1"), &get).ok());
  EXPECT_EQ(get.item().key(), "total");
  EXPECT_EQ(get.item().value(), "value of o-1");
  EXPECT_EQ(get.version().hybrid_time(), 7);
  EXPECT_EQ(get.session_token(), "token");
  EXPECT_EQ(get.provenance().replica(), "us-east-1/a");
  EXPECT_EQ(get.provenance().gateway_region(), "us-east-1");

  v1::PutRequest put;
  put.set_namespace_("orders");
  put.set_id("o-1");
  put.set_value("v");
  v1::PutResponse put_response;
  ASSERT_TRUE(Put(put, &put_response).ok());
  EXPECT_EQ(put_response.session_token(), "token");
  EXPECT_EQ(put_response.provenance().attempts(), 1);

  v1::DeleteRequest erase;
  erase.set_namespace_("orders");
  erase.set_id("o-1");
  v1::DeleteResponse erased;
  grpc::ClientContext delete_context;
  ASSERT_TRUE(stub_->Delete(&delete_context, erase, &erased).ok());
  EXPECT_EQ(erased.version().hybrid_time(), 7);

  v1::MutateRequest mutate;
  mutate.set_namespace_("orders");
  mutate.set_id("o-1");
  mutate.add_changes()->set_put("v");
  v1::MutateResponse mutated;
  grpc::ClientContext mutate_context;
  ASSERT_TRUE(stub_->Mutate(&mutate_context, mutate, &mutated).ok());
  EXPECT_EQ(mutated.provenance().region(), "us-east-1");

  v1::BatchGetRequest batch;
  batch.set_namespace_("orders");
  batch.add_names()->set_id("o-1");
  batch.add_names()->set_id("o-2");
  v1::BatchGetResponse results;
  grpc::ClientContext batch_context;
  ASSERT_TRUE(stub_->BatchGet(&batch_context, batch, &results).ok());
  EXPECT_EQ(results.results_size(), 2);

  v1::ListItemsRequest items;
  items.set_namespace_("orders");
  items.set_id("o-1");
  v1::ListItemsResponse items_page;
  grpc::ClientContext items_context;
  ASSERT_TRUE(stub_->ListItems(&items_context, items, &items_page).ok());
  EXPECT_EQ(items_page.items(0).key(), "k");

  v1::ListRecordsRequest records;
  records.set_namespace_("orders");
  v1::ListRecordsResponse records_page;
  grpc::ClientContext records_context;
  ASSERT_TRUE(stub_->ListRecords(&records_context, records, &records_page).ok());
  EXPECT_EQ(records_page.ids(0), "o-1");
  EXPECT_EQ(records_page.provenance().region(), "us-east-1");

  const std::vector<internal::v1::StoreRequest> seen = world_.store(kUs).requests();
  ASSERT_EQ(seen.size(), 7);
  EXPECT_EQ(seen[1].mutate().changes(0).put(), "v");
  EXPECT_TRUE(seen[2].mutate().changes(0).delete_());
}

TEST_F(PublicServerTest, ErrorsCarryTheirCodeAndErrorInfo) {
  Start();
  const absl::Status errors[] = {
      MakeError(absl::StatusCode::kInvalidArgument, reason::kTokenInvalid, "a", {{"field", "f"}}),
      MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown, "b", {{"namespace", "n"}}),
      MakeError(absl::StatusCode::kFailedPrecondition, reason::kTokenForeign, "c",
                {{"cluster", "x"}}),
      MakeError(absl::StatusCode::kResourceExhausted, reason::kDiskFull, "d", {{"path", "/p"}}),
      MakeError(absl::StatusCode::kPermissionDenied, "SOMETHING", "e"),
  };
  for (const absl::Status& error : errors) {
    world_.store(kUs).AnswerWith(error);
    v1::PutRequest put;
    put.set_namespace_("orders");
    put.set_id("o-1");
    put.mutable_options()->set_local_only(true);
    const grpc::Status status = Put(put);
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(error.code()));
    EXPECT_EQ(status.error_message(), std::string(error.message()));
    const absl::Status details = DetailsOf(status);
    EXPECT_EQ(details.code(), error.code());
    EXPECT_EQ(ReasonOf(details), ReasonOf(error));
  }
}

TEST_F(PublicServerTest, LimitsAreAnsweredByNamingTheField) {
  Start();
  v1::PutRequest put;
  put.set_namespace_("orders");
  put.set_id("o-1");
  put.set_value(std::string(kValueBytesMax, 'v'));
  EXPECT_TRUE(Put(put).ok());
  put.mutable_value()->push_back('v');
  const absl::Status error = DetailsOf(Put(put));
  EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(error), reason::kLimitExceeded);
  EXPECT_EQ(ErrorMetadataOf(error, "field"), "value");
  EXPECT_EQ(ErrorMetadataOf(error, "limit"), "1048576");
  EXPECT_EQ(ErrorMetadataOf(error, "actual"), "1048577");
}

TEST_F(PublicServerTest, TheLargestMutationIsTakenAndOneBytePastItNamed) {
  Start();
  v1::MutateRequest mutate;
  mutate.set_namespace_("orders");
  mutate.set_id(std::string(kIdBytesMax, 'i'));
  mutate.mutable_options()->set_session_token(std::string(kSessionTokenBytesMax, 't'));
  size_t left = kMutationBytesMax;
  for (int i = 0; i < static_cast<int>(kMutationChangesMax); ++i) {
    v1::Change* change = mutate.add_changes();
    change->set_key(absl::StrCat("k", i));
    left -= change->key().size();
    const size_t value = std::min<size_t>(left, i < 4 ? kValueBytesMax - 5000 : 12);
    change->set_put(std::string(value, 'v'));
    left -= value;
  }
  *mutate.mutable_changes(0)->mutable_put() += std::string(left, 'v');
  for (const bool past : {false, true}) {
    if (past) mutate.mutable_changes(4)->mutable_put()->push_back('v');
    v1::MutateResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Mutate(&context, mutate, &response);
    if (!past) {
      EXPECT_TRUE(status.ok()) << status.error_message();
    } else {
      EXPECT_EQ(ReasonOf(DetailsOf(status)), reason::kLimitExceeded) << status.error_message();
    }
  }
}

TEST_F(PublicServerTest, AMessageLongerThanAnyRequestIsRefused) {
  Start();
  v1::PutRequest put;
  put.set_namespace_("orders");
  put.set_id("o-1");
  put.set_value(std::string(kRequestMessageBytesMax, 'v'));
  const grpc::Status status = Put(put);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("larger than max"));
  EXPECT_TRUE(Get(GetOf("o-1")).ok());
}

TEST_F(PublicServerTest, BytesThatAreNoRequestAreAnInvalidArgument) {
  Start();
  grpc::GenericStub generic(channel_);
  for (const std::string& bytes : {std::string("\xff\xff\xff"), std::string("\x12\x01\xff")}) {
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::ClientContext context;
    grpc::Status status;
    absl::Notification done;
    generic.UnaryCall(&context, "/homeport.v1.KeyValue/Get", {}, &request, &response,
                      [&](grpc::Status answer) {
                        status = std::move(answer);
                        done.Notify();
                      });
    done.WaitForNotification();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(ErrorMetadataOf(DetailsOf(status), "field"), "request");
  }
}

TEST_F(PublicServerTest, TheLocatorAnswersForTheCallerAndForOthers) {
  Start();
  const auto locator = v1::Locator::NewStub(channel_);
  v1::LocateRequest request;
  v1::LocateResponse response;
  grpc::ClientContext own;
  ASSERT_TRUE(locator->Locate(&own, request, &response).ok());
  EXPECT_EQ(response.address(), "127.0.0.1");
  EXPECT_EQ(response.source(), v1::PLACE_SOURCE_RESERVED);

  request.set_address("198.51.100.9");
  grpc::ClientContext other;
  ASSERT_TRUE(locator->Locate(&other, request, &response).ok());
  EXPECT_EQ(response.region(), "eu-central-1");

  request.set_address("nowhere");
  grpc::ClientContext bad;
  EXPECT_EQ(ReasonOf(DetailsOf(locator->Locate(&bad, request, &response))),
            reason::kAddressInvalid);

  v1::ExplainRouteRequest route;
  route.set_namespace_("orders");
  v1::ExplainRouteResponse explained;
  grpc::ClientContext explain;
  ASSERT_TRUE(locator->ExplainRoute(&explain, route, &explained).ok());
  EXPECT_EQ(explained.candidates_size(), 3);
}

TEST_F(PublicServerTest, ForwardedAddressesAreBelievedFromTrustedPeersOnly) {
  Start();
  const auto region = [this] {
    grpc::ClientContext context;
    context.AddMetadata("x-forwarded-for", "203.0.113.9");
    context.AddMetadata("x-forwarded-for", "198.51.100.9");
    v1::GetResponse response;
    EXPECT_TRUE(stub_->Get(&context, GetOf("o-1"), &response).ok());
    return response.provenance().region();
  };
  EXPECT_EQ(region(), "us-east-1");
  world_.gateway().SetState(world_.MakeState(WorldTopology(), "127.0.0.0/8"));
  EXPECT_EQ(region(), "eu-central-1");
}

TEST_F(PublicServerTest, AdminTellsStatusAndNamespaces) {
  status_.version = "1.2.3";
  Start();
  const auto admin = v1::Admin::NewStub(channel_);
  v1::GetStatusResponse status;
  grpc::ClientContext status_context;
  ASSERT_TRUE(admin->GetStatus(&status_context, {}, &status).ok());
  EXPECT_EQ(status.version(), "1.2.3");
  EXPECT_EQ(status.regions_size(), 3);
  v1::ListNamespacesResponse namespaces;
  grpc::ClientContext list_context;
  ASSERT_TRUE(admin->ListNamespaces(&list_context, {}, &namespaces).ok());
  EXPECT_EQ(namespaces.namespaces_size(), 3);
}

TEST_F(PublicServerTest, TheCallersDeadlineReachesTheStore) {
  Start();
  const SteadyTime before = clock_.SteadyNow();
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Hours(1)));
  v1::GetResponse response;
  v1::PutRequest put;
  put.set_namespace_("orders");
  put.set_id("o-1");
  v1::PutResponse put_response;
  ASSERT_TRUE(stub_->Put(&context, put, &put_response).ok());
  const SteadyTime deadline = world_.store(kUs).deadlines().front();
  EXPECT_GT(deadline, before + absl::Minutes(59));
  EXPECT_LT(deadline, before + absl::Minutes(61));
}

TEST_F(PublicServerTest, CancellationReachesTheStore) {
  Start();
  world_.store(kUs).Hold();
  grpc::ClientContext context;
  grpc::Status status;
  std::thread client([&] {
    v1::GetResponse response;
    status = stub_->Get(&context, GetOf("o-1"), &response);
  });
  ScriptedStore::Call call = std::move(world_.store(kUs).TakeHeld(1).front());
  absl::Notification cancelled;
  call.context.cancellation->OnCancel([&cancelled] { cancelled.Notify(); });
  context.TryCancel();
  cancelled.WaitForNotification();
  call.done(absl::CancelledError("the caller cancelled"));
  client.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(PublicServerTest, OneMoreThanTheLimitInFlightIsOverloaded) {
  options_.in_flight_max = 2;
  Start();
  world_.store(kUs).Hold();
  std::vector<grpc::Status> statuses(2);
  std::vector<std::thread> clients;
  for (grpc::Status& status : statuses) {
    clients.emplace_back([this, &status] { status = Get(GetOf("o-1")); });
  }
  std::vector<ScriptedStore::Call> held = world_.store(kUs).TakeHeld(2);
  const absl::Status error = DetailsOf(Get(GetOf("o-2")));
  EXPECT_EQ(error.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(error), reason::kOverloaded);
  EXPECT_EQ(RetryDelayOf(error), absl::Milliseconds(100));
  // The other services stay answerable.
  v1::GetStatusResponse status;
  grpc::ClientContext status_context;
  EXPECT_TRUE(v1::Admin::NewStub(channel_)->GetStatus(&status_context, {}, &status).ok());

  for (ScriptedStore::Call& call : held) world_.store(kUs).Answer(std::move(call));
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(statuses[0].ok() && statuses[1].ok());
  std::thread after([this] { EXPECT_TRUE(Get(GetOf("o-3")).ok()); });
  world_.store(kUs).Answer(std::move(world_.store(kUs).TakeHeld(1).front()));
  after.join();
}

TEST_F(PublicServerTest, LargeAnswersBeyondWhatMayWaitForReadersAreOverloadedAndSmallOnesAreNot) {
  options_.answer_bytes_max = 50'000;
  Start();
  // The answer has the keys of the request.
  const auto read = [this](int keys) {
    v1::BatchGetRequest request;
    request.set_namespace_("orders");
    for (int i = 0; i < keys; ++i) {
      v1::ItemName* name = request.add_names();
      name->set_id("o-1");
      name->set_key(std::string(1000, static_cast<char>('!' + i)));
    }
    grpc::ClientContext context;
    v1::BatchGetResponse response;
    return stub_->BatchGet(&context, request, &response);
  };
  const grpc::Status refused = read(60);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(DetailsOf(refused)), reason::kOverloaded);
  // What was sent does not count any more, though the client may hear of it before the server does.
  for (int i = 0; i < 10; ++i) {
    grpc::Status status = read(40);
    while (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) status = read(40);
    EXPECT_TRUE(status.ok());
  }
  EXPECT_TRUE(read(1).ok());
}

TEST_F(PublicServerTest, MoreRequestsInFlightThanCallsWaitAreAllServed) {
  Start();
  world_.store(kUs).Hold();
  constexpr int kCalls = 300;
  grpc::CompletionQueue queue;
  struct Pending {
    grpc::ClientContext context;
    v1::GetResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::GetResponse>> reader;
  };
  std::vector<Pending> pending(kCalls);
  for (Pending& p : pending) {
    p.reader = stub_->AsyncGet(&p.context, GetOf("o-1"), &queue);
    p.reader->Finish(&p.response, &p.status, &p);
  }
  for (ScriptedStore::Call& call : world_.store(kUs).TakeHeld(kCalls)) {
    world_.store(kUs).Answer(std::move(call));
  }
  for (int i = 0; i < kCalls; ++i) {
    void* tag;
    bool ok;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(static_cast<Pending*>(tag)->status.ok());
  }
  queue.Shutdown();
}

TEST_F(PublicServerTest, ABusyPortIsAnErrorThatNamesTheAddress) {
  Start();
  PublicServerOptions options;
  options.address = absl::StrCat("127.0.0.1:", server_->port());
  const auto second = PublicServer::Listen(options, &world_.gateway(), {},
                                           std::make_shared<prometheus::Registry>());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(second.status()), reason::kListenFailed);
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr(options.address));
}

TEST_F(PublicServerTest, ShutdownWaitsForRequestsInFlight) {
  Start();
  world_.store(kUs).Hold();
  grpc::Status status;
  std::thread client([&] { status = Get(GetOf("o-1")); });
  ScriptedStore::Call call = std::move(world_.store(kUs).TakeHeld(1).front());
  std::thread stopper([this] { server_->Shutdown(absl::Hours(1)); });
  // New connections are refused once the server has stopped listening.
  grpc::Status refused;
  do {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    refused = v1::Admin::NewStub(NewChannel())->GetStatus(&context, {}, &response);
  } while (refused.ok());
  // gRPC ends a call that it had taken from the connection, but not handed over, as CANCELLED.
  EXPECT_THAT(refused.error_code(),
              testing::AnyOf(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED));
  world_.store(kUs).Answer(std::move(call));
  stopper.join();
  client.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(PublicServerTest, ShutdownCancelsWhatDoesNotEndInTime) {
  Start();
  world_.store(kUs).Hold();
  grpc::Status status;
  std::thread client([&] { status = Get(GetOf("o-1")); });
  ScriptedStore::Call call = std::move(world_.store(kUs).TakeHeld(1).front());
  call.context.cancellation->OnCancel(
      [&call] { call.done(absl::CancelledError("the caller cancelled")); });
  server_->Shutdown(absl::ZeroDuration());
  client.join();
  EXPECT_FALSE(status.ok());
}

// A connection of which nobody reads beyond the server's settings.
class SilentConnection {
 public:
  explicit SilentConnection(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    // RFC 9113, section 3.4: the preface and an empty SETTINGS frame.
    constexpr absl::string_view kHello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
    EXPECT_EQ(write(socket_, kHello.data(), kHello.size()), static_cast<ssize_t>(kHello.size()));
    char settings[9];
    EXPECT_EQ(read(socket_, settings, sizeof(settings)), static_cast<ssize_t>(sizeof(settings)));
  }
  ~SilentConnection() { close(socket_); }

 private:
  const int socket_;
};

TEST_F(PublicServerTest, ShutdownDoesNotWaitForAConnectionThatNobodyReads) {
  Start();
  const SilentConnection connection(server_->port());
  server_->Shutdown(absl::Hours(1));
}

TEST_F(PublicServerTest, AnUnusedServerShutsDown) {
  Start();
  server_->Shutdown(absl::Hours(1));
  server_->Shutdown(absl::Hours(1));
  server_.reset();
}

TEST_F(PublicServerTest, RequestsAreCountedByMethodCodeReasonAndRoute) {
  Start();
  EXPECT_TRUE(Get(GetOf("o-1")).ok());
  EXPECT_TRUE(Get(GetOf("o-2")).ok());
  EXPECT_FALSE(Get(GetOf("")).ok());
  EXPECT_EQ(Counted("homeport_gateway_requests_total", "method", "Get"), 3);
  EXPECT_EQ(Counted("homeport_gateway_requests_total", "code", "OK"), 2);
  EXPECT_EQ(Counted("homeport_gateway_requests_total", "reason", "FIELD_INVALID"), 1);
  EXPECT_EQ(Counted("homeport_gateway_routes_total", "reason", "GATEWAY_REGION"), 2);
}

}  // namespace
}  // namespace homeport
