#include "gateway/server/gateway.h"

#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/server/test_world.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

constexpr absl::string_view kUsPeer = "ipv4:192.0.2.9:5000";
constexpr absl::string_view kGermanPeer = "ipv4:198.51.100.9:5000";
constexpr absl::string_view kAustralianPeer = "ipv4:203.0.113.9:5000";

StoreRequest Get(const std::string& name_space = "orders") {
  StoreRequest request;
  request.mutable_get()->set_namespace_(name_space);
  request.mutable_get()->set_id("o-1");
  return request;
}

StoreRequest Mutate() {
  StoreRequest request;
  request.mutable_mutate()->set_namespace_("orders");
  request.mutable_mutate()->set_id("o-1");
  request.mutable_mutate()->add_changes()->set_put("v");
  return request;
}

// A request given to the gateway, and what became of it.
struct Running {
  StoreRequest request;
  StoreResponse response;
  GatewayCall call;
  std::optional<absl::Status> status;
  int headers_read = 0;
};

class GatewayTest : public testing::Test {
 protected:
  std::unique_ptr<Running> Start(StoreRequest request, absl::string_view peer,
                                 HeaderList headers = {},
                                 SteadyTime deadline = absl::InfiniteDuration()) {
    auto running = std::make_unique<Running>();
    Running* r = running.get();
    r->request = std::move(request);
    r->call.request = &r->request;
    r->call.response = &r->response;
    r->call.context.deadline = deadline;
    r->call.done = [r](absl::Status status) { r->status = std::move(status); };
    world_.gateway().Execute(Caller{peer,
                                    [&](HeaderList& out) {
                                      ++r->headers_read;
                                      out = headers;
                                    }},
                             &r->call);
    return running;
  }
  // Runs a request that must succeed.
  v1::Provenance Provenance(StoreRequest request, absl::string_view peer, HeaderList headers = {}) {
    std::unique_ptr<Running> r = Start(std::move(request), peer, std::move(headers));
    EXPECT_EQ(r->status, absl::OkStatus());
    return r->response.has_mutate() ? r->response.mutate().provenance()
                                    : r->response.get().provenance();
  }

  TestWorld world_;
};

TEST_F(GatewayTest, AnAnswerSaysWhereItCameFromAndWhy) {
  const v1::Provenance provenance = Provenance(Get(), kUsPeer);
  EXPECT_EQ(provenance.region(), "us-east-1");
  EXPECT_EQ(provenance.replica(), "us-east-1/a");
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(provenance.detail(), "us-east-1 is the nearest to US");
  EXPECT_EQ(provenance.gateway_region(), "us-east-1");
  EXPECT_EQ(provenance.nearest_gateway(), "");
  EXPECT_EQ(provenance.attempts(), 1);
  EXPECT_EQ(provenance.level_met(), v1::CONSISTENCY_LEVEL_SESSION);
}

TEST_F(GatewayTest, WritesAreAnnotatedToo) {
  const v1::Provenance provenance = Provenance(Mutate(), kGermanPeer);
  EXPECT_EQ(provenance.region(), "eu-central-1");
  EXPECT_EQ(provenance.gateway_region(), "us-east-1");
  EXPECT_EQ(world_.store(kEu).requests().size(), 1);
  EXPECT_TRUE(world_.store(kUs).requests().empty());
}

TEST_F(GatewayTest, AClientNearerToAnotherGatewayIsToldItsAddress) {
  EXPECT_EQ(Provenance(Get(), kGermanPeer).nearest_gateway(), "eu.example:8080");
}

TEST_F(GatewayTest, AClientNearerToARegionWithoutGatewaysIsToldNothing) {
  const v1::Provenance provenance = Provenance(Get(), kAustralianPeer);
  EXPECT_EQ(provenance.region(), "ap-southeast-2");
  EXPECT_EQ(provenance.nearest_gateway(), "");
}

TEST_F(GatewayTest, TheNearestGatewayIsToldAlsoWhenThisRegionWasAskedFor) {
  StoreRequest request = Get();
  request.mutable_get()->mutable_options()->set_region_choice(v1::REGION_CHOICE_GATEWAY);
  const v1::Provenance provenance = Provenance(request, kGermanPeer);
  EXPECT_EQ(provenance.region(), "us-east-1");
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_GATEWAY_REGION);
  EXPECT_EQ(provenance.nearest_gateway(), "eu.example:8080");
}

TEST_F(GatewayTest, AnUnknownPlaceGoesToTheDefaultAndIsToldNoGateway) {
  const v1::Provenance provenance = Provenance(Get(), "ipv4:8.8.8.8:5000");
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_DEFAULT);
  EXPECT_EQ(provenance.region(), "us-east-1");
  EXPECT_EQ(provenance.nearest_gateway(), "");
}

TEST_F(GatewayTest, ABoundedReadGoesWhereItsBoundIsPredictedToBeMet) {
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
  StoreRequest request = Get();
  v1::ReadOptions* options = request.mutable_get()->mutable_options();
  options->set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
  options->mutable_max_staleness()->set_seconds(30);
  EXPECT_EQ(Provenance(request, kGermanPeer).region(), "eu-central-1");
  options->mutable_max_staleness()->set_seconds(10);
  const v1::Provenance provenance = Provenance(request, kGermanPeer);
  EXPECT_EQ(provenance.region(), "us-east-1");
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_FRESHNESS);
  EXPECT_EQ(provenance.attempts(), 1);
  EXPECT_EQ(provenance.detail(),
            "eu-central-1 is further behind or away than was asked for; us-east-1 was predicted to "
            "meet it first");
  // The level decides, not the words.
  options->clear_max_staleness();
  options->set_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
  EXPECT_EQ(Provenance(request, kGermanPeer).region(), "eu-central-1");
}

// A session within 100 ms of which nothing is known, else anything within a second.
StoreRequest GetWithTargets(int first_latency_ms = 100) {
  StoreRequest request = Get();
  v1::ReadTarget* first = request.mutable_get()->mutable_options()->add_targets();
  first->set_consistency(v1::CONSISTENCY_LEVEL_SESSION);
  first->mutable_latency()->set_nanos(first_latency_ms * 1'000'000);
  v1::ReadTarget* second = request.mutable_get()->mutable_options()->add_targets();
  second->set_consistency(v1::CONSISTENCY_LEVEL_EVENTUAL);
  second->mutable_latency()->set_seconds(1);
  return request;
}

TEST_F(GatewayTest, AReadGoesForItsFirstTargetAndSaysThatItIsMet) {
  const v1::Provenance provenance = Provenance(GetWithTargets(), kUsPeer);
  EXPECT_EQ(provenance.target_met(), 1);
  EXPECT_EQ(provenance.level_met(), v1::CONSISTENCY_LEVEL_SESSION);
  ASSERT_EQ(world_.store(kUs).requests().size(), 1);
  const v1::ReadOptions options = world_.store(kUs).requests()[0].get().options();
  EXPECT_EQ(options.consistency(), v1::CONSISTENCY_LEVEL_SESSION);
  EXPECT_TRUE(options.targets().empty());
  EXPECT_EQ(world_.store(kUs).deadlines()[0], world_.clock().SteadyNow() + absl::Milliseconds(100));
  EXPECT_EQ(Provenance(Get(), kUsPeer).target_met(), 0);
}

TEST_F(GatewayTest, ATargetThatFailsIsFollowedByTheNext) {
  world_.store(kUs).Hold();
  std::unique_ptr<Running> r = Start(GetWithTargets(), kUsPeer);
  ScriptedStore::Call first = std::move(world_.store(kUs).TakeHeld(1)[0]);
  world_.clock().Advance(absl::Milliseconds(90));
  first.done(MakeError(absl::StatusCode::kUnavailable, reason::kTokenAhead, "ahead"));
  ASSERT_FALSE(r->status.has_value());
  ScriptedStore::Call second = std::move(world_.store(kUs).TakeHeld(1)[0]);
  EXPECT_EQ(second.request.get().options().consistency(), v1::CONSISTENCY_LEVEL_EVENTUAL);
  world_.store(kUs).Answer(std::move(second));
  ASSERT_EQ(r->status, absl::OkStatus());
  const v1::Provenance& provenance = r->response.get().provenance();
  // By the answer, which turned out to be one of a session.
  EXPECT_EQ(provenance.target_met(), 1);
  EXPECT_EQ(provenance.attempts(), 2);
}

TEST_F(GatewayTest, ALateAnswerMeetsALaterTargetOrNone) {
  for (const auto& [milliseconds, target] : {std::pair(101, 2), std::pair(1001, 0)}) {
    world_.store(kUs).Hold();
    std::unique_ptr<Running> r = Start(GetWithTargets(), kUsPeer);
    ScriptedStore::Call call = std::move(world_.store(kUs).TakeHeld(1)[0]);
    world_.clock().Advance(absl::Milliseconds(milliseconds));
    world_.store(kUs).Answer(std::move(call));
    ASSERT_EQ(r->status, absl::OkStatus());
    EXPECT_EQ(r->response.get().provenance().target_met(), target);
  }
}

TEST_F(GatewayTest, AnErrorOfTheRequestItselfEndsAllTargets) {
  world_.store(kUs).AnswerWith(FieldError("options.session_token", "is bad"));
  std::unique_ptr<Running> r = Start(GetWithTargets(), kUsPeer);
  EXPECT_EQ(ReasonOf(*r->status), reason::kFieldInvalid);
  EXPECT_EQ(world_.store(kUs).requests().size(), 1);
}

TEST_F(GatewayTest, AFailoverIsAnnotated) {
  world_.store(kEu).AnswerWith(
      MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable, "no connection"));
  const v1::Provenance provenance = Provenance(Get(), kGermanPeer);
  EXPECT_EQ(provenance.region(), "us-east-1");
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_FAILOVER);
  EXPECT_EQ(provenance.attempts(), 2);
  EXPECT_EQ(provenance.detail(),
            "eu-central-1 was preferred but not fit or failed; next by round trip is us-east-1");
}

// A world whose namespace "orders" serves what there is, and a read of at most 10 s.
class IsolatedTest : public GatewayTest {
 protected:
  IsolatedTest() {
    internal::v1::Topology topology = WorldTopology();
    topology.mutable_namespaces(0)->set_serve_stale_when_isolated(true);
    world_.gateway().SetState(world_.MakeState(topology));
    world_.store(kUs).AnswerWithNext(
        MakeError(absl::StatusCode::kUnavailable, reason::kStaleLimit, "behind"));
    for (int region : {kEu, kAu}) {
      world_.store(region).AnswerWith(
          MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable, "no connection"));
    }
  }
  void Lose(int region) {
    world_.health().OnConnectionLost(Target{region, 0}, "reset", world_.clock().SteadyNow());
  }
  static StoreRequest BoundedGet(const std::string& name_space = "orders") {
    StoreRequest request = Get(name_space);
    v1::ReadOptions* options = request.mutable_get()->mutable_options();
    options->set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
    options->mutable_max_staleness()->set_seconds(10);
    return request;
  }
};

TEST_F(IsolatedTest, ARegionThatIsCutOffServesWhatThereIsAndSaysSo) {
  Lose(kEu);
  Lose(kAu);
  const v1::Provenance provenance = Provenance(BoundedGet(), kUsPeer);
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_ISOLATED);
  EXPECT_EQ(provenance.region(), "us-east-1");
  EXPECT_EQ(provenance.attempts(), 4);
  EXPECT_EQ(provenance.detail(),
            "us-east-1 is cut off from all other regions, and serves what it has: it may be older "
            "than was asked for");
  const StoreRequest asked = world_.store(kUs).requests().back();
  EXPECT_EQ(asked.get().options().consistency(), v1::CONSISTENCY_LEVEL_EVENTUAL);
  EXPECT_FALSE(asked.get().options().has_max_staleness());
}

TEST_F(IsolatedTest, ASessionIsNotHeldUpForWhatCanNotCome) {
  Lose(kEu);
  Lose(kAu);
  StoreRequest request = Get();
  request.mutable_get()->mutable_options()->set_session_token("t");
  EXPECT_EQ(Provenance(request, kUsPeer).reason(), v1::ROUTE_REASON_ISOLATED);
  const SteadyTime now = world_.clock().SteadyNow();
  EXPECT_LE(world_.store(kUs).deadlines()[0], now + absl::Milliseconds(200));
  EXPECT_EQ(world_.store(kUs).deadlines()[1], now + absl::Seconds(5));
}

TEST_F(IsolatedTest, WhileAnyOtherRegionMayBeReachedTheRefusalStands) {
  Lose(kEu);
  const auto refused = Start(BoundedGet(), kUsPeer);
  EXPECT_EQ(ReasonOf(*refused->status), reason::kStaleLimit);
  EXPECT_EQ(world_.store(kUs).requests().size(), 1);
}

TEST_F(IsolatedTest, WithoutThePolicyTheRefusalStands) {
  world_.gateway().SetState(world_.MakeState(WorldTopology()));
  Lose(kEu);
  Lose(kAu);
  EXPECT_EQ(ReasonOf(*Start(BoundedGet(), kUsPeer)->status), reason::kStaleLimit);
}

TEST_F(IsolatedTest, WhatCanBeMetIsAnsweredAsEver) {
  Lose(kEu);
  Lose(kAu);
  world_.store(kUs).AnswerWith(absl::OkStatus());
  const v1::Provenance provenance = Provenance(BoundedGet(), kUsPeer);
  EXPECT_EQ(provenance.reason(), v1::ROUTE_REASON_NEAREST);
  EXPECT_EQ(world_.store(kUs).requests()[0].get().options().consistency(),
            v1::CONSISTENCY_LEVEL_BOUNDED);
}

TEST_F(IsolatedTest, AnErrorOfTheRequestItselfIsNotHidden) {
  Lose(kEu);
  Lose(kAu);
  world_.store(kUs).AnswerWith(FieldError("options.session_token", "is bad"));
  EXPECT_EQ(ReasonOf(*Start(BoundedGet(), kUsPeer)->status), reason::kFieldInvalid);
}

TEST_F(IsolatedTest, WhereThereIsNothingEitherTheFirstRefusalIsTheError) {
  Lose(kEu);
  Lose(kAu);
  world_.store(kUs).AnswerWith(
      MakeError(absl::StatusCode::kUnavailable, reason::kStaleLimit, "behind"));
  EXPECT_EQ(ReasonOf(*Start(BoundedGet(), kUsPeer)->status), reason::kStaleLimit);
  EXPECT_EQ(world_.store(kUs).requests().size(), 2);
}

TEST_F(GatewayTest, AnUnknownNamespaceIsNotFound) {
  const std::unique_ptr<Running> r = Start(Get("oders"), kUsPeer);
  EXPECT_EQ(r->status->code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(*r->status), reason::kNamespaceUnknown);
  EXPECT_EQ(ErrorMetadataOf(*r->status, "namespace"), "oders");
}

TEST_F(GatewayTest, AChangeOfAnotherTypeReachesNoStoreAndItsFieldHasTheCallersName) {
  internal::v1::Topology changed = WorldTopology();
  changed.mutable_namespaces(0)->set_item_type(internal::v1::ITEM_TYPE_COUNTER);
  world_.gateway().SetState(world_.MakeState(changed));
  StoreRequest request;
  request.mutable_mutate()->set_namespace_(changed.namespaces(0).name());
  request.mutable_mutate()->set_id("o-1");
  request.mutable_mutate()->add_changes()->set_put("v");
  const std::unique_ptr<Running> r = Start(request, kUsPeer);
  EXPECT_EQ(r->status->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(*r->status), reason::kItemTypeWrong);
  EXPECT_EQ(ErrorMetadataOf(*r->status, "field"), "changes[0].put");
  EXPECT_EQ(ErrorMetadataOf(*r->status, "type"), "counter");
  EXPECT_TRUE(world_.store(kUs).requests().empty());

  request.mutable_mutate()->mutable_changes(0)->set_add(1);
  EXPECT_EQ(Start(request, kUsPeer)->status, absl::OkStatus());
}

TEST_F(GatewayTest, AnInvalidRequestReachesNoStore) {
  StoreRequest request = Get();
  request.mutable_get()->clear_id();
  const std::unique_ptr<Running> r = Start(request, kUsPeer);
  EXPECT_EQ(ErrorMetadataOf(*r->status, "field"), "id");
  EXPECT_TRUE(world_.store(kUs).requests().empty());
}

TEST_F(GatewayTest, LocalOnlyWithoutTheNamespaceHereIsRefused) {
  StoreRequest request = Get("german");
  request.mutable_get()->mutable_options()->set_local_only(true);
  const std::unique_ptr<Running> r = Start(request, kGermanPeer);
  EXPECT_EQ(r->status->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(*r->status), reason::kNoLocalReplica);
}

TEST_F(GatewayTest, TheNamespacesDefaultLevelIsWrittenIntoReads) {
  Provenance(Get("cache"), kUsPeer);
  StoreRequest session = Get("cache");
  session.mutable_get()->mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_SESSION);
  Provenance(session, kUsPeer);
  Provenance(Get("orders"), kUsPeer);
  const std::vector<StoreRequest> seen = world_.store(kUs).requests();
  ASSERT_EQ(seen.size(), 3);
  EXPECT_EQ(seen[0].get().options().consistency(), v1::CONSISTENCY_LEVEL_EVENTUAL);
  EXPECT_EQ(seen[1].get().options().consistency(), v1::CONSISTENCY_LEVEL_SESSION);
  EXPECT_EQ(seen[2].get().options().consistency(), v1::CONSISTENCY_LEVEL_UNSPECIFIED);
}

TEST_F(GatewayTest, ARequestWithoutDeadlineGetsTheTopologysDefault) {
  const SteadyTime now = world_.clock().SteadyNow();
  Start(Mutate(), kUsPeer);
  Start(Mutate(), kUsPeer, {}, now + absl::Seconds(2));
  EXPECT_THAT(world_.store(kUs).deadlines(),
              testing::ElementsAre(now + absl::Seconds(5), now + absl::Seconds(2)));
}

TEST_F(GatewayTest, HeadersOfAnUntrustedPeerAreNotEvenRead) {
  const std::unique_ptr<Running> r = Start(Get(), kUsPeer, {{"x-forwarded-for", "198.51.100.9"}});
  EXPECT_EQ(r->headers_read, 0);
  EXPECT_EQ(r->response.get().provenance().region(), "us-east-1");
}

TEST_F(GatewayTest, ATrustedProxySaysWhoTheClientIs) {
  const std::unique_ptr<Running> r =
      Start(Get(), "ipv4:10.1.2.3:5000", {{"x-forwarded-for", "198.51.100.9"}});
  EXPECT_EQ(r->headers_read, 1);
  EXPECT_EQ(r->response.get().provenance().region(), "eu-central-1");
  EXPECT_EQ(r->call.client.ToString(), "198.51.100.9");
}

TEST_F(GatewayTest, APeerThatCanNotBeReadCountsAsThisRegions) {
  EXPECT_EQ(Provenance(Get(), "carrier-pigeon").region(), "us-east-1");
}

TEST_F(GatewayTest, ARequestKeepsTheStateThatItBeganWith) {
  world_.store(kUs).Hold();
  const std::unique_ptr<Running> before = Start(Get(), kUsPeer);
  internal::v1::Topology changed = WorldTopology();
  changed.mutable_namespaces()->DeleteSubrange(0, 1);
  world_.gateway().SetState(world_.MakeState(changed));

  const std::unique_ptr<Running> after = Start(Get(), kUsPeer);
  EXPECT_EQ(ReasonOf(*after->status), reason::kNamespaceUnknown);
  EXPECT_FALSE(before->status.has_value());
  world_.store(kUs).Answer(std::move(world_.store(kUs).TakeHeld(1).front()));
  EXPECT_EQ(before->status, absl::OkStatus());
}

TEST_F(GatewayTest, ManyReloadsUnderARequestDoNotTakeItsStateAway) {
  world_.store(kUs).Hold();
  const std::unique_ptr<Running> before = Start(Get(), kUsPeer);
  for (int i = 0; i < 20; ++i) world_.gateway().SetState(world_.MakeState(WorldTopology()));
  world_.store(kUs).Answer(std::move(world_.store(kUs).TakeHeld(1).front()));
  EXPECT_EQ(before->status, absl::OkStatus());
  EXPECT_EQ(before->response.get().provenance().reason(), v1::ROUTE_REASON_NEAREST);
}

}  // namespace
}  // namespace homeport
