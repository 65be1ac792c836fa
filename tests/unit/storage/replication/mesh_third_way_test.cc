// A cut between two regions heals through others, also if none of them holds everything.
#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::IsEmpty;
using ::testing::Optional;

// The writer, the region that is cut from it, and two relays of which each holds a part.
constexpr int kA = 0;
constexpr int kB = 1;
constexpr int kC = 2;
constexpr int kD = 3;

class ThirdWayTest : public testing::Test {
 protected:
  ThirdWayTest() { Begin({}); }

  void Begin(const StreamJoin::Options& joining) {
    mesh_ = std::make_unique<Mesh>(4, Mesh::Namespaces{{"n1", {kA, kB, kC}}, {"n2", {kA, kB, kD}}});
    mesh_->SetJoining(joining);
    for (int i = 0; i < 4; ++i) mesh_->Crash(i);
    for (int i = 0; i < 4; ++i) Start(i);
    mesh_->ConnectAll();
    ASSERT_TRUE(mesh_->Settle());
    written_ = 0;
  }
  void Start(int at) {
    mesh_->Start(at);
    mesh_->Advance(absl::Seconds(1));  // a start begins a little ahead of its wall clock
  }
  void CutOff() {
    mesh_->Cut(kA, kB);
    mesh_->Cut(kB, kA);
  }
  // Entries of both namespaces in alternation, and some that everybody holds.
  void Write(int count) {
    for (int i = 0; i < count; ++i, ++written_) {
      const std::string id = absl::StrCat("id", written_);
      ASSERT_TRUE(mesh_->Put(kA, written_ % 2 == 0 ? "n1" : "n2", id, id).ok());
      if (written_ % 7 != 0) continue;
      ASSERT_TRUE(mesh_->Put(kA, "all", id, id).ok());
    }
  }
  // Everything goes on a little: a message each way on each link.
  void Rounds(int count) {
    for (int round = 0; round < count; ++round) {
      for (int from = 0; from < 4; ++from) {
        for (int to = 0; to < 4; ++to) {
          if (from != to) mesh_->Step(from, to, round % 8 == 0);
        }
      }
      for (int i = 0; i < 4; ++i) {
        if (!mesh_->running(i)) continue;
        if (round % 8 == 0) mesh_->PlanAllRelays(i);
        if (mesh_->core(i).HasStaged()) {
          ASSERT_TRUE(mesh_->core(i).Commit(mesh_->Now(i)).ok());
        }
      }
    }
  }
  int MissingAtB() {
    int missing = 0;
    for (int i = 0; i < written_; ++i) {
      const std::string id = absl::StrCat("id", i);
      missing += mesh_->Get(kB, i % 2 == 0 ? "n1" : "n2", id) == id ? 0 : 1;
    }
    return missing;
  }
  Sequence Received(int at) { return mesh_->core(at).view()->ReceivedOf(mesh_->core(kA).self()); }
  // B has everything, once, and left nothing out.
  void ExpectHealed() {
    EXPECT_EQ(MissingAtB(), 0);
    EXPECT_EQ(Received(kB), Received(kA));
    EXPECT_THAT(mesh_->core(kB).left_out(), IsEmpty());
    EXPECT_EQ(mesh_->core(kB).view()->joins, nullptr);
    EXPECT_EQ(mesh_->core(kB).joins().bytes(), 0u);
  }

  std::unique_ptr<Mesh> mesh_;
  int written_ = 0;
};

TEST_F(ThirdWayTest, ACutHealsThroughTwoRegionsOfWhichNeitherHoldsAll) {
  CutOff();
  const uint64_t before = mesh_->core(kB).counters().entries_applied;
  const uint64_t entries = Received(kA).value();
  Write(200);
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
  EXPECT_EQ(mesh_->core(kB).counters().entries_applied - before, Received(kA).value() - entries);
}

TEST_F(ThirdWayTest, TheRelaysStreamAndDoNotAlternate) {
  CutOff();
  Write(200);
  // The relays get it, and B asks them.
  Rounds(120);
  // By one entry a plan it would take 200 of them.
  EXPECT_EQ(MissingAtB(), 0);
}

TEST_F(ThirdWayTest, WritesDuringTheCutArriveToo) {
  CutOff();
  for (int i = 0; i < 20; ++i) {
    Write(10);
    Rounds(5);
  }
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
}

TEST_F(ThirdWayTest, ABufferOfAFewBytesIsEnough) {
  Begin({1, 1});
  CutOff();
  Write(40);
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
}

TEST_F(ThirdWayTest, ABufferOfAFewEntriesIsEnough) {
  Begin({1000, 2000});
  CutOff();
  Write(100);
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
}

TEST_F(ThirdWayTest, NeverMoreWaitsThanMay) {
  constexpr size_t kMax = 1000;
  Begin({kMax, kMax});
  CutOff();
  mesh_->Crash(kD);
  Write(100);
  for (int i = 0; i < 50; ++i) {
    Rounds(4);
    EXPECT_LE(mesh_->core(kB).joins().bytes(), kMax);
  }
  EXPECT_GT(mesh_->core(kB).joins().bytes(), 0u);
  // Nothing else of the link from C waits for it.
  ASSERT_TRUE(mesh_->Put(kC, "all", "other", "1").ok());
  ASSERT_TRUE(mesh_->Settle());
  EXPECT_THAT(mesh_->Get(kB, "all", "other"), Optional(std::string("1")));
  Start(kD);
  mesh_->ConnectAll();
  CutOff();
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
}

TEST_F(ThirdWayTest, ARelayThatCrashesInTheMiddleIsWaitedFor) {
  CutOff();
  Write(100);
  Rounds(20);
  mesh_->Crash(kD);
  ASSERT_TRUE(mesh_->Settle());
  Start(kD);
  mesh_->ConnectAll();
  CutOff();
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
}

TEST_F(ThirdWayTest, TheReceiverCrashesInTheMiddle) {
  CutOff();
  Write(100);
  Rounds(30);
  mesh_->Crash(kB, /*power=*/true);
  Start(kB);
  mesh_->ConnectAll();
  CutOff();
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
}

TEST_F(ThirdWayTest, TheLinkComesBackInTheMiddle) {
  for (const int rounds : {5, 15, 25, 35, 50}) {
    CutOff();
    Write(100);
    Rounds(rounds);
    mesh_->ConnectAll();
    ASSERT_TRUE(mesh_->Settle());
    ExpectHealed();
  }
}

TEST_F(ThirdWayTest, WithoutAnyoneWhoGivesAPartTheOriginWaitsAndSaysForWhom) {
  CutOff();
  mesh_->Crash(kD);
  Write(10);
  ASSERT_TRUE(mesh_->Settle());
  EXPECT_EQ(MissingAtB(), 9);
  const v1::LinkStatus status = mesh_->LinkStatusOf(kC, kB);
  EXPECT_EQ(status.state(), v1::LINK_STATE_PAUSED);
  EXPECT_TRUE(absl::StrContains(status.reason(),
                                "of namespace n2, which r2/a may not give; could "
                                "be had of: r0/a, r3/a"))
      << status.reason();
  // It heals with the direct link.
  mesh_->ConnectAll();
  ASSERT_TRUE(mesh_->Settle());
  ExpectHealed();
  EXPECT_EQ(mesh_->LinkStatusOf(kC, kB).state(), v1::LINK_STATE_STREAMING);
}

TEST_F(ThirdWayTest, ARelayToldOfAnotherNamespaceLaterIsHelpedOutForWhatItsLogLacks) {
  // "some" is held by A and B; C gets it in the middle, and its log has what came before as skips.
  CutOff();
  mesh_->Cut(kD, kB);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mesh_->Put(kA, "some", absl::StrCat("s", i), "1").ok());
  ASSERT_TRUE(mesh_->Settle());
  EXPECT_EQ(mesh_->Get(kB, "some", "s0"), std::nullopt);
  EXPECT_TRUE(absl::StrContains(mesh_->LinkStatusOf(kC, kB).reason(), "namespace some"));
  mesh_->SetRegionsOfSome({kA, kB, kC});
  mesh_->ConnectAll();
  CutOff();
  ASSERT_TRUE(mesh_->Settle());
  // C holds it whole by now, its log does not.
  EXPECT_THAT(mesh_->Get(kC, "some", "s0"), Optional(std::string("1")));
  EXPECT_EQ(mesh_->Get(kB, "some", "s0"), std::nullopt);
  mesh_->ConnectAll();
  ASSERT_TRUE(mesh_->Settle());
  EXPECT_THAT(mesh_->Get(kB, "some", "s2"), Optional(std::string("1")));
}

}  // namespace
}  // namespace homeport
