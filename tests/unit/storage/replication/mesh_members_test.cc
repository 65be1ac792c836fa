// What becomes of deletes, expired items and lost origins in a mesh: nothing that a delete has seen
// comes back, whatever was cut off for however long.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/model/keys.h"
#include "storage/replication/record_reader.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::IsEmpty;
using ::testing::Optional;

class MeshMembersTest : public ::testing::Test {
 protected:
  MeshMembersTest() {
    mesh_.EnableUpkeep();
    mesh_.ConnectAll();
  }
  void Settle() {
    mesh_.Advance(absl::Seconds(1));
    ASSERT_TRUE(mesh_.Settle());
  }
  void CutOff(int at) {
    for (int other = 0; other < mesh_.size(); ++other) {
      if (other == at) continue;
      mesh_.Cut(at, other);
      mesh_.Cut(other, at);
    }
  }
  void Connect(int at) {
    for (int other = 0; other < mesh_.size(); ++other) {
      if (other == at) continue;
      mesh_.Connect(at, other);
      mesh_.Connect(other, at);
    }
  }
  bool HasItem(int at, const std::string& id) {
    return mesh_.Items(at).contains(ItemKey("all", id, ""));
  }
  void ExpectGone(const std::string& id) {
    for (int i = 0; i < mesh_.size(); ++i) {
      if (!mesh_.running(i)) continue;
      EXPECT_EQ(mesh_.Get(i, "all", id), std::nullopt) << "at " << i;
    }
  }

  Mesh mesh_{3};
};

TEST_F(MeshMembersTest, ATombstoneGoesOnceEverybodyHasIt) {
  ASSERT_TRUE(mesh_.Put(0, "all", "x", "1").ok());
  Settle();
  ASSERT_TRUE(mesh_.Delete(1, "all", "x").ok());
  Settle();
  Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(HasItem(i, "x")) << i;
    EXPECT_EQ(mesh_.core(i).counters().tombstones_dropped, 1u);
  }
}

TEST_F(MeshMembersTest, ATombstoneStaysWhileAMemberIsCutOffForHoweverLong) {
  ASSERT_TRUE(mesh_.Put(0, "all", "x", "1").ok());
  Settle();
  CutOff(2);
  ASSERT_TRUE(mesh_.Delete(1, "all", "x").ok());
  for (int day = 0; day < 10; ++day) {
    mesh_.Advance(absl::Hours(24));
    Settle();
    ASSERT_TRUE(HasItem(0, "x"));
  }
  EXPECT_EQ(mesh_.core(0).counters().cleanup_waiting, 1u);
  // What it wrote meanwhile is older than the delete where clocks say so, and loses to it.
  Connect(2);
  Settle();
  Settle();
  ExpectGone("x");
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(HasItem(i, "x")) << i;
}

TEST_F(MeshMembersTest, AConcurrentOlderWriteOfACutOffMemberDoesNotComeBackToLife) {
  ASSERT_TRUE(mesh_.Put(0, "all", "x", "1").ok());
  Settle();
  CutOff(2);
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "older").ok());
  mesh_.Advance(absl::Seconds(10));
  ASSERT_TRUE(mesh_.Delete(1, "all", "x").ok());
  Settle();
  EXPECT_TRUE(HasItem(0, "x"));
  Connect(2);
  Settle();
  Settle();
  ExpectGone("x");
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(HasItem(i, "x")) << i;
}

TEST_F(MeshMembersTest, ATombstoneWaitsForAReplicaThatWasRestartedAndNotHeardOf) {
  ASSERT_TRUE(mesh_.Put(0, "all", "x", "1").ok());
  Settle();
  ASSERT_TRUE(mesh_.Delete(1, "all", "x").ok());
  Settle();
  Settle();
  ASSERT_FALSE(HasItem(0, "x"));
  mesh_.Crash(2);
  mesh_.Start(2);
  ASSERT_TRUE(mesh_.Put(0, "all", "y", "1").ok());
  ASSERT_TRUE(mesh_.Delete(0, "all", "y").ok());
  Settle();
  EXPECT_TRUE(HasItem(0, "y")) << "replica 2 was not heard of since";
  Connect(2);
  Settle();
  Settle();
  EXPECT_FALSE(HasItem(0, "y"));
  ExpectGone("y");
}

TEST_F(MeshMembersTest, AWipedDiskClosesItsEarlierOriginAndBringsNothingBack) {
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "1").ok());
  Settle();
  ASSERT_TRUE(mesh_.Delete(0, "all", "x").ok());
  const Origin before = mesh_.core(2).self();
  mesh_.Crash(2, true);
  mesh_.WipeDisk(2);
  mesh_.Start(2);
  Connect(2);
  for (int i = 0; i < 4; ++i) Settle();
  for (int i = 0; i < 3; ++i) {
    const OriginView* closed = mesh_.core(i).view()->Find(before);
    ASSERT_NE(closed, nullptr);
    EXPECT_THAT(closed->closed_end, Optional(Sequence(2))) << i;
    EXPECT_EQ(closed->applied, Sequence(2));
    EXPECT_FALSE(HasItem(i, "x")) << i;
  }
  EXPECT_EQ(mesh_.core(2).counters().origins_closed, 1u);
  ExpectGone("x");
}

TEST_F(MeshMembersTest, NothingIsClosedWhileAMemberIsCutOff) {
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "1").ok());
  Settle();
  CutOff(1);
  const Origin before = mesh_.core(2).self();
  mesh_.Crash(2, true);
  mesh_.WipeDisk(2);
  mesh_.Start(2);
  mesh_.Connect(0, 2);
  mesh_.Connect(2, 0);
  for (int i = 0; i < 4; ++i) Settle();
  EXPECT_EQ(mesh_.core(2).view()->Find(before)->closed_end, std::nullopt);
  // Writes go on meanwhile.
  ASSERT_TRUE(mesh_.Put(2, "all", "y", "1").ok());
  Settle();
  EXPECT_THAT(mesh_.Get(0, "all", "y"), Optional(std::string("1")));
  Connect(1);
  for (int i = 0; i < 4; ++i) Settle();
  EXPECT_THAT(mesh_.core(0).view()->Find(before)->closed_end, Optional(Sequence(2)));
}

TEST_F(MeshMembersTest, WhatOnlyACutOffMemberHasOfALostDiskIsNotLost) {
  CutOff(1);
  mesh_.Connect(2, 1);
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "kept by 1").ok());
  mesh_.Cut(2, 0);
  ASSERT_TRUE(mesh_.Settle(false));
  ASSERT_THAT(mesh_.Get(1, "all", "x"), Optional(std::string("kept by 1")));
  const Origin before = mesh_.core(2).self();
  CutOff(1);
  mesh_.Crash(2, true);
  mesh_.WipeDisk(2);
  mesh_.Start(2);
  mesh_.Connect(0, 2);
  mesh_.Connect(2, 0);
  for (int i = 0; i < 4; ++i) Settle();
  Connect(1);
  for (int i = 0; i < 5; ++i) Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(mesh_.Get(i, "all", "x"), Optional(std::string("kept by 1"))) << i;
  }
  EXPECT_THAT(mesh_.core(0).view()->Find(before)->closed_end, Optional(Sequence(2)));
}

TEST_F(MeshMembersTest, AnOldDiskDoesNotBringBackWhatWasDeletedSince) {
  ASSERT_TRUE(mesh_.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh_.Put(2, "all", "y", "1").ok());
  Settle();
  mesh_.CopyDisk(2);
  ASSERT_TRUE(mesh_.Delete(0, "all", "x").ok());
  ASSERT_TRUE(mesh_.Delete(2, "all", "y").ok());
  Settle();
  Settle();
  ASSERT_FALSE(HasItem(0, "x"));
  ASSERT_FALSE(HasItem(0, "y"));
  mesh_.Crash(2);
  ASSERT_TRUE(mesh_.RestoreDisk(2));
  mesh_.Start(2);
  Connect(2);
  for (int i = 0; i < 5; ++i) Settle();
  ExpectGone("x");
  ExpectGone("y");
}

TEST_F(MeshMembersTest, AnOldDiskWithAnEarlierClockThanALostStartIsNotTakenForThatStart) {
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "1").ok());
  Settle();
  mesh_.CopyDisk(2);
  mesh_.Crash(2);
  // A start that is lost with the disk, and whose clock was ahead.
  mesh_.SkewWall(2, absl::Milliseconds(450));
  mesh_.Start(2);
  Connect(2);
  Settle();
  mesh_.Crash(2);
  ASSERT_TRUE(mesh_.RestoreDisk(2));
  mesh_.SkewWall(2, absl::Seconds(-2));
  mesh_.Start(2);
  // Its first entry comes, and the stream ends before it has reported anything.
  for (int i = 0; i < 2; ++i) {
    mesh_.Connect(2, 0);
    while (mesh_.Step(2, 0, /*heartbeat=*/false)) {
    }
    EXPECT_TRUE(mesh_.connected(2, 0)) << i;
  }
  for (int i = 0; i < 2; ++i) {
    Connect(2);
    Settle();
  }
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "2").ok());
  Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(mesh_.Get(i, "all", "x"), Optional(std::string("2"))) << i;
  }
}

TEST_F(MeshMembersTest, AnOldDiskWhoseGapHasLeftTheLogIsSeededAndBringsNothingBack) {
  ASSERT_TRUE(mesh_.Put(0, "all", "x", "1").ok());
  Settle();
  mesh_.CopyDisk(2);
  ASSERT_TRUE(mesh_.Delete(0, "all", "x").ok());
  Settle();
  Settle();
  ASSERT_FALSE(HasItem(0, "x"));
  mesh_.TruncateLog(0);
  mesh_.TruncateLog(1);
  mesh_.Crash(2);
  ASSERT_TRUE(mesh_.RestoreDisk(2));
  mesh_.Start(2);
  Connect(2);
  for (int i = 0; i < 5; ++i) Settle();
  ExpectGone("x");
}

// A start that had lost the end of an earlier one was closing it; then the disk that has it came
// back.
TEST(MeshClosingTest, AnOriginThatWasBeingClosedIsClosedByAStartThatHasAllOfIt) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  const Origin origin = mesh.core(0).self();
  for (const int other : {1, 2}) mesh.Cut(0, other);
  ASSERT_TRUE(mesh.Put(0, "all", "only", "here").ok());
  mesh.CopyDisk(0);
  mesh.Crash(0);
  mesh.WipeDisk(0);
  mesh.Start(0);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Cut(0, 2);
  mesh.Cut(1, 2);
  mesh.Advance(absl::Seconds(1));
  mesh.Tend(0);
  ASSERT_TRUE(mesh.Settle());
  ASSERT_TRUE(mesh.core(1).view()->Find(origin)->frozen);
  ASSERT_FALSE(mesh.core(1).view()->Find(origin)->closed_end.has_value());
  mesh.Crash(0);
  ASSERT_TRUE(mesh.RestoreDisk(0));
  mesh.Advance(absl::Seconds(1));
  mesh.Start(0);
  mesh.EnableUpkeep();
  for (int i = 0; i < 5; ++i) {
    mesh.ConnectAll();
    mesh.Advance(absl::Seconds(1));
    ASSERT_TRUE(mesh.Settle());
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(mesh.Get(i, "all", "only"), Optional(std::string("here"))) << i;
    EXPECT_FALSE(mesh.core(i).view()->Find(origin)->frozen &&
                 !mesh.core(i).view()->Find(origin)->closed_end)
        << i;
  }
}

TEST(MeshUnheardTest, WhatASessionSawOfAStartThatNobodyHeardOfIsLostOnceAllDenyIt) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(2);
  mesh.Start(2);
  SessionToken token;
  ASSERT_TRUE(mesh.Put(2, "all", "x", "1", &token).ok());
  const Origin origin = mesh.core(2).self();
  mesh.Crash(2);
  const auto lost = [&](int at) { return mesh.core(at).view()->FindLost(token).has_value(); };
  const auto settle = [&mesh] {
    mesh.Advance(absl::Seconds(1));
    mesh.ConnectAll();
    ASSERT_TRUE(mesh.Settle());
    mesh.Advance(absl::Seconds(1));
    ASSERT_TRUE(mesh.Settle());
  };
  mesh.core(0).AskAbout(origin, mesh.Now(0));
  settle();
  EXPECT_FALSE(lost(0)) << "2 may have it on its disk";
  mesh.WipeDisk(2);
  mesh.Start(2);
  settle();
  EXPECT_TRUE(lost(0));
  EXPECT_FALSE(lost(1)) << "it was not asked";
  SessionToken fresh = token;
  mesh.core(0).view()->DropLost(fresh);
  EXPECT_TRUE(mesh.core(0).view()->Covers(fresh));
}

TEST(MeshUnheardTest, AStartThatIsOnSomeDiskIsNotLost) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(2);
  mesh.Start(2);
  SessionToken token;
  ASSERT_TRUE(mesh.Put(2, "all", "x", "1", &token).ok());
  mesh.core(0).AskAbout(mesh.core(2).self(), mesh.Now(0));
  mesh.Crash(2);
  for (int i = 0; i < 3; ++i) {
    mesh.Advance(absl::Seconds(1));
    ASSERT_TRUE(mesh.Settle());
    EXPECT_FALSE(mesh.core(0).view()->FindLost(token).has_value());
  }
  mesh.Start(2);
  for (int i = 0; i < 3; ++i) {
    mesh.ConnectAll();
    mesh.Advance(absl::Seconds(1));
    ASSERT_TRUE(mesh.Settle());
    EXPECT_FALSE(mesh.core(0).view()->FindLost(token).has_value());
  }
  EXPECT_TRUE(mesh.core(0).view()->Covers(token));
}

TEST(MeshUnheardTest, WhatEntriesWaitForOfAStartThatNobodyHasAnyMoreIsClosed) {
  Mesh mesh(3);
  mesh.EnableUpkeep();
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  // What a start of 2 writes comes to 1 only, and 0 has what 1 writes upon it.
  mesh.Crash(2);
  mesh.Start(2);
  ASSERT_TRUE(mesh.Put(2, "all", "x", "1").ok());
  const Origin gone = mesh.core(2).self();
  for (const auto& [from, to] : {std::pair(0, 1), std::pair(0, 2), std::pair(1, 2)}) {
    mesh.Cut(from, to);
    mesh.Cut(to, from);
  }
  mesh.Connect(2, 1);
  ASSERT_TRUE(mesh.Settle(false));
  SessionToken token;
  ASSERT_EQ(mesh.Get(1, "all", "x", &token), "1");
  ASSERT_TRUE(mesh.Put(1, "all", "y", "2", &token).ok());
  mesh.Connect(1, 0);
  ASSERT_TRUE(mesh.Settle(false));
  ASSERT_EQ(mesh.Get(0, "all", "y"), std::nullopt);
  ASSERT_EQ(mesh.core(0).view()->ReceivedOf(gone), Sequence(0));
  for (const int at : {1, 2}) {
    mesh.Crash(at);
    mesh.WipeDisk(at);
    mesh.Start(at);
  }
  for (int i = 0; i < 6; ++i) {
    mesh.ConnectAll();
    mesh.Advance(absl::Seconds(1));
    ASSERT_TRUE(mesh.Settle());
  }
  for (int at = 0; at < 3; ++at) {
    EXPECT_THAT(mesh.core(at).view()->Find(gone)->closed_end, Optional(Sequence(0))) << at;
    EXPECT_EQ(mesh.Get(at, "all", "y"), "2") << at;
  }
  EXPECT_GT(mesh.core(0).counters().positions_lost, 0u);
}

TEST_F(MeshMembersTest, ARegionThatLeftHoldsUpNothing) {
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "1").ok());
  Settle();
  const Origin left = mesh_.core(2).self();
  mesh_.Crash(2);
  ASSERT_TRUE(mesh_.Delete(0, "all", "x").ok());
  Settle();
  EXPECT_TRUE(HasItem(0, "x"));
  mesh_.SetListed({0, 1});
  mesh_.Connect(0, 1);
  mesh_.Connect(1, 0);
  for (int i = 0; i < 4; ++i) Settle();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(mesh_.core(i).view()->Find(left)->closed_end, Optional(Sequence(2)));
    EXPECT_FALSE(HasItem(i, "x")) << i;
  }
  EXPECT_EQ(mesh_.core(0).counters().origins_closed, 1u) << "the first by name closes";
  EXPECT_EQ(mesh_.core(1).counters().origins_closed, 0u);
}

TEST_F(MeshMembersTest, ARegionThatLeftAndComesBackWithItsOldDiskIsRefused) {
  ASSERT_TRUE(mesh_.Put(2, "all", "x", "1").ok());
  Settle();
  mesh_.Crash(2);
  mesh_.SetListed({0, 1});
  mesh_.Connect(0, 1);
  mesh_.Connect(1, 0);
  ASSERT_TRUE(mesh_.Delete(0, "all", "x").ok());
  for (int i = 0; i < 4; ++i) Settle();
  ASSERT_FALSE(HasItem(0, "x"));
  // Also what was stored is remembered.
  mesh_.Crash(0);
  mesh_.Start(0);
  mesh_.SetListed({0, 1, 2});
  mesh_.Start(2);
  mesh_.ConnectAll();
  Settle();
  EXPECT_EQ(mesh_.Status(0, 2).state(), v1::LINK_STATE_FENCED);
  EXPECT_THAT(mesh_.Status(0, 2).reason(), ::testing::HasSubstr("empty data directory"));
  EXPECT_EQ(mesh_.Status(2, 0).state(), v1::LINK_STATE_FENCED);
  EXPECT_EQ(mesh_.Get(0, "all", "x"), std::nullopt);
  EXPECT_EQ(mesh_.Get(1, "all", "x"), std::nullopt);
  // With an empty one it is taken back, also later when it knows its earlier origins again.
  mesh_.Crash(2);
  mesh_.WipeDisk(2);
  mesh_.Start(2);
  Connect(2);
  for (int i = 0; i < 4; ++i) Settle();
  mesh_.Crash(2);
  mesh_.Start(2);
  mesh_.ConnectAll();
  for (int i = 0; i < 4; ++i) Settle();
  EXPECT_EQ(mesh_.Status(0, 2).state(), v1::LINK_STATE_STREAMING);
  EXPECT_EQ(mesh_.Status(2, 0).state(), v1::LINK_STATE_STREAMING);
  ASSERT_TRUE(mesh_.Put(2, "all", "y", "2").ok());
  Settle();
  EXPECT_THAT(mesh_.Get(0, "all", "y"), Optional(std::string("2")));
  ExpectGone("x");
}

TEST_F(MeshMembersTest, AnExpiredItemGoesEverywhereOnceEverybodyHasHadIt) {
  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  mutation.set_id("x");
  v1::Change* change = mutation.add_changes();
  change->set_put("1");
  change->mutable_ttl()->set_seconds(5);
  ASSERT_TRUE(mesh_.Mutate(0, mutation, SessionToken()).ok());
  Settle();
  Settle();
  EXPECT_THAT(mesh_.Get(1, "all", "x"), Optional(std::string("1")));
  EXPECT_TRUE(HasItem(1, "x"));
  mesh_.Advance(absl::Seconds(10));
  Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(HasItem(i, "x")) << i;
    EXPECT_EQ(mesh_.core(i).counters().expired_dropped, 1u);
  }
}

}  // namespace
}  // namespace homeport
