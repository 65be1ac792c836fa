#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/unit/gateway/server/server_fixture.h"

namespace homeport {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthTest : public ServerFixture {
 protected:
  // The state of a service; fails the test unless the check succeeds.
  HealthCheckResponse::ServingStatus Check(const std::string& service) {
    HealthCheckResponse response;
    const grpc::Status status = TryCheck(service, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }
  grpc::Status TryCheck(const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    return Health::NewStub(channel_)->Check(&context, request, response);
  }
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> Watch(grpc::ClientContext* context,
                                                                 const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return Health::NewStub(channel_)->Watch(context, request);
  }
  static HealthCheckResponse::ServingStatus Next(grpc::ClientReader<HealthCheckResponse>& watch) {
    HealthCheckResponse response;
    EXPECT_TRUE(watch.Read(&response));
    return response.status();
  }
};

TEST_F(HealthTest, TheServerItsServicesAndRegionsAreChecked) {
  Start();
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("homeport.v1.KeyValue"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("region/us-east-1"), HealthCheckResponse::SERVING);
  world_.health().OnConnectionLost(Target{kEu, 0}, "cut", clock_.SteadyNow());
  EXPECT_EQ(Check("region/eu-central-1"), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthTest, AnUnknownServiceIsNotFound) {
  Start();
  HealthCheckResponse response;
  EXPECT_EQ(TryCheck("region/mars", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthTest, WhileDrainingNothingServesButRequestsAreTaken) {
  Start();
  server_->BeginDrain();
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check("region/us-east-1"), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(Get(GetOf("o-1")).ok());
}

TEST_F(HealthTest, AWatchTellsTheStateAndEachChange) {
  Start();
  grpc::ClientContext context;
  auto watch = Watch(&context, "region/eu-central-1");
  EXPECT_EQ(Next(*watch), HealthCheckResponse::UNKNOWN);
  world_.health().OnRoundTrip(Target{kEu, 0}, absl::Milliseconds(90), clock_.SteadyNow());
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  world_.health().OnConnectionLost(Target{kEu, 0}, "cut", clock_.SteadyNow());
  EXPECT_EQ(Next(*watch), HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(HealthTest, AWatchOfAnUnknownServiceSaysSoAndStays) {
  Start();
  grpc::ClientContext context;
  auto watch = Watch(&context, "region/mars");
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVICE_UNKNOWN);
  internal::v1::Topology changed = WorldTopology();
  changed.mutable_regions(2)->set_name("mars");
  world_.gateway().SetState(world_.MakeState(changed));
  EXPECT_EQ(Next(*watch), HealthCheckResponse::UNKNOWN);
}

TEST_F(HealthTest, DrainingIsToldToWatchesAtOnce) {
  options_.health_watch_interval = absl::Hours(1);
  Start();
  grpc::ClientContext context;
  auto watch = Watch(&context, "");
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  server_->BeginDrain();
  EXPECT_EQ(Next(*watch), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthTest, ShutdownEndsWatches) {
  options_.health_watch_interval = absl::Hours(1);
  Start();
  grpc::ClientContext context;
  auto watch = Watch(&context, "");
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  server_->Shutdown(absl::Hours(1));
  EXPECT_EQ(Next(*watch), HealthCheckResponse::NOT_SERVING);
  HealthCheckResponse none;
  EXPECT_FALSE(watch->Read(&none));
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(DetailsOf(status)), reason::kDraining);
}

TEST_F(HealthTest, OneMoreWatchThanTheLimitIsOverloaded) {
  options_.health_watches_max = 1;
  Start();
  grpc::ClientContext first_context;
  auto first = Watch(&first_context, "");
  EXPECT_EQ(Next(*first), HealthCheckResponse::SERVING);
  grpc::ClientContext second_context;
  auto second = Watch(&second_context, "");
  HealthCheckResponse none;
  EXPECT_FALSE(second->Read(&none));
  EXPECT_EQ(ReasonOf(DetailsOf(second->Finish())), reason::kOverloaded);
}

TEST_F(HealthTest, ReflectionListsEveryService) {
  Start();
  grpc::GenericStub generic(channel_);
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  grpc::ClientContext context;
  auto stream = generic.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(wait());
  // A ServerReflectionRequest whose field 7, list_services, is the empty string.
  const grpc::Slice list_services(std::string("\x3a\x00", 2));
  stream->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
  ASSERT_TRUE(wait());
  grpc::ByteBuffer answer;
  stream->Read(&answer, nullptr);
  ASSERT_TRUE(wait());
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) text.append(slice.begin(), slice.end());
  for (const char* service : {"homeport.v1.KeyValue", "homeport.v1.Locator", "homeport.v1.Admin",
                              "grpc.health.v1.Health"}) {
    EXPECT_THAT(text, testing::HasSubstr(service));
  }
  stream->WritesDone(nullptr);
  ASSERT_TRUE(wait());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(wait());
  EXPECT_TRUE(status.ok());
  queue.Shutdown();
}

}  // namespace
}  // namespace homeport
