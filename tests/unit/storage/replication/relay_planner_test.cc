#include "storage/replication/relay_planner.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/replication/gap_notes.h"
#include "storage/replication/join_holds.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Origin kOrigin(5);  // a start of r0/a, of which this side has 10 entries

// This is r1/a. "n1" is held by r0, r1, r2, r5; "n2" by r0, r1, r3, r5; "all" by everybody.
class RelayPlannerTest : public testing::Test {
 protected:
  RelayPlannerTest() : mesh_(6, {{"n1", {0, 1, 2, 5}}, {"n2", {0, 1, 3, 5}}}) {
    mesh_.SetRegionsOfSome({0});
    view_.self = Origin(1000);
    view_.origins.resize(1);
    view_.origins[0].origin = kOrigin;
    view_.origins[0].received = view_.origins[0].applied = Sequence(10);
    view_.origins[0].replica = std::make_shared<const ReplicaName>("r0/a");
    for (const int peer : {0, 2, 3, 4, 5}) {
      receivers_[peer] = std::make_unique<LinkReceiver>(
          LinkReceiver::Options{"mesh", Mesh::NameOf(1), Mesh::NameOf(peer), 4000});
    }
  }
  void Connect(int peer, uint64_t received) {
    receivers_[peer]->OnConnected("fingerprint", view_, absl::UnixEpoch());
    internal::v1::PullResponse hello;
    hello.mutable_hello()->set_cluster("mesh");
    hello.mutable_hello()->set_replica(Mesh::NameOf(peer).value());
    internal::v1::OriginReport* report = hello.mutable_hello()->add_origins();
    report->set_origin(kOrigin.value());
    report->set_replica("r0/a");
    report->set_received(received);
    ASSERT_TRUE(receivers_[peer]->OnResponse(hello, SteadyTime()).ok());
  }
  // The peer does not give these, and goes on behind them.
  void Gap(int peer, uint64_t first, uint64_t last, const std::string& name_space) {
    internal::v1::PullResponse response;
    internal::v1::Gap* gap = response.add_gaps();
    gap->set_origin(kOrigin.value());
    gap->set_first(first);
    gap->set_last(last);
    gap->add_classes()->set_namespace_(name_space);
    ASSERT_TRUE(receivers_[peer]->OnResponse(response, SteadyTime()).ok());
    auto joins = view_.joins == nullptr ? std::make_shared<JoinView>()
                                        : std::make_shared<JoinView>(*view_.joins);
    joins->origins[kOrigin].seen[Mesh::NameOf(peer)] = Sequence(last);
    view_.joins = joins;
  }
  RelayPlan Plan() {
    std::vector<RelayCandidate> candidates;
    for (const auto& [peer, receiver] : receivers_) {
      candidates.push_back(
          {Mesh::NameOf(peer), receiver->established(), !receiver->established(), receiver.get()});
    }
    return PlanRelays(view_, Mesh::NameOf(1), *mesh_.topology(), candidates);
  }
  // Peers that are asked.
  std::vector<int> Asked() {
    const RelayPlan plan = Plan();
    std::vector<int> asked;
    size_t at = 0;
    for (const auto& [peer, receiver] : receivers_) {
      if (plan.relays[at++].contains(kOrigin)) asked.push_back(peer);
    }
    return asked;
  }

  Mesh mesh_;
  ReplicaView view_;
  std::map<int, std::unique_ptr<LinkReceiver>> receivers_;
};

TEST_F(RelayPlannerTest, NobodyIsAskedWhileTheDirectLinkBringsIt) {
  Connect(0, 20);
  Connect(2, 20);
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(RelayPlannerTest, SeveralAreAskedWhenNoneHoldsAllAndNoMoreThanAreNeeded) {
  Connect(2, 20);
  EXPECT_THAT(Asked(), ElementsAre(2));
  Connect(3, 15);
  Connect(4, 30);  // has neither
  EXPECT_THAT(Asked(), ElementsAre(2, 3));
}

TEST_F(RelayPlannerTest, WhoSaysItDoesNotGiveTheNextEntryIsHelpedOutByAnother) {
  Connect(2, 20);
  Connect(3, 20);
  Connect(4, 20);
  Gap(2, 11, 12, "n2");
  Gap(3, 11, 12, "n1");
  // Whoever has not said so comes first, whatever it may hold.
  EXPECT_THAT(Asked(), ElementsAre(2, 3, 4));
}

TEST_F(RelayPlannerTest, WhenNobodyGivesTheNextEntryTheReasonNamesTheNamespaceAndWhoCould) {
  Connect(2, 20);
  Gap(2, 11, 11, "n2");
  const RelayPlan plan = Plan();
  EXPECT_EQ(plan.waits[0], "");
  EXPECT_TRUE(absl::StrContains(plan.waits[1],
                                "of r0/a waits behind entry 10: what follows is of namespace n2, "
                                "which r2/a may not give; could be had of: r0/a, r3/a, r5/a"))
      << plan.waits[1];
  Connect(3, 20);
  for (const std::string& why : Plan().waits) EXPECT_EQ(why, "");
}

TEST_F(RelayPlannerTest, WhoLacksTheSameIsNotAskedWhileOthersHaveMore) {
  // It may give everything, and waits for the same.
  Connect(5, 10);
  EXPECT_THAT(Asked(), ElementsAre(5));
  Connect(2, 20);
  Connect(3, 20);
  EXPECT_THAT(Asked(), ElementsAre(2, 3));
  // Nobody else gives the next entry, so that one may get it first.
  Gap(2, 11, 12, "n2");
  Gap(3, 11, 12, "n1");
  EXPECT_THAT(Asked(), ElementsAre(5));
  Connect(5, 11);
  EXPECT_THAT(Asked(), ElementsAre(5));
}

TEST_F(RelayPlannerTest, WithTheDirectLinkOnlyThatIsUsedAgain) {
  Connect(2, 20);
  Connect(3, 20);
  EXPECT_THAT(Asked(), ElementsAre(2, 3));
  Connect(0, 20);
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST(GapNotesTest, GapsAreKeptUntilTheyArePassedAndInABoundedNumber) {
  GapNotes notes;
  internal::v1::Gap gap;
  gap.set_origin(kOrigin.value());
  for (uint64_t at = 2; at <= 1000; at += 2) {
    gap.set_first(at);
    gap.set_last(at);
    gap.clear_classes();
    gap.add_classes()->set_namespace_(at % 4 == 0 ? "a" : "b");
    notes.Add(gap);
  }
  EXPECT_THAT(notes.Namespaces(kOrigin, Sequence(1), Sequence(2)), ElementsAre("b"));
  EXPECT_THAT(notes.Namespaces(kOrigin, Sequence(2), Sequence(3)), IsEmpty());
  EXPECT_THAT(notes.Namespaces(kOrigin, Sequence(3), Sequence(4)), ElementsAre("a"));
  // Later ones are put together.
  EXPECT_THAT(notes.Namespaces(kOrigin, Sequence(997), Sequence(998)), ElementsAre("a", "b"));
  ReplicaView view;
  view.origins.resize(1);
  view.origins[0].origin = kOrigin;
  view.origins[0].received = Sequence(1000);
  notes.Prune(view);
  EXPECT_THAT(notes.Namespaces(kOrigin, Sequence(0), Sequence(2000)), IsEmpty());
}

TEST(JoinHoldsTest, ThePeerHoldsTheOriginUntilThereIsRoomOrNothingHasToWait) {
  const ReplicaName peer("r2/a");
  ReplicaView view;
  view.origins.resize(1);
  view.origins[0].origin = kOrigin;
  view.origins[0].received = Sequence(10);
  const auto joins = [&](uint64_t seen, bool full) {
    auto made = std::make_shared<JoinView>();
    made->origins[kOrigin].seen[peer] = Sequence(seen);
    if (full) made->origins[kOrigin].full.insert(peer);
    view.joins = made;
  };
  JoinHolds holds;
  const auto next = [&] {
    internal::v1::PullRequest request;
    holds.AddTo(request, peer, view);
    return request;
  };
  joins(15, /*full=*/true);
  holds.OnFull(kOrigin);
  EXPECT_THAT(next().hold(), ElementsAre(kOrigin.value()));
  EXPECT_EQ(next().ByteSizeLong(), 0u);
  joins(15, /*full=*/false);
  internal::v1::PullRequest request = next();
  ASSERT_EQ(request.resume_size(), 1);
  EXPECT_EQ(request.resume(0).sequence(), 15u);
  EXPECT_EQ(next().ByteSizeLong(), 0u);
  // Positions have come as far as its stream.
  joins(15, /*full=*/true);
  holds.OnFull(kOrigin);
  EXPECT_EQ(next().hold_size(), 1);
  view.origins[0].received = Sequence(15);
  request = next();
  ASSERT_EQ(request.resume_size(), 1);
  EXPECT_EQ(request.resume(0).sequence(), 15u);
}

}  // namespace
}  // namespace homeport
