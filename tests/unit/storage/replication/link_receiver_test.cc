#include "storage/replication/link_receiver.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using internal::v1::OriginReport;
using internal::v1::PullRequest;
using internal::v1::PullResponse;

const ReplicaName kSelf("eu-west/a");
const ReplicaName kPeer("us-east/a");
const Origin kOwn{1};
const Origin kPeers{2};
const absl::Time kWall = absl::FromUnixSeconds(1'700'000'000);

void Report(OriginReport* report, Origin origin, uint64_t received, const ReplicaName& replica) {
  report->set_origin(origin.value());
  report->set_received(received);
  report->set_applied(received);
  report->set_replica(replica.value());
}

class LinkReceiverTest : public testing::Test {
 protected:
  LinkReceiverTest() {
    view_.self = kOwn;
    view_.origins.resize(2);
    view_.origins[0].origin = kOwn;
    view_.origins[0].received = view_.origins[0].applied = Sequence(5);
    view_.origins[1].origin = kPeers;
    view_.origins[1].received = Sequence(3);
    view_.origins[1].applied = Sequence(2);
    view_.origins[1].replica = std::make_shared<const ReplicaName>(kPeer);
  }
  PullResponse HelloFrom(const std::string& cluster, const ReplicaName& replica,
                         uint64_t received = 3) {
    PullResponse response;
    response.mutable_hello()->set_cluster(cluster);
    response.mutable_hello()->set_replica(replica.value());
    Report(response.mutable_hello()->add_origins(), kPeers, received, kPeer);
    return response;
  }
  void Establish(uint64_t received = 3) {
    receiver_.OnConnected("topology", view_, kWall);
    const absl::Status status = Take(HelloFrom("prod", kPeer, received));
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::Status Take(const PullResponse& response) {
    return receiver_.OnResponse(response, SteadyTime());
  }
  PullResponse BatchOf(size_t bytes) {
    PullResponse response;
    response.mutable_batch()->set_block(std::string(bytes, 'b'));
    return response;
  }
  v1::LinkStatus Status() { return receiver_.Status(view_, kWall); }

  ReplicaView view_;
  LinkReceiver receiver_{{"prod", kSelf, kPeer, /*credit_bytes=*/1600, /*streaming_entries=*/10}};
};

TEST_F(LinkReceiverTest, TheFirstMessageSaysWhoThisIsWhatItHasAndGrantsTheWindow) {
  const PullRequest request = receiver_.OnConnected("topology", view_, kWall);
  EXPECT_EQ(request.hello().cluster(), "prod");
  EXPECT_EQ(request.hello().replica(), kSelf.value());
  EXPECT_EQ(request.hello().topology_fingerprint(), "topology");
  ASSERT_EQ(request.hello().origins_size(), 2);
  EXPECT_EQ(request.hello().origins(1).received(), 3u);
  EXPECT_EQ(request.hello().origins(1).applied(), 2u);
  EXPECT_EQ(request.credit_bytes(), 1600u);
}

TEST_F(LinkReceiverTest, APeerThatDoesNotBeginWithAHelloIsRefused) {
  receiver_.OnConnected("topology", view_, kWall);
  EXPECT_EQ(Take(BatchOf(1)).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(receiver_.established());
  // Also on the second stream of a peer that was known before.
  Establish();
  receiver_.OnDisconnected(absl::UnavailableError("cut"));
  receiver_.OnConnected("topology", view_, kWall);
  EXPECT_EQ(Take(BatchOf(1)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(LinkReceiverTest, AStrangerIsNotTakenForThePeer) {
  for (const auto& [cluster, replica] : {std::pair<std::string, ReplicaName>("staging", kPeer),
                                         {"prod", ReplicaName("us-east/b")}}) {
    receiver_.OnConnected("topology", view_, kWall);
    const absl::Status status = Take(HelloFrom(cluster, replica));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), cluster)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), replica.value())) << status;
    EXPECT_FALSE(receiver_.established());
    EXPECT_TRUE(receiver_.peer_origins().empty());
  }
}

TEST_F(LinkReceiverTest, EachRefusalIsAStateOfTheLinkAndIsShownInThePeersWords) {
  const std::pair<internal::v1::LinkRefusal, v1::LinkState> cases[] = {
      {internal::v1::LINK_REFUSAL_OTHER_CLUSTER, v1::LINK_STATE_PAUSED},
      {internal::v1::LINK_REFUSAL_NOT_A_MEMBER, v1::LINK_STATE_FENCED},
      {internal::v1::LINK_REFUSAL_LOG_TRUNCATED, v1::LINK_STATE_SNAPSHOT_NEEDED},
      {internal::v1::LINK_REFUSAL_DAMAGED, v1::LINK_STATE_PAUSED},
  };
  for (const auto& [refusal, state] : cases) {
    receiver_.OnConnected("topology", view_, kWall);
    PullResponse response;
    response.set_refusal(refusal);
    response.set_refusal_detail("the detail");
    const absl::Status refused = Take(response);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
    receiver_.OnDisconnected(refused);
    EXPECT_EQ(Status().state(), state);
    EXPECT_TRUE(absl::StrContains(Status().reason(), "the detail")) << Status().reason();
  }
  Establish();  // the peer has changed its mind
  EXPECT_EQ(Status().state(), v1::LINK_STATE_STREAMING);
  EXPECT_EQ(Status().reason(), "");
}

TEST_F(LinkReceiverTest, OnlyWhatMovedIsAcknowledged) {
  Establish();
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
  view_.origins[1].applied = Sequence(3);
  auto request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->credit_bytes(), 0u);
  ASSERT_EQ(request->acknowledged_size(), 1);
  EXPECT_EQ(request->acknowledged(0).origin(), kPeers.value());
  EXPECT_EQ(request->acknowledged(0).received(), 3u);
  EXPECT_EQ(request->acknowledged(0).applied(), 3u);
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
}

TEST_F(LinkReceiverTest, WhatThePeerDoesNotGiveIsAcknowledgedTwiceASecond) {
  Establish();
  const auto acknowledged = [this] {
    auto request = receiver_.NextRequest(view_);
    std::vector<uint64_t> origins;
    if (!request) return origins;
    for (const OriginReport& report : request->acknowledged()) origins.push_back(report.origin());
    return origins;
  };
  view_.origins[0].applied = view_.origins[0].received = Sequence(6);
  EXPECT_EQ(acknowledged(), std::vector<uint64_t>{kOwn.value()});
  view_.origins[0].applied = view_.origins[0].received = Sequence(7);
  EXPECT_TRUE(acknowledged().empty());
  view_.origins[1].applied = Sequence(3);
  EXPECT_EQ(acknowledged(), std::vector<uint64_t>{kPeers.value()});
  view_.steady += absl::Milliseconds(499);
  EXPECT_TRUE(acknowledged().empty());
  view_.steady += absl::Milliseconds(1);
  EXPECT_EQ(acknowledged(), std::vector<uint64_t>{kOwn.value()});
  // What it is asked for from now on begins behind what is here.
  view_.origins[0].applied = view_.origins[0].received = Sequence(8);
  receiver_.WantRelay({{kOwn, Sequence(8)}});
  EXPECT_EQ(acknowledged(), std::vector<uint64_t>{kOwn.value()});
  view_.origins[0].applied = view_.origins[0].received = Sequence(9);
  EXPECT_EQ(acknowledged(), std::vector<uint64_t>{kOwn.value()});
}

TEST_F(LinkReceiverTest, NothingIsSaidBeforeThePeersHello) {
  receiver_.OnConnected("topology", view_, kWall);
  view_.origins[1].applied = Sequence(3);
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
}

TEST_F(LinkReceiverTest, CreditIsGrantedAgainOnceWhatUsedItIsCommitted) {
  Establish();
  ASSERT_TRUE(Take(BatchOf(500)).ok());
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
  EXPECT_EQ(Status().pending_bytes(), 500u);
  receiver_.OnCommitted(500, 4, SteadyTime());
  auto request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->credit_bytes(), 500u);
  EXPECT_EQ(Status().pending_bytes(), 0u);
  EXPECT_EQ(Status().entries_received(), 4u);
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
}

TEST_F(LinkReceiverTest, SmallCreditsAreSavedUp) {
  Establish();
  ASSERT_TRUE(Take(BatchOf(120)).ok());
  receiver_.OnCommitted(60, 1, SteadyTime());
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
  receiver_.OnCommitted(60, 1, SteadyTime());
  auto request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->credit_bytes(), 120u);
}

TEST_F(LinkReceiverTest, ANewStreamBeginsWithTheWholeWindowAndNothingUnderWay) {
  Establish();
  ASSERT_TRUE(Take(BatchOf(500)).ok());
  receiver_.OnDisconnected(absl::UnavailableError("cut"));
  EXPECT_EQ(Status().state(), v1::LINK_STATE_CONNECTING);
  EXPECT_EQ(Status().reason(), "cut");
  EXPECT_EQ(receiver_.OnConnected("topology", view_, kWall).credit_bytes(), 1600u);
  EXPECT_EQ(Status().pending_bytes(), 0u);
  ASSERT_TRUE(Take(HelloFrom("prod", kPeer)).ok());
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
  EXPECT_EQ(Status().connects(), 2u);
}

TEST_F(LinkReceiverTest, ALinkFarBehindCatchesUpAndOneCloseBehindStreams) {
  Establish(/*received=*/12);
  EXPECT_EQ(Status().lag_entries(), 10u);
  EXPECT_EQ(Status().state(), v1::LINK_STATE_STREAMING);
  PullResponse response;
  Report(response.mutable_heartbeat()->add_origins(), kPeers, 13, kPeer);
  // Of another replica's origin, which this link does not bring.
  Report(response.mutable_heartbeat()->add_origins(), Origin(9), 1000, ReplicaName("x/a"));
  ASSERT_TRUE(Take(response).ok());
  EXPECT_EQ(Status().lag_entries(), 11u);
  EXPECT_EQ(Status().state(), v1::LINK_STATE_CATCHING_UP);
}

TEST_F(LinkReceiverTest, ALinkThatSeedsSaysWhichNamespaceAndHowFarUntilThatIsDone) {
  auto seeding = std::make_shared<SeedView>();
  seeding->generation = 1;
  NamespaceSeeding& all = seeding->namespaces.emplace_back();
  all.name = "all";
  all.items = 30;
  all.items_total = 90;
  all.bytes = 4000;
  view_.seeding = seeding;
  Establish(/*received=*/1000);
  EXPECT_EQ(Status().state(), v1::LINK_STATE_CATCHING_UP);  // nobody asked this peer yet
  receiver_.seeds().Want("all");
  const auto request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->seed().namespace_(), "all");
  EXPECT_EQ(Status().state(), v1::LINK_STATE_SEEDING);
  EXPECT_EQ(Status().reason(), "taking in namespace 'all'");
  EXPECT_EQ(Status().seed_namespace(), "all");
  EXPECT_EQ(Status().seed_items(), 30u);
  EXPECT_EQ(Status().seed_items_total(), 90u);
  EXPECT_EQ(Status().seed_bytes(), 4000u);
  auto done = std::make_shared<SeedView>(*seeding);
  done->namespaces[0].place = SeedEnd();
  view_.seeding = done;
  EXPECT_EQ(Status().state(), v1::LINK_STATE_CATCHING_UP);
}

TEST_F(LinkReceiverTest, TheLagIsTheAgeOfThePeersWatermark) {
  Establish();
  EXPECT_FALSE(Status().has_lag());  // nothing is known of it yet
  view_.origins[1].watermark = FromWallTime(kWall - absl::Milliseconds(1250));
  EXPECT_EQ(Status().lag().seconds(), 1);
  EXPECT_EQ(Status().lag().nanos(), 250'000'000);
  view_.origins[1].watermark = FromWallTime(kWall + absl::Milliseconds(5));  // a clock ahead
  EXPECT_EQ(Status().lag().seconds(), 0);
  EXPECT_EQ(Status().lag().nanos(), 0);
}

TEST_F(LinkReceiverTest, AnOriginThatThePeerCanNotSendOnPausesTheLinkUntilItMoves) {
  Establish();
  PullResponse response;
  response.add_not_from_me()->set_origin(kPeers.value());
  response.mutable_not_from_me(0)->set_sequence(3);
  ASSERT_TRUE(Take(response).ok());
  EXPECT_TRUE(receiver_.NotFromPeer(kPeers, Sequence(3)));
  EXPECT_EQ(Status().state(), v1::LINK_STATE_PAUSED);
  EXPECT_TRUE(absl::StrContains(Status().reason(), "entry 3")) << Status().reason();
  view_.origins[1].received = Sequence(4);  // another peer has sent it
  EXPECT_FALSE(receiver_.NotFromPeer(kPeers, Sequence(4)));
  EXPECT_EQ(Status().state(), v1::LINK_STATE_STREAMING);
}

TEST_F(LinkReceiverTest, RelaysAreAskedForOnceAndFromWhereThisSideIsByThen) {
  Establish();
  receiver_.WantRelay({{kPeers, Sequence(1)}});
  auto request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  ASSERT_EQ(request->relay().after_size(), 1);
  EXPECT_EQ(request->relay().after(0).origin(), kPeers.value());
  EXPECT_EQ(request->relay().after(0).sequence(), 3u);
  receiver_.WantRelay({{kPeers, Sequence(3)}});
  EXPECT_FALSE(receiver_.NextRequest(view_).has_value());
  receiver_.WantRelay({});
  request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value() && request->has_relay());
  EXPECT_EQ(request->relay().after_size(), 0);
}

TEST_F(LinkReceiverTest, AnOriginThatIsRefusedPausesTheLinksStateAndNotTheLink) {
  Establish();
  ASSERT_TRUE(receiver_.OnRefused(kPeers, absl::PermissionDeniedError("may not hold it")).ok());
  EXPECT_EQ(Status().state(), v1::LINK_STATE_PAUSED);
  EXPECT_TRUE(absl::StrContains(Status().reason(), "may not hold it")) << Status().reason();
  EXPECT_TRUE(absl::StrContains(Status().reason(), kPeer.value())) << Status().reason();
  auto request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  ASSERT_EQ(request->hold_size(), 1);
  EXPECT_TRUE(receiver_.established());
  view_.origins[1].received = view_.origins[1].applied = Sequence(4);
  request = receiver_.NextRequest(view_);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->resume_size(), 1);
  EXPECT_EQ(Status().state(), v1::LINK_STATE_STREAMING);
}

}  // namespace
}  // namespace homeport
