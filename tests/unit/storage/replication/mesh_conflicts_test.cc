// The conflict journals of a mesh of replicas.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/replication/conflict_reader.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

std::vector<v1::Conflict> Conflicts(Mesh& mesh, int at) {
  auto page = ListConflicts(&mesh.engine(at), Mesh::NameOf(at), {}, ReadLimits());
  EXPECT_TRUE(page.ok()) << page.status();
  return {page->conflicts().begin(), page->conflicts().end()};
}

std::vector<std::string> Lost(Mesh& mesh, int at) {
  std::vector<std::string> values;
  for (const v1::Conflict& conflict : Conflicts(mesh, at)) values.push_back(conflict.value());
  return values;
}

void CutAll(Mesh& mesh) {
  for (int from = 0; from < mesh.size(); ++from) {
    for (int to = 0; to < mesh.size(); ++to) {
      if (from != to) mesh.Cut(from, to);
    }
  }
}

TEST(MeshConflictsTest, ATwoSidedWriteIsJournaledOnceAtTheAcceptorOfTheLoser) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "x", "before").ok());
  ASSERT_TRUE(mesh.Settle());
  CutAll(mesh);
  const auto lost = mesh.Put(0, "all", "x", "early");
  ASSERT_TRUE(lost.ok());
  mesh.Advance(absl::Milliseconds(1));
  const auto won = mesh.Put(1, "all", "x", "late");
  ASSERT_TRUE(won.ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  const std::vector<v1::Conflict> conflicts = Conflicts(mesh, 0);
  ASSERT_EQ(conflicts.size(), 1u);
  EXPECT_EQ(conflicts[0].value(), "early");
  EXPECT_EQ(conflicts[0].version().hybrid_time(), lost->version.time.value());
  EXPECT_EQ(conflicts[0].winner().hybrid_time(), won->version.time.value());
  EXPECT_EQ(conflicts[0].winner().origin(), won->version.origin.value());
  EXPECT_FALSE(conflicts[0].by_snapshot());
  EXPECT_THAT(Lost(mesh, 1), IsEmpty());
  EXPECT_THAT(Lost(mesh, 2), IsEmpty());
  // Streams that begin anew repeat what they sent.
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(Lost(mesh, 0), ElementsAre("early"));
}

TEST(MeshConflictsTest, OfManyConcurrentWritesAllButTheLastAreJournaledWhereTheyWereAccepted) {
  Mesh mesh(4);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(mesh.Put(i, "all", "x", absl::StrCat("by", i)).ok());
    mesh.Advance(absl::Milliseconds(1));
  }
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Lost(mesh, i), ElementsAre(absl::StrCat("by", i)));
  EXPECT_THAT(Lost(mesh, 3), IsEmpty());
}

TEST(MeshConflictsTest, AnOverwriteOfWhatWasThereIsNoConflict) {
  Mesh mesh(3);
  mesh.ConnectAll();
  // Round and round, so that each replica overwrites what the one before wrote.
  for (int round = 0; round < 12; ++round) {
    mesh.Advance(absl::Milliseconds(1));
    ASSERT_TRUE(mesh.Put(round % 3, "all", "x", absl::StrCat("v", round)).ok());
    ASSERT_TRUE(mesh.Settle());
    if (round % 4 == 1) {
      ASSERT_TRUE(mesh.Delete((round + 1) % 3, "all", "x").ok());
    }
    ASSERT_TRUE(mesh.Settle());
    if (round % 5 == 4) {
      mesh.Crash(round % 3, true);
      mesh.Start(round % 3);
      mesh.ConnectAll();
      ASSERT_TRUE(mesh.Settle());
    }
  }
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Lost(mesh, i), IsEmpty()) << i;
  EXPECT_THAT(mesh.Get(0, "all", "x"), Optional(std::string("v11")));
}

TEST(MeshConflictsTest, AnOverwriteThatOnlyTheOriginsEarlierEntriesExplainIsNoConflict) {
  Mesh mesh(2);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "a", "1").ok());
  ASSERT_TRUE(mesh.Put(0, "all", "b", "2").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Advance(absl::Milliseconds(1));
  // The first overwrite names position 2 or later, so the second one's entry need not say more.
  ASSERT_TRUE(mesh.Put(1, "all", "b", "3").ok());
  ASSERT_TRUE(mesh.Put(1, "all", "a", "4").ok());
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(Lost(mesh, 0), IsEmpty());
  // Nor after the other side was started again, with nothing but its disk.
  mesh.Crash(0, true);
  mesh.Start(0);
  ASSERT_TRUE(mesh.Put(0, "all", "c", "5").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "c", "6").ok());
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(Lost(mesh, 0), IsEmpty());
}

TEST(MeshConflictsTest, AnOverwriteThatOnlyEntriesBehindASeedingExplainIsNoConflict) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "a", "1").ok());
  ASSERT_TRUE(mesh.Put(0, "all", "b", "2").ok());
  ASSERT_TRUE(mesh.Settle());
  CutAll(mesh);
  ASSERT_TRUE(mesh.Put(0, "all", "c", "unseen").ok());
  mesh.Connect(1, 2);
  mesh.Connect(2, 1);
  mesh.Advance(absl::Milliseconds(1));
  // This names what the next one of region 1 need not name any more, and no log keeps it.
  ASSERT_TRUE(mesh.Put(1, "all", "b", "3").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.TruncateLog(1);
  mesh.TruncateLog(2);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  ASSERT_THAT(mesh.Get(0, "all", "b"), Optional(std::string("3")));
  mesh.Cut(0, 1);
  ASSERT_TRUE(mesh.Put(0, "all", "d", "unseen").ok());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "a", "4").ok());
  ASSERT_TRUE(mesh.Put(1, "all", "d", "5").ok());
  ASSERT_TRUE(mesh.Settle());
  // It had seen the one, and not the other. Of what came with the snapshot nobody can say.
  std::vector<std::string> by_entries;
  for (const v1::Conflict& conflict : Conflicts(mesh, 0)) {
    if (!conflict.by_snapshot()) by_entries.push_back(conflict.value());
  }
  EXPECT_THAT(by_entries, ElementsAre("unseen"));
}

TEST(MeshConflictsTest, AnOverwriteOfAValueOfTheStartBeforeTheLastIsNoConflict) {
  Mesh mesh(2);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "a", "1").ok());
  ASSERT_TRUE(mesh.Put(0, "all", "b", "2").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "b", "3").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(0);
  mesh.Start(0);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "all", "c", "4").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Advance(absl::Milliseconds(1));
  // Who has seen the second start has seen all of the first.
  ASSERT_TRUE(mesh.Put(1, "all", "c", "5").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(0);
  mesh.Start(0);
  mesh.ConnectAll();
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "a", "6").ok());
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(0, "all", "a"), Optional(std::string("6")));
  EXPECT_THAT(Lost(mesh, 0), IsEmpty());
}

TEST(MeshConflictsTest, AWriteReplacedInAThirdRegionThatHadSeenItIsNoConflict) {
  Mesh mesh(3);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  CutAll(mesh);
  mesh.Connect(0, 2);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "first").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(2, "all", "x", "second").ok());
  mesh.Connect(2, 1);
  mesh.Connect(0, 1);
  ASSERT_TRUE(mesh.Settle());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "x", "third").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Lost(mesh, i), IsEmpty()) << i;
    EXPECT_THAT(mesh.Get(i, "all", "x"), Optional(std::string("third")));
  }
}

TEST(MeshConflictsTest, ARestartBetweenNeitherLosesNorDoublesAConflict) {
  Mesh mesh(2);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  CutAll(mesh);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "early").ok());
  mesh.Crash(0, true);
  mesh.Start(0);  // the loser is of an earlier start when it is overtaken
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "x", "late").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(Lost(mesh, 0), ElementsAre("early"));
  for (int i = 0; i < 3; ++i) {
    mesh.Crash(0, true);
    mesh.Start(0);
    mesh.ConnectAll();
    ASSERT_TRUE(mesh.Settle());
  }
  EXPECT_THAT(Lost(mesh, 0), ElementsAre("early"));
  EXPECT_EQ(mesh.core(0).journal().stats()->conflicts, 1u);
}

TEST(MeshConflictsTest, ACommitThatFailsLeavesTheConflictToTheNextStart) {
  for (MemoryDisk::Fate fate : {MemoryDisk::Fate::kLost, MemoryDisk::Fate::kKept}) {
    Mesh mesh(2);
    mesh.ConnectAll();
    ASSERT_TRUE(mesh.Settle());
    CutAll(mesh);
    ASSERT_TRUE(mesh.Put(0, "all", "x", "early").ok());
    mesh.Advance(absl::Milliseconds(1));
    ASSERT_TRUE(mesh.Put(1, "all", "x", "late").ok());
    mesh.FailNextWrite(0, fate);
    mesh.ConnectAll();
    for (int step = 0; step < 100 && !mesh.failed(0); ++step) mesh.Step(1, 0, true);
    ASSERT_TRUE(mesh.failed(0));
    mesh.Crash(0);
    mesh.Start(0);
    mesh.ConnectAll();
    ASSERT_TRUE(mesh.Settle());
    EXPECT_THAT(Lost(mesh, 0), ElementsAre("early"));
  }
}

TEST(MeshConflictsTest, OwnHistoryThatComesBackFromPeersIsNoConflict) {
  Mesh mesh(3);
  mesh.ConnectAll();
  for (int start = 0; start < 3; ++start) {
    for (int i = 0; i < 3; ++i) {
      mesh.Advance(absl::Milliseconds(1));
      ASSERT_TRUE(mesh.Put(0, "all", "x", absl::StrCat(start, ".", i)).ok());
    }
    ASSERT_TRUE(mesh.Settle());
    mesh.Crash(0);
    mesh.Start(0);
    mesh.ConnectAll();
  }
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(0);
  mesh.WipeDisk(0);
  mesh.Start(0);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(0, "all", "x"), Optional(std::string("2.2")));
  EXPECT_THAT(Lost(mesh, 0), IsEmpty());
}

TEST(MeshConflictsTest, ALostValueIsRestoredOnceAlsoOverACrash) {
  Mesh mesh(2);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  CutAll(mesh);
  ASSERT_TRUE(mesh.Put(0, "all", "x", "early").ok());
  mesh.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(mesh.Put(1, "all", "x", "late").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  ASSERT_EQ(Conflicts(mesh, 0).size(), 1u);
  const auto number = ParseConflictId(Conflicts(mesh, 0)[0].id(), Mesh::NameOf(0));
  ASSERT_TRUE(number.ok()) << number.status();

  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  mutation.set_id("x");
  mutation.add_changes()->set_put("early");
  const SessionToken token;
  mesh.Advance(absl::Milliseconds(1));
  const auto restored = mesh.core(0).StageRestore(*number, {&mutation, &token}, mesh.Now(0));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_FALSE(restored->repeated);
  const auto at_once = mesh.core(0).StageRestore(*number, {&mutation, &token}, mesh.Now(0));
  ASSERT_TRUE(at_once.ok()) << at_once.status();
  EXPECT_TRUE(at_once->repeated);
  ASSERT_TRUE(mesh.core(0).Commit(mesh.Now(0)).ok());
  mesh.Crash(0, true);
  mesh.Start(0);
  mesh.ConnectAll();
  const auto again = mesh.core(0).StageRestore(*number, {&mutation, &token}, mesh.Now(0));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->version, restored->version);
  EXPECT_EQ(again->sequence, restored->sequence);
  ASSERT_TRUE(mesh.Settle());
  EXPECT_THAT(mesh.Get(1, "all", "x"), Optional(std::string("early")));
  EXPECT_EQ(Conflicts(mesh, 0)[0].restored().hybrid_time(), restored->version.time.value());
  // It replaced what had won.
  EXPECT_THAT(Lost(mesh, 1), IsEmpty());
}

TEST(MeshConflictsTest, ARestoreOfWhatIsNotInTheJournalWritesNothing) {
  Mesh mesh(2);
  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  mutation.set_id("x");
  mutation.add_changes()->set_put("v");
  const SessionToken token;
  const auto unknown =
      mesh.core(0).StageRestore(ConflictNumber(9), {&mutation, &token}, mesh.Now(0));
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(mesh.core(0).Commit(mesh.Now(0)).ok());
  EXPECT_EQ(mesh.Get(0, "all", "x"), std::nullopt);
}

}  // namespace
}  // namespace homeport
