#include "gateway/server/admin_status.h"

#include "gateway/server/serving_state.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/server/test_world.h"

namespace homeport {
namespace {

class AdminStatusTest : public testing::Test {
 protected:
  v1::GetStatusResponse Status(const StatusSource& source) {
    return AdminStatus(*world_.gateway().state(), source, world_.clock().WallNow(),
                       world_.clock().SteadyNow());
  }
  TestWorld world_;
};

TEST_F(AdminStatusTest, EveryRegionIsShownInTheTopologysOrder) {
  StatusSource source;
  source.version = "1.2.3";
  source.started = absl::FromUnixSeconds(1000);
  const v1::GetStatusResponse status = Status(source);
  EXPECT_EQ(status.cluster(), "test");
  EXPECT_EQ(status.region(), "us-east-1");
  EXPECT_EQ(status.version(), "1.2.3");
  EXPECT_EQ(status.started().seconds(), 1000);
  EXPECT_EQ(status.topology_fingerprint().size(), 16);
  ASSERT_EQ(status.regions_size(), 3);
  EXPECT_TRUE(status.regions(0).is_self());
  EXPECT_EQ(status.regions(1).name(), "eu-central-1");
  EXPECT_FALSE(status.regions(1).is_self());
  EXPECT_EQ(status.regions(1).gateways(0), "eu.example:8080");
  ASSERT_EQ(status.regions(1).replicas_size(), 1);
  EXPECT_EQ(status.regions(1).replicas(0).name(), "eu-central-1/a");
  EXPECT_FALSE(status.has_replica());
}

TEST_F(AdminStatusTest, ALostReplicaIsShownWithItsReason) {
  world_.health().OnConnectionLost(Target{kEu, 0}, "connection refused",
                                   world_.clock().SteadyNow());
  const v1::RemoteReplicaStatus replica = Status({}).regions(1).replicas(0);
  EXPECT_EQ(replica.health(), "ejected");
  EXPECT_NE(replica.reason().find("connection refused"), std::string::npos) << replica.reason();
}

TEST_F(AdminStatusTest, TheReplicaAndWarningsComeFromTheProcess) {
  StatusSource source;
  source.replica = [] {
    v1::ReplicaStatus replica;
    replica.set_name("us-east-1/a");
    return std::make_optional(replica);
  };
  source.warnings = [] { return std::vector<std::string>{"the disk is nearly full"}; };
  const v1::GetStatusResponse status = Status(source);
  EXPECT_EQ(status.replica().name(), "us-east-1/a");
  ASSERT_EQ(status.warnings_size(), 2);  // the first: no GeoIP database
  EXPECT_EQ(status.warnings(1), "the disk is nearly full");
}

TEST_F(AdminStatusTest, NamespacesArePagedInNameOrder) {
  const Topology& topology = world_.gateway().state()->router->topology();
  v1::ListNamespacesRequest request;
  request.set_page_size(2);
  const auto first = ListNamespaces(topology, request);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->namespaces_size(), 2);
  EXPECT_EQ(first->namespaces(0).name(), "cache");
  EXPECT_EQ(first->namespaces(0).default_consistency(), v1::CONSISTENCY_LEVEL_EVENTUAL);
  EXPECT_EQ(first->namespaces(1).name(), "german");
  EXPECT_EQ(first->namespaces(1).regions_size(), 1);
  request.set_page_token(first->next_page_token());
  const auto second = ListNamespaces(topology, request);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->namespaces_size(), 1);
  EXPECT_EQ(second->namespaces(0).name(), "orders");
  EXPECT_EQ(second->namespaces(0).write_mode(), "ANY_REGION");
  EXPECT_EQ(second->namespaces(0).item_type(), "REGISTER");
  EXPECT_FALSE(second->namespaces(0).has_ttl());
  EXPECT_EQ(second->next_page_token(), "");
}

TEST_F(AdminStatusTest, BadPagesAreRefused) {
  const Topology& topology = world_.gateway().state()->router->topology();
  v1::ListNamespacesRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(ErrorMetadataOf(ListNamespaces(topology, request).status(), "field"), "page_size");
  request.set_page_size(1'000'000);
  EXPECT_TRUE(ListNamespaces(topology, request).ok());
  request.set_page_token(std::string(64, 'x'));
  EXPECT_EQ(ReasonOf(ListNamespaces(topology, request).status()), reason::kPageTokenInvalid);
}

class ServingStateTest : public AdminStatusTest {
 protected:
  using Answer = ServingState::Answer;
  ServingState serving_{&world_.gateway()};
};

TEST_F(ServingStateTest, TheProcessAndItsServicesServe) {
  for (const char* name :
       {"", "homeport.v1.KeyValue", "homeport.v1.Locator", "homeport.v1.Admin"}) {
    EXPECT_EQ(serving_.Of(name), Answer::kServing) << name;
  }
}

TEST_F(ServingStateTest, ARegionServesWhileItsReplicaIsHealthy) {
  const SteadyTime now = world_.clock().SteadyNow();
  EXPECT_EQ(serving_.Of("region/us-east-1"), Answer::kServing);
  EXPECT_EQ(serving_.Of("region/eu-central-1"), Answer::kUnknown);
  world_.health().OnRoundTrip(Target{kEu, 0}, absl::Milliseconds(90), now);
  EXPECT_EQ(serving_.Of("region/eu-central-1"), Answer::kServing);
  world_.health().OnConnectionLost(Target{kEu, 0}, "cut", now);
  EXPECT_EQ(serving_.Of("region/eu-central-1"), Answer::kNotServing);
}

TEST_F(ServingStateTest, OtherNamesAreNoService) {
  for (const char* name : {"homeport.v1.Nothing", "region/", "region/mars", "us-east-1"}) {
    EXPECT_EQ(serving_.Of(name), Answer::kNoService) << name;
  }
}

TEST_F(ServingStateTest, NothingServesWhileDraining) {
  serving_.BeginDrain();
  EXPECT_EQ(serving_.Of(""), Answer::kNotServing);
  EXPECT_EQ(serving_.Of("region/us-east-1"), Answer::kNotServing);
  EXPECT_EQ(serving_.Of("region/mars"), Answer::kNoService);
}

}  // namespace
}  // namespace homeport
