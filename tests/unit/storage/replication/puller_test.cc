#include "storage/replication/puller.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;

// The links of one replica of region r0, to its siblings r0/a and r0/c and to r1/a and r2/a.
class PullerTest : public testing::Test {
 protected:
  PullerTest() {
    for (const char* name : {"r0/a", "r0/c", "r1/a", "r2/a"}) {
      const ReplicaName peer(name);
      receivers_.push_back(std::make_unique<LinkReceiver>(
          LinkReceiver::Options{.cluster = "prod", .self = ReplicaName("r0/b"), .peer = peer}));
      candidates_.push_back({peer, true, peer.value()[1] == '0', receivers_.back().get()});
    }
    for (size_t i = 0; i < 4; ++i) Greet(i);
  }
  void Greet(size_t at) {
    internal::v1::PullResponse response;
    response.mutable_hello()->set_cluster("prod");
    response.mutable_hello()->set_replica(candidates_[at].peer.value());
    ASSERT_TRUE(receivers_[at]->OnResponse(response, now_).ok());
  }
  // The peer says that it has so much of the far replica's origin.
  void Has(size_t at, uint64_t origin, const std::string& replica, uint64_t received) {
    internal::v1::PullResponse response;
    internal::v1::OriginReport* report = response.mutable_heartbeat()->add_origins();
    report->set_origin(origin);
    report->set_replica(replica);
    report->set_received(received);
    ASSERT_TRUE(receivers_[at]->OnResponse(response, now_).ok());
  }
  // This replica has so much of the origin, and of no other.
  void Received(uint64_t origin, uint64_t sequence) {
    view_.origins.resize(1);
    view_.origins[0].origin = Origin(origin);
    view_.origins[0].received = Sequence(sequence);
  }
  std::vector<bool> Choose(PullerChoice& choice) {
    return choice.StandBy(candidates_, view_, now_);
  }

  static constexpr size_t kA = 0, kFar1 = 2;  // places in candidates_
  std::vector<std::unique_ptr<LinkReceiver>> receivers_;
  std::vector<PullCandidate> candidates_;
  ReplicaView view_;
  SteadyTime now_ = absl::Hours(1);
  PullerChoice choice_{ReplicaName("r0/b"), absl::Seconds(2)};
};

TEST_F(PullerTest, TheFirstByNamePullsAndTheOthersStandByFromFarPeersOnly) {
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
  candidates_[kA].peer = ReplicaName("r0/x");  // now r0/b is the first
  PullerChoice first(ReplicaName("r0/b"), absl::Seconds(2));
  EXPECT_THAT(Choose(first), ElementsAre(false, false, false, false));
}

TEST_F(PullerTest, WhoseLinkIsDownIsReplacedAtOnceAndTakesOverAgainWhenItIsBack) {
  candidates_[kA].established = false;
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, false, false));
  candidates_[kA].established = true;
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
}

TEST_F(PullerTest, ASiblingThatIsCutOffFromOneFarPeerIsReplacedForThatPeerOnly) {
  Has(kA, 7, "r1/a", 3);
  Has(kFar1, 7, "r1/a", 3);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
  Has(kFar1, 7, "r1/a", 9);
  now_ += absl::Milliseconds(100);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
  now_ += absl::Seconds(2);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, false, true));
}

TEST_F(PullerTest, ASiblingThatDoesNotGiveWhatIsMissingIsReplacedForThatPeerOnly) {
  Has(kA, 7, "r1/a", 3);
  Has(kFar1, 7, "r1/a", 3);
  internal::v1::PullResponse response;
  response.add_not_from_me()->set_origin(7);
  response.mutable_not_from_me(0)->set_sequence(1);
  ASSERT_TRUE(receivers_[kA]->OnResponse(response, now_).ok());
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, false, true));
  // Once that is here, it pulls again.
  Received(7, 2);
  receivers_[kA]->NextRequest(view_);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
}

TEST_F(PullerTest, WhatItsOwnDiskLostAReplicaFetchesFromAfarWhenItsSiblingsHaveNotGotIt) {
  Received(5, 16);
  Has(kA, 5, "r0/b", 16);
  Has(kFar1, 5, "r0/b", 17);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, false, true));
  Has(kA, 5, "r0/b", 17);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
  // What it has itself its siblings are about to get.
  Received(5, 18);
  Has(kFar1, 5, "r0/b", 18);
  EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true));
}

TEST_F(PullerTest, ASiblingThatIsBehindAndComesOnIsFit) {
  Has(kFar1, 7, "r1/a", 1000);
  for (uint64_t received = 1; received < 20; ++received) {
    Has(kA, 7, "r1/a", received);
    now_ += absl::Milliseconds(1900);
    EXPECT_THAT(Choose(choice_), ElementsAre(false, false, true, true)) << received;
  }
}

TEST_F(PullerTest, EachTimeThatASiblingStallsItIsPassedOverForLonger) {
  Has(kA, 7, "r1/a", 3);
  Has(kFar1, 7, "r1/a", 9);
  Choose(choice_);
  std::vector<absl::Duration> passed_over;
  for (int i = 0; i < 3; ++i) {
    while (Choose(choice_)[kFar1]) now_ += absl::Milliseconds(100);
    const SteadyTime from = now_;
    while (!Choose(choice_)[kFar1]) now_ += absl::Milliseconds(100);
    passed_over.push_back(now_ - from);
  }
  EXPECT_GE(passed_over[1], passed_over[0] * 1.9);
  EXPECT_GE(passed_over[2], passed_over[1] * 1.9);
}

}  // namespace
}  // namespace homeport
