// Replication between cores: what is promised of a mesh of replicas, step by step and by seeds.
#include "tests/unit/storage/replication/mesh.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/model/keys.h"
#include "storage/replication/record_reader.h"

namespace homeport {
namespace {

using ::testing::Optional;

TEST(MeshTest, AWriteReachesEveryRegion) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(mesh.Get(i, "all", "x"), Optional(std::string("1")));
}

TEST(MeshTest, WritesDuringACutArriveAfterIt) {
  Mesh mesh(2);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Cut(0, 1);
  mesh.Cut(1, 0);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(mesh.Put(0, "all", absl::StrCat("a", i), "0").ok());
    ASSERT_TRUE(mesh.Put(1, "all", absl::StrCat("b", i), "1").ok());
  }
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_EQ(mesh.Items(0).size(), 200u);
  EXPECT_EQ(mesh.Items(0), mesh.Items(1));
}

TEST(MeshTest, TheLaterOfTwoConcurrentWritesWinsEverywhere) {
  Mesh mesh(3);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "early").ok());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "x", "late").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(mesh.Get(i, "all", "x"), Optional(std::string("late")));
}

TEST(MeshTest, ADeleteBeatsTheValueItSawWhereverItArrivesFirst) {
  Mesh mesh(3);
  mesh.Connect(0, 1);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  ASSERT_TRUE(mesh.Delete(1, "all", "x").ok());
  mesh.Connect(1, 2);  // the delete comes first to replica 2, and has to wait for what it saw
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  EXPECT_FALSE(mesh.core(2).Blocked().empty());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mesh.Get(i, "all", "x"), std::nullopt);
}

TEST(MeshTest, AnEntryWaitsForWhatItsWriterHadSeen) {
  Mesh mesh(3);
  mesh.Connect(0, 1);
  ASSERT_TRUE(mesh.Put(0, "all", "cause", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  SessionToken session;
  ASSERT_THAT(mesh.Get(1, "all", "cause", &session), Optional(std::string("1")));
  ASSERT_TRUE(mesh.Put(1, "all", "effect", "2", &session).ok());
  mesh.Connect(1, 2);
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  EXPECT_EQ(mesh.Get(2, "all", "effect"), std::nullopt);
  mesh.Connect(0, 2);
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(2, "all", "effect"), Optional(std::string("2")));
  EXPECT_THAT(mesh.Get(2, "all", "cause"), Optional(std::string("1")));
}

TEST(MeshTest, ACutHealsThroughAThirdRegion) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Cut(0, 1);
  mesh.Cut(1, 0);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(1, "all", "x"), Optional(std::string("1")));
}

TEST(MeshTest, ARestartedReplicaGoesOnWithoutLosingOrRepeating) {
  Mesh mesh(2);
  mesh.ConnectAll();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(mesh.Put(0, "all", absl::StrCat("k", i), "v").ok());
    if (i == 2) {
      ASSERT_TRUE(mesh.Settle());
    }
    mesh.Crash(0, true);
    mesh.Start(0);
    mesh.ConnectAll();
  }
  ASSERT_TRUE(mesh.Settle());
  EXPECT_EQ(mesh.Items(1).size(), 5u);
  EXPECT_EQ(mesh.Items(0), mesh.Items(1));
}

TEST(MeshTest, ATokenHasOnePositionAReplicaAfterManyRestarts) {
  Mesh mesh(2);
  mesh.ConnectAll();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(mesh.Put(0, "all", absl::StrCat("k", i), "v").ok());
    mesh.Crash(0);
    mesh.Start(0);
    mesh.ConnectAll();
  }
  ASSERT_TRUE(mesh.Settle());
  SessionToken session;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(mesh.Get(1, "all", absl::StrCat("k", i), &session));
  EXPECT_EQ(session.positions().size(), 20u);
  mesh.core(1).view()->Normalize(session);
  EXPECT_EQ(session.positions().size(), 1u);
  EXPECT_TRUE(mesh.core(1).view()->Covers(session));
  EXPECT_TRUE(mesh.core(0).view()->Covers(session));
}

TEST(MeshTest, AWipedReplicaGetsItsOwnWritesBackFromItsPeers) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "mine", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(0);
  mesh.WipeDisk(0);
  mesh.Start(0);
  ASSERT_TRUE(mesh.Put(0, "all", "after", "2").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(0, "all", "mine"), Optional(std::string("1")));
  EXPECT_EQ(mesh.Items(0), mesh.Items(1));
  EXPECT_EQ(mesh.Items(0), mesh.Items(2));
  // The chain names the origin that was lost and found again.
  int covered = 0;
  for (const OriginView& origin : mesh.core(1).view()->origins) {
    covered += origin.covered_by == mesh.core(0).self() ? 1 : 0;
  }
  EXPECT_EQ(covered, 1);
}

TEST(MeshTest, AnEntryFromTheFutureWaitsAndIsAppliedWhenItsTimeComes) {
  Mesh mesh(2);
  mesh.Crash(0);
  mesh.SkewWall(0, absl::Seconds(10));
  mesh.Start(0);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh.Settle());
  EXPECT_EQ(mesh.Get(1, "all", "x"), std::nullopt);
  ASSERT_FALSE(mesh.core(1).Blocked().empty());
  EXPECT_EQ(mesh.core(1).Blocked()[0].second.kind, OriginBlock::Kind::kClock);
  mesh.Advance(absl::Seconds(11));
  ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
  EXPECT_THAT(mesh.Get(1, "all", "x"), Optional(std::string("1")));
}

TEST(MeshTest, TimeNeverGoesBackOverARestartWithASlowClock) {
  Mesh mesh(2);
  auto before = mesh.Put(0, "all", "x", "1");
  ASSERT_TRUE(before.ok());
  mesh.Crash(0);
  mesh.SkewWall(0, -absl::Hours(1));
  mesh.Start(0);
  auto after = mesh.Put(0, "all", "x", "2");
  ASSERT_TRUE(after.ok());
  EXPECT_GT(after->version, before->version);
  EXPECT_THAT(mesh.Get(0, "all", "x"), Optional(std::string("2")));
}

TEST(MeshTest, ARegionGetsNothingOfANamespaceThatItMayNotHold) {
  Mesh mesh(3);
  mesh.ConnectAll();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(mesh.Put(0, i % 3 == 0 ? "all" : "some", absl::StrCat("k", i), "v").ok());
  }
  ASSERT_TRUE(mesh.Settle());
  EXPECT_EQ(mesh.Items(0), mesh.Items(1));
  EXPECT_EQ(mesh.Items(2).size(), 10u);
  for (const auto& [key, value] : mesh.Items(2)) {
    EXPECT_EQ(ParseItemKey(key)->name_space, "all");
  }
  // Positions are contiguous all the same.
  EXPECT_EQ(mesh.core(2).view()->AppliedOf(mesh.core(0).self()),
            mesh.core(0).view()->AppliedOf(mesh.core(0).self()));
}

TEST(MeshTest, ARelayDoesNotPassOnWhatWasLeftOutForIt) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Cut(0, 1);
  mesh.Cut(1, 0);
  ASSERT_TRUE(mesh.Put(0, "some", "x", "1").ok());
  ASSERT_TRUE(mesh.Put(0, "all", "y", "2").ok());
  ASSERT_TRUE(mesh.Settle());
  // Replica 2 has a skip for the first entry, so replica 1 can not get on through it.
  EXPECT_EQ(mesh.Get(1, "all", "y"), std::nullopt);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(1, "some", "x"), Optional(std::string("1")));
  EXPECT_THAT(mesh.Get(1, "all", "y"), Optional(std::string("2")));
}

TEST(MeshTest, ARepeatedRequestIdGivesTheSameNameAlsoAfterACrash) {
  Mesh mesh(2);
  auto first = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(first.ok());
  auto again = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->version, first->version);
  mesh.Crash(0, true);
  mesh.Start(0);
  again = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->version, first->version);
  // And at another replica, once the entry is there.
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  again = mesh.Put(1, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->version, first->version);
}

TEST(MeshTest, ARequestIdIsForgottenAfterItsWindow) {
  Mesh mesh(2);
  auto first = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(first.ok());
  mesh.Advance(absl::Minutes(11));
  ASSERT_TRUE(mesh.core(0).Commit(mesh.Now(0)).ok());
  auto again = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->repeated);
}

TEST(MeshTest, ARequestIdThatComesLateIsForgottenTooNotOnlyLaterOnes) {
  Mesh mesh(2);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1", nullptr, "early").ok());
  mesh.Advance(absl::Seconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "y", "1", nullptr, "late").ok());
  mesh.Advance(absl::Minutes(11));
  auto requests = [&mesh](int at) {
    int count = 0;
    auto it = mesh.engine(at).Iterate(Table::kRequests);
    for (it->Seek({}); it->Valid(); it->Next()) ++count;
    return count;
  };
  EXPECT_GT(requests(1), 0);
  ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
  EXPECT_EQ(requests(1), 0);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_GT(requests(1), 0);
  // It is remembered from when it came.
  mesh.Advance(absl::Minutes(11));
  ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
  EXPECT_EQ(requests(1), 0);
}

TEST(MeshTest, AnOriginThatCameBackToItsOwnerReachesPeersWhoseLinksAreUp) {
  Mesh mesh(3);
  mesh.Connect(0, 1);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  mesh.Crash(0);
  mesh.WipeDisk(0);
  mesh.Start(0);
  mesh.Connect(0, 2);  // before replica 0 has its earlier origin back
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  mesh.Connect(1, 0);
  mesh.Connect(1, 2);
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(0, "all", "x"), Optional(std::string("1")));
  EXPECT_THAT(mesh.Get(2, "all", "x"), Optional(std::string("1")));
}

TEST(MeshTest, ARetryGetsTheAnswerThatWasGivenAlsoWhenAnotherReplicaTookTheSameId) {
  Mesh mesh(2);
  auto first = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(first.ok());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "x", "1", nullptr, "id-1").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  auto again = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->version, first->version);
}

TEST(MeshTest, AnEntryBehindAGapIsRefused) {
  Mesh mesh(2);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "1").ok());
  const Origin origin = mesh.core(0).self();
  auto entry = [&](uint64_t sequence) {
    auto stored = mesh.engine(0).Get(Table::kLog, LogKey(origin, Sequence(sequence)));
    return (*stored)->substr(5);  // behind the record's kind and checksum
  };
  EXPECT_EQ(mesh.core(1).StageEntry(entry(2)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(mesh.core(1).StageEntry(entry(1)).ok());
  EXPECT_TRUE(mesh.core(1).StageEntry(entry(2)).ok());
  EXPECT_TRUE(mesh.core(1).StageEntry(entry(2)).ok());  // again: changes nothing
  EXPECT_EQ(mesh.core(1).counters().entries_duplicate, 1u);
}

TEST(MeshTest, WritesOfTheSameTimeEndAlikeWhicheverCameFirst) {
  Mesh mesh(2);  // time stands still, and both have made as many readings
  auto one = mesh.Put(0, "all", "x", "0");
  auto two = mesh.Put(1, "all", "x", "1");
  ASSERT_TRUE(one.ok() && two.ok());
  ASSERT_EQ(one->version.time, two->version.time);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  const std::string greater = one->version > two->version ? "0" : "1";
  EXPECT_THAT(mesh.Get(0, "all", "x"), Optional(greater));
  EXPECT_THAT(mesh.Get(1, "all", "x"), Optional(greater));
}

}  // namespace
}  // namespace homeport
