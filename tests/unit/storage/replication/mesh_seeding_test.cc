// Seeding between cores: what no log has any more comes as a snapshot, and nothing is lost by it.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

// Many small chunks, and commits that look at few items.
void SeedInSmallSteps(Mesh& mesh) {
  SeedReceiver::Options receiver;
  receiver.step_items = 7;
  SeedSender::Options sender;
  sender.chunk_bytes = 300;
  mesh.SetSeeding(receiver, sender);
}

void Fill(Mesh& mesh, int at, const std::string& name_space, const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(mesh.Put(at, name_space, absl::StrCat(prefix, i), absl::StrCat(prefix, i)).ok());
  }
}

void Restart(Mesh& mesh, int at) {
  mesh.Crash(at);
  mesh.Start(at);
}

void Replace(Mesh& mesh, int at) {
  mesh.Crash(at);
  mesh.WipeDisk(at);
  mesh.Start(at);
}

void TruncateLogs(Mesh& mesh) {
  for (int i = 0; i < mesh.size(); ++i) {
    if (mesh.running(i)) mesh.TruncateLog(i);
  }
}

// What cleaning does once every member has applied the delete.
void RemoveTombstone(Mesh& mesh, int at, const std::string& id) {
  WriteBatch batch;
  batch.Delete(Table::kItems, ItemKey("all", id, ""));
  ASSERT_TRUE(mesh.engine(at).Write(batch, KvEngine::Durability::kSynced).ok());
}

void ExpectAlike(Mesh& mesh) {
  for (int i = 1; i < mesh.size(); ++i) {
    for (const OriginView& origin : mesh.core(0).view()->origins) {
      EXPECT_EQ(mesh.core(i).view()->AppliedOf(origin.origin), origin.applied) << "replica " << i;
      EXPECT_EQ(mesh.core(i).view()->ReceivedOf(origin.origin), origin.received) << "replica " << i;
      const OriginView* there = mesh.core(i).view()->Find(origin.origin);
      ASSERT_NE(there, nullptr);
      EXPECT_EQ(there->covered_by, origin.covered_by);
      EXPECT_EQ(there->covered_end, origin.covered_end);
      ASSERT_NE(there->replica, nullptr);
      EXPECT_EQ(*there->replica, *origin.replica);
    }
    EXPECT_EQ(mesh.core(i).view()->seeding, nullptr);
  }
}

// Settles, gives what was declined another try, and settles again.
void SettleAll(Mesh& mesh) {
  for (int i = 0; i < 3; ++i) {
    mesh.ConnectAll();
    ASSERT_TRUE(mesh.Settle());
    mesh.Advance(absl::Seconds(6));
  }
}

// Steps what replica `at` pulls until it is being seeded and `items` were taken in.
void StepUntilSeeded(Mesh& mesh, int at, uint64_t items) {
  for (int round = 0; round < 5000; ++round) {
    for (int from = 0; from < mesh.size(); ++from) {
      if (from != at) mesh.Step(from, at, round % 8 == 0);
    }
    mesh.PlanAllRelays(at);
    mesh.PlanAllSeeding(at);
    const auto seeding = mesh.core(at).view()->seeding;
    const NamespaceSeeding* all = seeding == nullptr ? nullptr : seeding->Find("all");
    if (all != nullptr && all->items >= items) return;
  }
  FAIL() << "no seeding goes on";
}

TEST(MeshSeedingTest, AFreshReplicaIsSeededWhenNoLogHasItsEntriesAnyMore) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  Fill(mesh, 0, "all", "a", 60);
  Fill(mesh, 1, "all", "b", 60);
  Fill(mesh, 1, "some", "s", 10);
  ASSERT_TRUE(mesh.Delete(0, "all", "a7").ok());
  ASSERT_TRUE(mesh.Settle());
  Restart(mesh, 1);  // an origin that a chain entry covers
  SettleAll(mesh);
  mesh.Crash(2);
  TruncateLogs(mesh);
  mesh.WipeDisk(2);
  mesh.Start(2);
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_THAT(mesh.Get(2, "all", "a1"), Optional(std::string("a1")));
  EXPECT_EQ(mesh.Get(2, "all", "a7"), std::nullopt);
  EXPECT_EQ(mesh.Get(2, "some", "s1"), std::nullopt);
  EXPECT_EQ(mesh.Status(0, 2).state(), v1::LINK_STATE_STREAMING);

  ASSERT_TRUE(mesh.Put(0, "all", "after", "1").ok());
  ASSERT_TRUE(mesh.Put(2, "all", "own", "2").ok());
  SettleAll(mesh);
  ExpectAlike(mesh);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(mesh.Get(i, "all", "after"), Optional(std::string("1")));
    EXPECT_THAT(mesh.Get(i, "all", "own"), Optional(std::string("2")));
  }
}

TEST(MeshSeedingTest, WhatNobodyElseMayHoldAnyMoreIsNotWaitedFor) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  Fill(mesh, 1, "some", "s", 10);
  ASSERT_TRUE(mesh.Settle());
  mesh.Crash(1);
  Fill(mesh, 0, "all", "a", 60);
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle());
  TruncateLogs(mesh);
  mesh.Start(1);
  mesh.ConnectAll();
  StepUntilSeeded(mesh, 1, 10);
  ASSERT_NE(mesh.core(1).view()->seeding->Find("some"), nullptr);
  mesh.SetRegionsOfSome({1});
  SettleAll(mesh);
  EXPECT_EQ(mesh.core(1).view()->seeding, nullptr);
  EXPECT_THAT(mesh.Get(1, "all", "a7"), Optional(std::string("a7")));
  EXPECT_THAT(mesh.Get(1, "some", "s7"), Optional(std::string("s7")));
  EXPECT_EQ(mesh.Get(0, "some", "s7"), std::nullopt);
}

TEST(MeshSeedingTest, NothingIsSeededWhileAnotherPeerStillHasTheEntries) {
  Mesh mesh(3);
  mesh.Connect(0, 1);
  mesh.Connect(1, 0);
  Fill(mesh, 0, "all", "a", 20);
  ASSERT_TRUE(mesh.Settle());
  mesh.TruncateLog(0);
  mesh.Connect(0, 2);
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  EXPECT_EQ(mesh.Status(0, 2).state(), v1::LINK_STATE_SNAPSHOT_NEEDED);
  EXPECT_THAT(mesh.Status(0, 2).reason(), HasSubstr("the peer's log begins after entry 21"));
  mesh.Connect(1, 2);
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  mesh.PlanAllSeeding(2);
  EXPECT_EQ(mesh.core(2).view()->seeding, nullptr);
  EXPECT_FALSE(mesh.core(2).HasStaged());
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_NE(mesh.core(2).view()->Find(mesh.core(0).self())->log_begin, Sequence(22));
}

TEST(MeshSeedingTest, OtherOriginsGoOnWhileOneIsTruncated) {
  Mesh mesh(3);
  mesh.Connect(0, 1);
  mesh.Connect(1, 0);
  Fill(mesh, 0, "all", "a", 20);
  ASSERT_TRUE(mesh.Settle());
  mesh.TruncateLog(0);
  mesh.TruncateLog(1);
  mesh.Connect(0, 2);
  mesh.Connect(1, 2);
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  const Origin own = mesh.core(0).self();
  Restart(mesh, 0);  // a second origin, whose chain entry is in the log
  mesh.Connect(0, 2);
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  EXPECT_EQ(mesh.core(2).view()->ReceivedOf(own), Sequence(0));
  EXPECT_EQ(mesh.core(2).view()->ReceivedOf(mesh.core(0).self()), Sequence(1));
}

TEST(MeshSeedingTest, AReplicaWithWritesOfItsOwnIsMergedBothWays) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  Fill(mesh, 0, "all", "a", 40);
  ASSERT_TRUE(mesh.Settle());
  for (int other = 0; other < 2; ++other) {
    mesh.Cut(other, 2);
    mesh.Cut(2, other);
  }
  Fill(mesh, 2, "all", "unique", 40);
  mesh.Advance(absl::Seconds(1));
  Fill(mesh, 0, "all", "b", 40);
  ASSERT_TRUE(mesh.Put(0, "all", "a3", "overwritten").ok());
  ASSERT_TRUE(mesh.Delete(1, "all", "a4").ok());
  ASSERT_TRUE(mesh.Put(0, "all", "unique5", "earlier than the next").ok());
  mesh.Advance(absl::Seconds(1));
  ASSERT_TRUE(mesh.Put(2, "all", "unique5", "latest").ok());
  ASSERT_TRUE(mesh.Settle());
  mesh.TruncateLog(0);
  mesh.TruncateLog(1);
  SettleAll(mesh);
  ExpectAlike(mesh);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mesh.Items(i), mesh.Items(0));
    EXPECT_THAT(mesh.Get(i, "all", "unique39"), Optional(std::string("unique39")));
    EXPECT_THAT(mesh.Get(i, "all", "unique5"), Optional(std::string("latest")));
    EXPECT_THAT(mesh.Get(i, "all", "a3"), Optional(std::string("overwritten")));
    EXPECT_EQ(mesh.Get(i, "all", "a4"), std::nullopt);
  }
}

TEST(MeshSeedingTest, TwoReplicasThatLostSightOfEachOtherSeedEachOther) {
  Mesh mesh(2);
  SeedInSmallSteps(mesh);
  Fill(mesh, 0, "all", "a", 30);
  Fill(mesh, 1, "all", "b", 30);
  TruncateLogs(mesh);
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_EQ(mesh.Items(0).size(), 60u);
  EXPECT_EQ(mesh.Items(1), mesh.Items(0));
}

TEST(MeshSeedingTest, WhatWasRemovedWithoutATraceIsRemovedByASeedingAndNothingElse) {
  Mesh mesh(3);
  mesh.ConnectAll();
  Fill(mesh, 0, "all", "a", 5);
  ASSERT_TRUE(mesh.Settle());
  for (int other = 0; other < 2; ++other) {
    mesh.Cut(other, 2);
    mesh.Cut(2, other);
  }
  ASSERT_TRUE(mesh.Put(2, "all", "only here", "1").ok());
  ASSERT_TRUE(mesh.Delete(0, "all", "a2").ok());
  ASSERT_TRUE(mesh.Settle());
  RemoveTombstone(mesh, 0, "a2");
  RemoveTombstone(mesh, 1, "a2");
  mesh.TruncateLog(0);
  mesh.TruncateLog(1);
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_EQ(mesh.Items(2).size(), 5u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mesh.Items(i), mesh.Items(2));
    EXPECT_THAT(mesh.Get(i, "all", "only here"), Optional(std::string("1")));
  }
}

TEST(MeshSeedingTest, AnEntryThatTheCutCoversBringsNothingBackInARangeThatIsDone) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.Connect(0, 1);
  mesh.Connect(1, 0);
  Fill(mesh, 1, "all", "b", 30);
  ASSERT_TRUE(mesh.Put(0, "all", "a", "old").ok());
  Fill(mesh, 0, "all", "z", 200);
  ASSERT_TRUE(mesh.Delete(0, "all", "a").ok());
  ASSERT_TRUE(mesh.Settle());
  RemoveTombstone(mesh, 0, "a");
  RemoveTombstone(mesh, 1, "a");
  mesh.TruncateLog(1);  // replica 1's entries are nowhere else
  mesh.TruncateLog(0);
  const Origin origin0 = mesh.core(0).self();
  Replace(mesh, 2);
  mesh.Connect(1, 2);
  StepUntilSeeded(mesh, 2, 10);
  // An entry of before the delete, which a log elsewhere may still have had.
  ASSERT_LT(mesh.core(2).view()->ReceivedOf(origin0), Sequence(2));
  internal::v1::Entry chain;
  chain.set_origin(origin0.value());
  chain.set_sequence(1);
  chain.set_timestamp(1);
  chain.mutable_chain()->set_replica("r0/a");
  ASSERT_TRUE(mesh.core(2).StageEntry(chain.SerializeAsString()).ok());
  internal::v1::EntryPart part;
  part.mutable_change_class()->set_namespace_("all");
  part.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
  part.set_record_id("a");
  part.add_changes()->set_value("old");
  internal::v1::Entry put;
  put.set_origin(origin0.value());
  put.set_sequence(2);
  put.set_timestamp(2);
  AddPart(part, put);
  ASSERT_TRUE(mesh.core(2).StageEntry(put.SerializeAsString()).ok());
  ASSERT_TRUE(mesh.core(2).Commit(mesh.Now(2)).ok());
  ASSERT_EQ(mesh.core(2).view()->AppliedOf(origin0), Sequence(2));
  EXPECT_EQ(mesh.Get(2, "all", "a"), std::nullopt);
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_EQ(mesh.Get(2, "all", "a"), std::nullopt);
  EXPECT_EQ(mesh.Items(2), mesh.Items(0));
}

TEST(MeshSeedingTest, ASeedingThatIsInterruptedGoesOnBehindWhatIsThere) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.Connect(0, 1);
  mesh.Connect(1, 0);
  Fill(mesh, 0, "all", "a", 80);
  ASSERT_TRUE(mesh.Settle());
  TruncateLogs(mesh);
  Replace(mesh, 2);
  mesh.Connect(0, 2);
  mesh.Connect(2, 0);
  StepUntilSeeded(mesh, 2, 30);
  EXPECT_EQ(mesh.Status(0, 2).state(), v1::LINK_STATE_SEEDING);
  EXPECT_EQ(mesh.Status(0, 2).seed_namespace(), "all");
  EXPECT_EQ(mesh.Status(0, 2).seed_items_total(), 80u);
  const uint64_t before = mesh.core(2).view()->seeding->Find("all")->items;
  const std::string place = mesh.core(2).view()->seeding->Find("all")->place.key;
  mesh.Cut(0, 2);
  Fill(mesh, 0, "all", "c", 10);
  mesh.Connect(0, 2);
  StepUntilSeeded(mesh, 2, before + 1);
  EXPECT_GT(mesh.core(2).view()->seeding->Find("all")->place.key, place);
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_EQ(mesh.Items(2).size(), 90u);
  EXPECT_EQ(mesh.Items(2), mesh.Items(0));
}

TEST(MeshSeedingTest, AnotherPeerFinishesWhatOneBeganAndTheLesserCutCounts) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.Connect(0, 1);
  mesh.Connect(1, 0);
  Fill(mesh, 0, "all", "a", 80);
  ASSERT_TRUE(mesh.Settle());
  TruncateLogs(mesh);
  mesh.Cut(0, 1);
  Fill(mesh, 0, "all", "late", 20);  // replica 1 does not have these
  Replace(mesh, 2);
  mesh.Connect(0, 2);
  StepUntilSeeded(mesh, 2, 30);
  mesh.Crash(0);
  mesh.Connect(1, 2);
  ASSERT_TRUE(mesh.Settle());
  EXPECT_EQ(mesh.core(2).view()->seeding, nullptr);
  // Replica 0 had shown more, but only of some keys.
  for (const OriginView& origin : mesh.core(1).view()->origins) {
    EXPECT_EQ(mesh.core(2).view()->AppliedOf(origin.origin), origin.applied);
  }
  mesh.Start(0);
  SettleAll(mesh);
  ExpectAlike(mesh);
  EXPECT_EQ(mesh.Items(2).size(), 100u);
  EXPECT_EQ(mesh.Items(2), mesh.Items(0));
}

TEST(MeshSeedingTest, APowerCutBetweenAnyTwoChunksLosesNothing) {
  for (uint64_t items = 1; items < 40; items += 6) {
    Mesh mesh(2);
    SeedInSmallSteps(mesh);
    Fill(mesh, 0, "all", "a", 40);
    ASSERT_TRUE(mesh.Delete(0, "all", "a5").ok());
    mesh.TruncateLog(0);
    Fill(mesh, 1, "all", "own", 10);
    mesh.ConnectAll();
    StepUntilSeeded(mesh, 1, items);
    mesh.Crash(1, /*power=*/true);
    mesh.Start(1);
    ASSERT_NE(mesh.core(1).view()->seeding, nullptr);
    EXPECT_GE(mesh.core(1).view()->seeding->Find("all")->items, items);
    SettleAll(mesh);
    ExpectAlike(mesh);
    EXPECT_EQ(mesh.Items(0).size(), 50u);
    EXPECT_EQ(mesh.Items(1), mesh.Items(0));
  }
}

TEST(MeshSeedingTest, ASenderThatCrashesAndLosesItsDiskIsReplacedByAnother) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.Connect(0, 1);
  mesh.Connect(1, 0);
  Fill(mesh, 0, "all", "a", 60);
  ASSERT_TRUE(mesh.Settle());
  TruncateLogs(mesh);
  Replace(mesh, 2);
  mesh.Connect(0, 2);
  StepUntilSeeded(mesh, 2, 20);
  Replace(mesh, 0);
  SettleAll(mesh);
  ExpectAlike(mesh);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mesh.Items(i).size(), 60u);
}

TEST(MeshSeedingTest, ARequestIdThatTheSenderRemembersIsRememberedAfterASeeding) {
  Mesh mesh(2);
  SeedInSmallSteps(mesh);
  auto first = mesh.Put(0, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(first.ok());
  mesh.TruncateLog(0);
  SettleAll(mesh);
  auto again = mesh.Put(1, "all", "x", "1", nullptr, "id-1");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->version, first->version);
}

TEST(MeshSeedingTest, CountersAndSetsAreMergedPartByPart) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  const auto add = [&mesh](int at, const std::string& id, int64_t number) {
    v1::MutateRequest mutation;
    mutation.set_namespace_("all");
    mutation.set_id(id);
    mutation.add_changes()->set_add(number);
    ASSERT_TRUE(mesh.Mutate(at, mutation, SessionToken()).ok());
  };
  const auto change = [&mesh](int at, const std::string& added, const std::string& removed) {
    v1::MutateRequest mutation;
    mutation.set_namespace_("all");
    mutation.set_id("set");
    v1::SetChange* set = mutation.add_changes()->mutable_set();
    if (!added.empty()) set->add_add(added);
    if (!removed.empty()) set->add_remove(removed);
    ASSERT_TRUE(mesh.Mutate(at, mutation, SessionToken()).ok());
  };
  for (int at = 0; at < 3; ++at) add(at, "counter", 10);
  change(0, "a", "");
  change(2, "b", "");
  ASSERT_TRUE(mesh.Settle());
  for (int other = 0; other < 2; ++other) {
    mesh.Cut(other, 2);
    mesh.Cut(2, other);
  }
  add(0, "counter", 1);
  add(2, "counter", 2);
  change(1, "", "b");
  change(2, "c", "a");
  change(0, "d", "");
  ASSERT_TRUE(mesh.Settle());
  mesh.TruncateLog(0);
  mesh.TruncateLog(1);
  SettleAll(mesh);
  ExpectAlike(mesh);
  const std::string key = ItemKey("all", "counter", "");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mesh.Items(i), mesh.Items(0));
    internal::v1::StoredItem counter;
    ASSERT_TRUE(counter.ParseFromString(mesh.Items(i).at(key)));
    EXPECT_EQ(CounterValue(counter), 33);
    internal::v1::StoredItem set;
    ASSERT_TRUE(set.ParseFromString(mesh.Items(i).at(ItemKey("all", "set", ""))));
    EXPECT_THAT(SetElements(set), testing::ElementsAre("c", "d"));
  }
}

TEST(MeshSeedingTest, ANamespaceThatIsGivenToARegionLaterIsSeededAlone) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  Fill(mesh, 0, "some", "s", 60);
  Fill(mesh, 1, "all", "a", 10);
  ASSERT_TRUE(mesh.Delete(1, "some", "s5").ok());
  ASSERT_TRUE(mesh.Settle());
  const Sequence applied = mesh.core(2).view()->AppliedOf(mesh.core(0).self());
  ASSERT_TRUE(mesh.core(2).view()->HoldsWhole("some"));
  mesh.SetRegionsOfSome({0, 1, 2});
  EXPECT_FALSE(mesh.core(2).view()->HoldsWhole("some"));
  EXPECT_TRUE(mesh.core(2).view()->HoldsWhole("all"));
  EXPECT_TRUE(mesh.core(1).view()->HoldsWhole("some"));
  // Entries of the namespace flow before it is whole.
  ASSERT_TRUE(mesh.Put(0, "some", "after", "1").ok());
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  EXPECT_FALSE(mesh.core(2).view()->HoldsWhole("some"));
  EXPECT_GT(mesh.core(2).view()->AppliedOf(mesh.core(0).self()), applied);
  mesh.Crash(2, /*power=*/true);
  mesh.Start(2);
  EXPECT_FALSE(mesh.core(2).view()->HoldsWhole("some"));
  SettleAll(mesh);
  EXPECT_TRUE(mesh.core(2).view()->HoldsWhole("some"));
  EXPECT_EQ(mesh.Items(2), mesh.Items(0));
  EXPECT_THAT(mesh.Get(2, "some", "s7"), Optional(std::string("s7")));
  EXPECT_THAT(mesh.Get(2, "some", "after"), Optional(std::string("1")));
  EXPECT_EQ(mesh.Get(2, "some", "s5"), std::nullopt);
}

TEST(MeshSeedingTest, ANamespaceThatIsTakenAwayGoesAndIsLeftOutFromThen) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  Fill(mesh, 0, "some", "s", 20);
  Fill(mesh, 0, "all", "a", 20);
  ASSERT_TRUE(mesh.Settle());
  mesh.SetRegionsOfSome({0});
  SettleAll(mesh);
  EXPECT_EQ(mesh.Get(1, "some", "s1"), std::nullopt);
  EXPECT_THAT(mesh.Get(1, "all", "a1"), Optional(std::string("a1")));
  EXPECT_EQ(mesh.Items(1), mesh.Items(2));
  EXPECT_EQ(mesh.core(1).left_out(), std::set<std::string>{"some"});
  ASSERT_TRUE(mesh.Put(0, "some", "meanwhile", "1").ok());
  SettleAll(mesh);
  EXPECT_EQ(mesh.Get(1, "some", "meanwhile"), std::nullopt);
  // Given back, it starts from nothing.
  mesh.SetRegionsOfSome({0, 1});
  EXPECT_FALSE(mesh.core(1).view()->HoldsWhole("some"));
  SettleAll(mesh);
  EXPECT_TRUE(mesh.core(1).view()->HoldsWhole("some"));
  EXPECT_EQ(mesh.Items(1), mesh.Items(0));
}

TEST(MeshSeedingTest, WhatWaitsOfANamespaceThatIsTakenAwayIsNeverApplied) {
  Mesh mesh(3);
  SessionToken seen;
  ASSERT_TRUE(mesh.Put(2, "all", "first", "1", &seen).ok());
  mesh.Connect(2, 0);
  ASSERT_TRUE(mesh.Settle());
  ASSERT_TRUE(mesh.Put(0, "some", "second", "2", &seen, "id").ok());
  mesh.Connect(0, 1);
  ASSERT_TRUE(mesh.Settle(/*relays=*/false));
  const Origin writer = mesh.core(0).self();
  ASSERT_LT(mesh.core(1).view()->AppliedOf(writer), mesh.core(1).view()->ReceivedOf(writer));
  mesh.SetRegionsOfSome({0});
  SettleAll(mesh);
  EXPECT_EQ(mesh.core(1).view()->AppliedOf(writer), mesh.core(0).view()->ReceivedOf(writer));
  EXPECT_THAT(mesh.Get(1, "all", "first"), Optional(std::string("1")));
  EXPECT_EQ(mesh.Get(1, "some", "second"), std::nullopt);
}

TEST(MeshSeedingTest, AReplicaThatDoesNotHoldANamespaceWholeDeclines) {
  Mesh mesh(3);
  SeedInSmallSteps(mesh);
  mesh.ConnectAll();
  Fill(mesh, 0, "some", "s", 20);
  ASSERT_TRUE(mesh.Settle());
  mesh.SetRegionsOfSome({0, 1, 2});
  mesh.Connect(2, 1);
  ASSERT_TRUE(mesh.Settle());
  LinkSender sender({"mesh", Mesh::NameOf(2)}, &mesh.engine(2));
  const auto topology = mesh.topology();
  internal::v1::PullRequest request;
  *request.mutable_hello() = MakeHello("mesh", Mesh::NameOf(1), topology->fingerprint(),
                                       *mesh.core(1).view(), mesh.Now(1).wall);
  EXPECT_EQ(MakeHello("mesh", Mesh::NameOf(2), topology->fingerprint(), *mesh.core(2).view(),
                      mesh.Now(2).wall)
                .partial_namespaces(0),
            "some");
  request.set_credit_bytes(1000);
  request.mutable_seed()->set_number(1);
  request.mutable_seed()->set_namespace_("some");
  ASSERT_FALSE(sender.OnHello(request.hello(), topology, *mesh.core(2).view()).has_value());
  sender.OnRequest(request, *mesh.core(2).view());
  auto response = sender.NextSeed(*mesh.core(2).view(), mesh.Now(2).steady);
  ASSERT_TRUE(response.ok() && response->has_value());
  EXPECT_EQ((*response)->seed_chunk().declined(), "r2/a does not hold it whole yet");
}

}  // namespace
}  // namespace homeport
