#include "gateway/server/locate.h"

#include "gtest/gtest.h"
#include "tests/unit/gateway/server/test_world.h"

namespace homeport {
namespace {

const IpAddress kGerman = IpAddress::V4(0xc6336409);  // 198.51.100.9

// Knows one address.
class OneAddressDatabase : public GeoDatabase {
 public:
  OneAddressDatabase() {
    auto info = std::make_shared<GeoDatabaseInfo>();
    info->path = "one.mmdb";
    info->type = "One-Country";
    info->credit = "by nobody";
    info->built = absl::FromUnixSeconds(1'699'913'600);  // a day before the simulated clock
    info_ = info;
  }
  bool Lookup(const IpAddress& address, Place& place) const override {
    if (address.ToString() != "8.8.8.8") return false;
    place.country = "US";
    place.point = GeoPoint{37.7, -97.8};
    place.source = v1::PLACE_SOURCE_DATABASE;
    place.database = info_;
    return true;
  }
  const std::shared_ptr<const GeoDatabaseInfo>& info() const override { return info_; }

 private:
  std::shared_ptr<const GeoDatabaseInfo> info_;
};

class LocateTest : public testing::Test {
 protected:
  absl::StatusOr<v1::LocateResponse> Ask(const std::string& address) {
    v1::LocateRequest request;
    request.set_address(address);
    return Locate(*world_.gateway().state(), kGerman, request, world_.clock().WallNow());
  }
  absl::StatusOr<v1::ExplainRouteResponse> Explain(const v1::ExplainRouteRequest& request) {
    return ExplainRoute(*world_.gateway().state(), kGerman, request, world_.clock().WallNow(),
                        world_.clock().SteadyNow());
  }
  static v1::ExplainRouteRequest Route(const std::string& name_space) {
    v1::ExplainRouteRequest request;
    request.set_namespace_(name_space);
    return request;
  }

  TestWorld world_;
};

TEST_F(LocateTest, WithoutAnAddressTheCallersOwnIsLocated) {
  const auto response = Ask("");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->address(), "198.51.100.9");
  EXPECT_EQ(response->place().country(), "DE");
  EXPECT_EQ(response->source(), v1::PLACE_SOURCE_CIDR);
  EXPECT_EQ(response->region(), "eu-central-1");
  EXPECT_EQ(response->reason(), v1::ROUTE_REASON_NEAREST);
  EXPECT_FALSE(response->has_database());
}

TEST_F(LocateTest, AnyAddressMayBeAskedFor) {
  const auto response = Ask("::ffff:203.0.113.1");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->address(), "203.0.113.1");
  EXPECT_EQ(response->region(), "ap-southeast-2");
}

TEST_F(LocateTest, ADatabaseIsNamedWithItsAge) {
  auto state = std::make_shared<GatewayState>(*world_.gateway().state());
  state->locator = std::make_shared<GeoLocator>(
      state->router->shared_topology(), kUs,
      std::vector<std::shared_ptr<const GeoDatabase>>{std::make_shared<OneAddressDatabase>()});
  world_.gateway().SetState(state);
  const auto response = Ask("8.8.8.8");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->place().country(), "US");
  EXPECT_EQ(response->database().path(), "one.mmdb");
  EXPECT_EQ(response->database().credit(), "by nobody");
  EXPECT_EQ(response->database().age().seconds(), 86400);
  EXPECT_EQ(response->warning(), "");
}

TEST_F(LocateTest, WithoutADatabaseAWarningSaysSo) {
  const auto response = Ask("8.8.8.8");
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->source(), v1::PLACE_SOURCE_DEFAULT);
  EXPECT_EQ(response->reason(), v1::ROUTE_REASON_DEFAULT);
  EXPECT_NE(response->warning(), "");
}

TEST_F(LocateTest, TextThatIsNoAddressIsRefused) {
  const auto response = Ask("8.8.8");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(response.status()), reason::kAddressInvalid);
  EXPECT_EQ(ErrorMetadataOf(response.status(), "field"), "address");
}

TEST_F(LocateTest, OverlongTextIsRefusedUnread) {
  EXPECT_EQ(ReasonOf(Ask(std::string(128, '1')).status()), reason::kAddressInvalid);
  EXPECT_EQ(ReasonOf(Ask(std::string(129, '1')).status()), reason::kLimitExceeded);
}

TEST_F(LocateTest, ARouteIsExplainedWithEveryReplica) {
  world_.health().OnRoundTrip(Target{kEu, 0}, absl::Milliseconds(90), world_.clock().SteadyNow());
  const auto response = Explain(Route("orders"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->client().place().country(), "DE");
  EXPECT_EQ(response->reason(), v1::ROUTE_REASON_NEAREST);
  EXPECT_NE(response->route(), "");
  ASSERT_EQ(response->candidates_size(), 3);
  const v1::RouteCandidate& first = response->candidates(0);
  EXPECT_EQ(first.region(), "eu-central-1");
  EXPECT_EQ(first.replica(), "eu-central-1/a");
  EXPECT_EQ(first.order(), 1);
  EXPECT_TRUE(first.has_distance_km());
  EXPECT_TRUE(first.round_trip_measured());
  EXPECT_EQ(first.round_trip().nanos(), 90'000'000);
  EXPECT_NE(first.why(), "");
  EXPECT_EQ(response->candidates(1).region(), "us-east-1");
}

TEST_F(LocateTest, ReplicasThatDoNotHoldTheNamespaceAreExplainedAsLeftOut) {
  const auto response = Explain(Route("german"));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->candidates_size(), 3);
  EXPECT_EQ(response->candidates(0).order(), 1);
  EXPECT_EQ(response->candidates(1).order(), 0);
  EXPECT_NE(response->candidates(1).why(), "");
}

TEST_F(LocateTest, ABoundedReadIsExplainedByWhatIsPredicted) {
  const auto all_are = [this](absl::Duration age) {
    auto freshness = std::make_shared<StoreFreshness>();
    freshness->as_of = world_.clock().SteadyNow();
    for (const char* writer : {"us-east-1/a", "eu-central-1/a", "ap-southeast-2/a"}) {
      freshness->writers.push_back({writer, {.age = age}});
    }
    return freshness;
  };
  world_.store(kEu).SetFreshness(all_are(absl::Seconds(20)));
  world_.store(kUs).SetFreshness(all_are(absl::Seconds(1)));
  v1::ExplainRouteRequest request = Route("orders");
  request.set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
  EXPECT_EQ(ErrorMetadataOf(Explain(request).status(), "field"), "max_staleness");
  request.mutable_max_staleness()->set_seconds(10);
  const auto response = Explain(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->reason(), v1::ROUTE_REASON_FRESHNESS);
  EXPECT_EQ(response->candidates(0).region(), "us-east-1");
  EXPECT_EQ(response->candidates(0).order(), 1);
  ASSERT_TRUE(response->candidates(0).has_predicted());
  EXPECT_EQ(response->candidates(0).predicted().nanos(), 0);
  EXPECT_EQ(response->candidates(2).region(), "eu-central-1");
  EXPECT_FALSE(response->candidates(2).has_predicted());
  EXPECT_NE(response->candidates(2).why().find("behind others, by what is predicted of its age"),
            std::string::npos);

  request = Route("orders");
  request.set_region_choice(v1::REGION_CHOICE_FASTEST);
  const auto fastest = Explain(request);
  ASSERT_TRUE(fastest.ok()) << fastest.status();
  EXPECT_EQ(fastest->reason(), v1::ROUTE_REASON_FASTEST);
  EXPECT_EQ(fastest->candidates(0).region(), "us-east-1");
  EXPECT_TRUE(fastest->candidates(1).has_predicted());
}

TEST_F(LocateTest, ExplainRefusesWhatARequestWouldBeRefusedFor) {
  EXPECT_EQ(ReasonOf(Explain(Route("oders")).status()), reason::kNamespaceUnknown);
  EXPECT_EQ(ErrorMetadataOf(Explain(Route("")).status(), "field"), "namespace");
  v1::ExplainRouteRequest request = Route("orders");
  request.set_operation(static_cast<v1::Operation>(9));
  EXPECT_EQ(ErrorMetadataOf(Explain(request).status(), "field"), "operation");
  request = Route("orders");
  request.set_region_choice(static_cast<v1::RegionChoice>(9));
  EXPECT_EQ(ErrorMetadataOf(Explain(request).status(), "field"), "region_choice");
  request = Route("german");
  request.set_local_only(true);
  EXPECT_EQ(ReasonOf(Explain(request).status()), reason::kNoLocalReplica);
}

}  // namespace
}  // namespace homeport
