// Links that are slow, cut, or swallow everything: nobody waits, and all converge.
#include "absl/strings/str_cat.h"
#include "tests/integration/world_fixture.h"

namespace homeport {
namespace {

std::vector<int> AllOf(const World& world) {
  std::vector<int> regions;
  for (int region = 0; region < world.size(); ++region) regions.push_back(region);
  return regions;
}

v1::PutRequest NamedPut(const std::string& id, v1::RegionChoice choice) {
  v1::PutRequest request;
  request.set_namespace_("demo");
  request.set_id(id);
  request.set_value("v");
  request.mutable_options()->set_region_choice(choice);
  request.mutable_options()->set_request_id(NewRequestId());
  return request;
}

class LinksTest : public WorldTest {
 protected:
  // Writers go on while `how` breaks the link; after healing all are equal.
  void BreakAndHeal(LinkFailure how) {
    StartWorld(SmallWorld(3));
    if (HasFatalFailure()) return;
    auto writers = StartWriters();
    ASSERT_TRUE(AwaitProgress(writers, 10));
    for (int cycle = 0; cycle < 2; ++cycle) {
      world_->Break(0, 1, how);
      ASSERT_TRUE(AwaitProgress(writers, 30));
      world_->Break(0, 2, how);
      ASSERT_TRUE(AwaitProgress(writers, 30));
      world_->HealAll();
      ASSERT_TRUE(AwaitProgress(writers, 10));
    }
    for (auto& writer : writers) {
      writer->Stop();
      EXPECT_EQ(writer->failures(), 0u) << writer->record();
    }
    AwaitEqual(AllOf(*world_), writers);
  }
};

TEST_F(LinksTest, FiveRegionsOnFiveContinentsConverge) {
  StartWorld(SmallWorld(5));
  if (HasFatalFailure()) return;
  auto writers = StartWriters();
  ASSERT_TRUE(AwaitProgress(writers, 100));
  for (auto& writer : writers) {
    writer->Stop();
    EXPECT_EQ(writer->failures(), 0u) << writer->record();
  }
  AwaitEqual(AllOf(*world_), writers);
}

TEST_F(LinksTest, BothSidesOfACutGoOnAndAreEqualAfterHealing) { BreakAndHeal(LinkFailure::kCut); }

TEST_F(LinksTest, BothSidesOfABlackHoleGoOnAndAreEqualAfterHealing) {
  BreakAndHeal(LinkFailure::kBlackHole);
}

TEST_F(LinksTest, ALinkThatLosesOneWayOnlyIsNoticedAndHeals) {
  StartWorld(SmallWorld(2));
  if (HasFatalFailure()) return;
  auto writers = StartWriters();
  ASSERT_TRUE(AwaitProgress(writers, 10));
  world_->BreakOneWay(0, 1);
  ASSERT_TRUE(AwaitProgress(writers, 50));
  world_->HealAll();
  for (auto& writer : writers) writer->Stop();
  AwaitEqual({0, 1}, writers);
}

TEST_F(LinksTest, ACutBetweenTwoRegionsIsHealedThroughAThird) {
  StartWorld(SmallWorld(3));
  if (HasFatalFailure()) return;
  auto writers = StartWriters();
  ASSERT_TRUE(AwaitProgress(writers, 10));
  world_->Break(0, 1, LinkFailure::kCut);
  ASSERT_TRUE(AwaitProgress(writers, 30));
  for (auto& writer : writers) writer->Stop();
  AwaitEqual({0, 1, 2}, writers);
}

TEST_F(LinksTest, AnIsolatedRegionServesItsClientsAndOthersServeTheirs) {
  StartWorld(SmallWorld(3));
  if (HasFatalFailure()) return;
  ASSERT_TRUE(Client(0).Put(NamedPut("before", v1::REGION_CHOICE_GATEWAY)).ok());
  world_->Isolate(2, LinkFailure::kCut);
  for (int region = 0; region < 3; ++region) {
    const std::string id = absl::StrCat("during-", region);
    auto put = Client(region).Put(NamedPut(id, v1::REGION_CHOICE_GATEWAY));
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(put->provenance().region(), world_->regions()[region].name);
    EXPECT_EQ(put->provenance().reason(), v1::ROUTE_REASON_GATEWAY_REGION);
    v1::GetRequest get;
    get.set_namespace_("demo");
    get.set_id(id);
    get.mutable_options()->set_region_choice(v1::REGION_CHOICE_GATEWAY);
    get.mutable_options()->set_session_token(put->session_token());
    auto read = Client(region).Get(get);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->item().value(), "v");
  }
  // What the isolated region lacks is said by its age and its links.
  ASSERT_TRUE(Await("the links shown as down", [&] {
    auto status = Client(2).GetStatus({});
    if (!status.ok() || status->replica().links_size() != 2) return false;
    for (const v1::LinkStatus& link : status->replica().links()) {
      if (link.state() != v1::LINK_STATE_CONNECTING || link.reason().empty()) return false;
    }
    return true;
  }));
  world_->HealAll();
  AwaitEqual({0, 1, 2}, {});
}

// Tokyo's client (of the region 2) at a gateway that can not reach Tokyo goes where the measured
// round trip is shortest, and not where the distance is.
TEST_F(LinksTest, FailoverGoesByMeasuredRoundTripsAndSaysSo) {
  WorldOptions options = SmallWorld(3);
  options.regions = {FiveRegions()[0], FiveRegions()[2], FiveRegions()[3]};
  options.more_yaml += "default_region: ap-northeast-1\n";
  StartWorld(std::move(options));
  if (HasFatalFailure()) return;
  GatewayClientOptions far;
  far.address = world_->gateway(1);
  far.from = "8.8.8.8";  // no database: the default region's client
  GatewayClient client(far);
  const auto region_of = [&](absl::StatusOr<v1::PutResponse> put) {
    return put.ok() ? put->provenance().region() : std::string(put.status().message());
  };
  ASSERT_TRUE(Await("the default region", [&] {
    return region_of(client.Put(NamedPut("x", v1::REGION_CHOICE_CLIENT))) == "ap-northeast-1";
  }));
  ASSERT_TRUE(world_->Kill(2).ok());
  absl::StatusOr<v1::PutResponse> put = client.Put(NamedPut("y", v1::REGION_CHOICE_CLIENT));
  ASSERT_TRUE(Await("another region", [&] {
    put = client.Put(NamedPut("y", v1::REGION_CHOICE_CLIENT));
    return put.ok();
  }));
  // The gateway's own region is nearest to the gateway.
  EXPECT_EQ(put->provenance().region(), "eu-central-1");
  EXPECT_EQ(put->provenance().reason(), v1::ROUTE_REASON_FAILOVER);
  ASSERT_TRUE(world_->Restart(2).ok());
  ASSERT_TRUE(Await("the default region again", [&] {
    return region_of(client.Put(NamedPut("z", v1::REGION_CHOICE_CLIENT))) == "ap-northeast-1";
  }));
}

}  // namespace
}  // namespace homeport
