// Replication between cores: what is promised of a mesh of replicas, step by step and by seeds.
#include "tests/unit/storage/replication/mesh.h"

#include <algorithm>
#include <random>

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

// A run drawn from a seed: writes, deletes, sessions, cuts, crashes with unsynced data lost, clocks
// that are off. Then everything heals and must converge, with every acknowledged write accounted
// for.
class Campaign {
 public:
  explicit Campaign(uint64_t seed)
      : random_(seed), mesh_(2 + static_cast<int>(Draw(4))), sessions_(4) {}

  void Run() {
    for (int i = 0; i < mesh_.size(); ++i) {
      mesh_.SkewWall(i, absl::Milliseconds(static_cast<int64_t>(Draw(200)) - 100));
    }
    mesh_.ConnectAll();
    for (int step = 0; step < 1500 && !::testing::Test::HasFailure(); ++step) Step();
    Heal();
  }

 private:
  struct Session {
    SessionToken token;
    // The greatest version of each key that the session has written or read.
    std::map<std::string, Version> seen;
  };

  uint64_t Draw(uint64_t below) { return random_() % below; }
  int Node() { return static_cast<int>(Draw(mesh_.size())); }

  void Step() {
    const int at = Node();
    const int other = Node();
    const uint64_t kind = Draw(1000);
    mesh_.Advance(absl::Microseconds(Draw(2000)));
    if (kind < 250) {
      if (mesh_.running(at)) Write(at);
    } else if (kind < 450) {
      if (mesh_.running(at)) Read(at);
    } else if (kind < 950) {
      if (at != other) mesh_.Step(at, other, Draw(10) == 0);
    } else if (kind < 965) {
      if (at != other) mesh_.Cut(at, other);
    } else if (kind < 985) {
      if (at != other && !mesh_.connected(at, other)) mesh_.Connect(at, other);
    } else if (kind < 992) {
      if (mesh_.running(at)) mesh_.PlanAllRelays(at);
    } else if (kind < 996) {
      if (mesh_.running(at)) mesh_.Crash(at, Draw(2) == 0);
    } else if (!mesh_.running(at)) {
      mesh_.Start(at);
    }
  }

  void Write(int at) {
    Session& session = sessions_[Draw(sessions_.size())];
    if (!mesh_.core(at).view()->Covers(session.token)) return;
    const std::string id = absl::StrCat("k", Draw(12));
    auto name = mesh_.Put(at, "all", id, absl::StrCat(++values_), &session.token);
    ASSERT_TRUE(name.ok()) << name.status();
    Version& last = session.seen[id];
    ASSERT_GT(name->version, last) << "a session's write is older than what it has seen";
    last = name->version;
    Version& newest = newest_[id];
    if (name->version > newest) {
      newest = name->version;
      values_by_id_[id] = absl::StrCat(values_);
    }
  }

  void Read(int at) {
    Session& session = sessions_[Draw(sessions_.size())];
    if (!mesh_.core(at).view()->Covers(session.token)) return;
    const std::string id = absl::StrCat("k", Draw(12));
    v1::GetRequest request;
    request.set_namespace_("all");
    request.set_id(id);
    v1::GetResponse response;
    ASSERT_TRUE(ReadItem(&mesh_.engine(at), request, session.token, response).ok());
    const Version version{HybridTime(response.version().hybrid_time()),
                          Origin(response.version().origin())};
    ASSERT_GE(version, session.seen[id]) << "a session went back in time";
    session.seen[id] = version;
    if (Draw(2) == 0) mesh_.core(at).view()->Normalize(session.token);
  }

  void Heal() {
    for (int i = 0; i < mesh_.size(); ++i) {
      if (!mesh_.running(i)) mesh_.Start(i);
    }
    mesh_.ConnectAll();
    mesh_.Advance(absl::Seconds(2));
    ASSERT_TRUE(mesh_.Settle());
    const auto items = mesh_.Items(0);
    for (int i = 1; i < mesh_.size(); ++i) ASSERT_EQ(mesh_.Items(i), items);
    for (const auto& [id, value] : values_by_id_) {
      ASSERT_THAT(mesh_.Get(0, "all", id), Optional(value)) << "an acknowledged write is lost";
    }
    for (int i = 0; i < mesh_.size(); ++i) {
      EXPECT_TRUE(mesh_.core(i).Blocked().empty());
      for (const OriginView& origin : mesh_.core(i).view()->origins) {
        EXPECT_EQ(origin.received, origin.applied);
        EXPECT_EQ(origin.applied, mesh_.core(0).view()->AppliedOf(origin.origin));
      }
    }
  }

  std::mt19937_64 random_;
  Mesh mesh_;
  std::vector<Session> sessions_;
  std::map<std::string, Version> newest_;
  std::map<std::string, std::string> values_by_id_;
  int values_ = 0;
};

TEST(MeshCampaignTest, EverySeedConvergesAndLosesNothing) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Campaign(seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace homeport
