// While a topology is rolled out, replicas that go by different ones exchange what both allow, and
// what is left out is filled in later.
#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/replication/kept_items.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::Contains;
using ::testing::Optional;

class OwedTest : public testing::Test {
 protected:
  OwedTest() {
    mesh_.ConnectAll();
    EXPECT_TRUE(mesh_.Settle());
  }
  // The replica's streams are begun again, and what was declined is asked for again.
  void Settle() {
    mesh_.ConnectAll();
    ASSERT_TRUE(mesh_.Settle());
    mesh_.Advance(absl::Seconds(10));
    ASSERT_TRUE(mesh_.Settle());
  }
  void Put(int at, const std::string& name_space, const std::string& id) {
    ASSERT_TRUE(mesh_.Put(at, name_space, id, id).ok());
  }
  bool Whole(int at) { return mesh_.core(at).view()->HoldsWhole("some"); }
  bool Keeps(int at) { return KeptCutOf(*mesh_.core(at).view(), "some") != nullptr; }
  // 2 takes what 1 wrote.
  void Settle1To2() {
    mesh_.Connect(1, 2);
    ASSERT_TRUE(mesh_.Settle(/*relays=*/false));
  }
  uint64_t OwedTo(int at) {
    const auto seeding = mesh_.core(at).view()->seeding;
    const NamespaceSeeding* some = seeding == nullptr ? nullptr : seeding->Find("some");
    return some == nullptr ? 0 : some->owed;
  }

  Mesh mesh_{3};
  const Origin writer_ = mesh_.core(1).self();
};

TEST_F(OwedTest, WhatTheSenderDoesNotKnowTheReceiverToHoldIsOwedAndFilledInLater) {
  mesh_.SetRegionsOfSomeAt(2, {0, 1, 2});
  Settle();
  Put(0, "some", "x");
  Put(0, "all", "y");
  Settle();
  // The rest goes on.
  EXPECT_THAT(mesh_.Get(2, "all", "y"), Optional(std::string("y")));
  EXPECT_EQ(mesh_.core(2).view()->ReceivedOf(mesh_.core(0).self()),
            mesh_.core(0).view()->ReceivedOf(mesh_.core(0).self()));
  EXPECT_EQ(mesh_.Get(2, "some", "x"), std::nullopt);
  EXPECT_FALSE(Whole(2));
  EXPECT_EQ(OwedTo(2), 1u);
  EXPECT_EQ(mesh_.core(2).counters().entries_owed, 1u);
  mesh_.SetRegionsOfSome({0, 1, 2});
  Settle();
  EXPECT_THAT(mesh_.Get(2, "some", "x"), Optional(std::string("x")));
  EXPECT_TRUE(Whole(2));
  EXPECT_EQ(OwedTo(2), 0u);
}

TEST_F(OwedTest, WhatTheReceiverMayNotHoldYetIsLeftOutByItAndSeededLater) {
  mesh_.SetRegionsOfSomeAt(0, {0, 1, 2});
  Settle();
  Put(0, "some", "x");
  Put(0, "all", "y");
  Settle();
  EXPECT_THAT(mesh_.Get(2, "all", "y"), Optional(std::string("y")));
  EXPECT_EQ(mesh_.Get(2, "some", "x"), std::nullopt);
  EXPECT_THAT(mesh_.core(2).left_out(), Contains("some"));
  EXPECT_EQ(mesh_.LinkStatusOf(0, 2).state(), v1::LINK_STATE_STREAMING);
  mesh_.SetRegionsOfSome({0, 1, 2});
  Settle();
  EXPECT_THAT(mesh_.Get(2, "some", "x"), Optional(std::string("x")));
  EXPECT_TRUE(Whole(2));
}

TEST_F(OwedTest, ARolloutThatIsTakenBackLeavesNothingMissing) {
  Put(0, "some", "before");
  Settle();
  mesh_.SetRegionsOfSomeAt(0, {0, 2});
  Settle();
  Put(0, "some", "during");
  Put(0, "all", "y");
  Settle();
  EXPECT_THAT(mesh_.Get(1, "all", "y"), Optional(std::string("y")));
  EXPECT_EQ(mesh_.Get(1, "some", "during"), std::nullopt);
  EXPECT_FALSE(Whole(1));
  EXPECT_EQ(OwedTo(1), 1u);
  mesh_.SetRegionsOfSome({0, 1});
  Settle();
  EXPECT_THAT(mesh_.Get(1, "some", "during"), Optional(std::string("during")));
  EXPECT_THAT(mesh_.Get(1, "some", "before"), Optional(std::string("before")));
  EXPECT_TRUE(Whole(1));
}

TEST_F(OwedTest, WhatIsOwedIsForgottenWithANamespaceThatIsTakenAway) {
  mesh_.SetRegionsOfSomeAt(0, {0, 2});
  Settle();
  Put(0, "some", "x");
  Settle();
  EXPECT_EQ(OwedTo(1), 1u);
  mesh_.SetRegionsOfSome({0, 2});
  Settle();
  EXPECT_EQ(OwedTo(1), 0u);
  EXPECT_TRUE(mesh_.core(1).view()->seeding == nullptr);
  EXPECT_THAT(mesh_.core(1).left_out(), Contains("some"));
  EXPECT_THAT(mesh_.Get(2, "some", "x"), Optional(std::string("x")));
}

TEST_F(OwedTest, WhatIsOwedOutlastsACrash) {
  mesh_.SetRegionsOfSomeAt(0, {0, 2});
  Settle();
  Put(0, "some", "x");
  Settle();
  mesh_.Crash(1, /*power=*/true);
  mesh_.Start(1);
  mesh_.Advance(absl::Seconds(1));
  Settle();
  EXPECT_FALSE(Whole(1));
  EXPECT_EQ(OwedTo(1), 1u);
  mesh_.SetRegionsOfSome({0, 1, 2});
  Settle();
  EXPECT_THAT(mesh_.Get(1, "some", "x"), Optional(std::string("x")));
  EXPECT_TRUE(Whole(1));
}

TEST_F(OwedTest, OfTwoRolloutsAfterEachOtherNothingIsForgotten) {
  mesh_.SetRegionsOfSomeAt(0, {0, 2});
  Settle();
  Put(0, "some", "first");
  Settle();
  mesh_.SetRegionsOfSomeAt(2, {0, 1, 2});
  Settle();
  mesh_.SetRegionsOfSomeAt(0, {0, 1, 2});
  Settle();
  // 1 alone has not heard of it, and gets what both versions allow.
  Put(0, "some", "second");
  Put(1, "some", "third");
  Settle();
  mesh_.SetRegionsOfSome({0, 1, 2});
  Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Whole(i)) << i;
    for (const std::string id : {"first", "second", "third"}) {
      EXPECT_THAT(mesh_.Get(i, "some", id), Optional(id)) << i;
    }
  }
}

TEST_F(OwedTest, WhatARegionWroteBeforeANamespaceWasTakenAwayComesBackWithIt) {
  mesh_.Cut(1, 0);
  mesh_.Cut(1, 2);
  Put(1, "some", "own");
  mesh_.SetRegionsOfSome({0});
  ASSERT_TRUE(mesh_.Settle());
  mesh_.SetRegionsOfSome({0, 1});
  // Only 1 has the entry, and 0 does not hear of it yet.
  mesh_.Connect(0, 1);
  ASSERT_TRUE(mesh_.Settle());
  EXPECT_THAT(mesh_.Get(1, "some", "own"), Optional(std::string("own")));
  Settle();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Whole(i)) << i;
    EXPECT_THAT(mesh_.Get(i, "some", "own"), Optional(std::string("own"))) << i;
  }
}

// The last write is lost with the log of who wrote it, unless somebody else has it.
TEST_F(OwedTest, WhatARegionAloneHasOfANamespaceThatIsTakenAwayIsKeptUntilAnotherHasIt) {
  mesh_.Cut(1, 0);
  mesh_.Cut(1, 2);
  Put(1, "some", "own");
  mesh_.SetRegionsOfSome({0});
  ASSERT_TRUE(mesh_.Settle());
  EXPECT_TRUE(Keeps(1));
  mesh_.TruncateLog(1);
  mesh_.Crash(1, /*power=*/true);
  mesh_.Start(1);
  EXPECT_TRUE(Keeps(1));
  mesh_.Advance(absl::Seconds(1));
  Settle();
  EXPECT_THAT(mesh_.Get(0, "some", "own"), Optional(std::string("own")));
  EXPECT_FALSE(Keeps(1));
  EXPECT_TRUE(mesh_.Items(1).empty());
}

// 2 has left out what 0 lacks; that its log goes on does not mean that nothing is missing.
TEST_F(OwedTest, NobodyIsSeededPastWhatAKeeperMayHave) {
  mesh_.Cut(1, 0);
  Put(1, "some", "own");
  Settle1To2();
  mesh_.SetRegionsOfSome({0});
  ASSERT_TRUE(mesh_.Settle());
  mesh_.TruncateLog(1);
  mesh_.TruncateLog(2);
  mesh_.Crash(1);
  Settle();
  EXPECT_LT(mesh_.core(0).view()->ReceivedOf(writer_), mesh_.core(2).view()->ReceivedOf(writer_));
  mesh_.Start(1);
  mesh_.Advance(absl::Seconds(1));
  Settle();
  EXPECT_THAT(mesh_.Get(0, "some", "own"), Optional(std::string("own")));
  EXPECT_EQ(mesh_.core(0).view()->ReceivedOf(writer_), mesh_.core(2).view()->ReceivedOf(writer_));
  EXPECT_FALSE(Keeps(1));
}

TEST_F(OwedTest, ANamespaceThatIsGivenBackBeforeAnotherHasAllOfItLosesNothing) {
  mesh_.Cut(1, 0);
  mesh_.Cut(1, 2);
  Put(1, "some", "own");
  mesh_.SetRegionsOfSome({0});
  ASSERT_TRUE(mesh_.Settle());
  mesh_.TruncateLog(1);
  mesh_.SetRegionsOfSome({0, 1});
  mesh_.Connect(0, 1);
  ASSERT_TRUE(mesh_.Settle());
  EXPECT_THAT(mesh_.Get(1, "some", "own"), Optional(std::string("own")));
  Settle();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Whole(i)) << i;
    EXPECT_FALSE(Keeps(i)) << i;
    EXPECT_THAT(mesh_.Get(i, "some", "own"), Optional(std::string("own"))) << i;
  }
}

TEST_F(OwedTest, NobodyIsSeededFromWhoIsOwedSomething) {
  mesh_.SetRegionsOfSomeAt(0, {0, 2});
  Settle();
  Put(0, "some", "x");
  Settle();
  mesh_.Crash(0);
  // 1 and 2 agree; 2 is given the namespace, and 1 lacks a part of it.
  mesh_.SetRegionsOfSome({0, 1, 2});
  Settle();
  EXPECT_FALSE(Whole(1));
  EXPECT_FALSE(Whole(2));
  mesh_.Start(0);
  mesh_.Advance(absl::Seconds(1));
  Settle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Whole(i)) << i;
    EXPECT_THAT(mesh_.Get(i, "some", "x"), Optional(std::string("x"))) << i;
  }
}

}  // namespace
}  // namespace homeport
