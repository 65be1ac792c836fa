// Counters, sets and expiry between replicas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "common/status/error.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/record_reader.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ValuesTest : public testing::Test {
 protected:
  ValuesTest() : mesh_(3) {
    mesh_.ConnectAll();
    EXPECT_TRUE(mesh_.Settle());
  }

  static v1::MutateRequest Mutation(const std::string& request_id = "") {
    v1::MutateRequest mutation;
    mutation.set_namespace_("all");
    mutation.set_id("id");
    mutation.mutable_options()->set_request_id(request_id);
    return mutation;
  }
  absl::StatusOr<WriteName> Add(int at, int64_t delta, const std::string& request_id = "",
                                const SessionToken& token = {}) {
    v1::MutateRequest mutation = Mutation(request_id);
    mutation.add_changes()->set_add(delta);
    return mesh_.Mutate(at, mutation, token);
  }
  void Delete(int at, const SessionToken& token = {}) {
    v1::MutateRequest mutation = Mutation();
    mutation.add_changes()->set_delete_(true);
    ASSERT_TRUE(mesh_.Mutate(at, mutation, token).ok());
  }
  void Change(int at, const std::vector<std::string>& add,
              const std::vector<std::string>& remove = {}) {
    v1::MutateRequest mutation = Mutation();
    v1::SetChange* set = mutation.add_changes()->mutable_set();
    for (const std::string& element : add) set->add_add(element);
    for (const std::string& element : remove) set->add_remove(element);
    ASSERT_TRUE(mesh_.Mutate(at, mutation, {}).ok());
  }
  v1::GetResponse Get(int at, SessionToken* token = nullptr) {
    v1::GetRequest request;
    request.set_namespace_("all");
    request.set_id("id");
    v1::GetResponse response;
    SessionToken seen;
    const HybridTime now = mesh_.core(at).view()->TimeAt(mesh_.Now(at).steady);
    EXPECT_TRUE(ReadItem(&mesh_.engine(at), request, now, seen, response).ok());
    if (token != nullptr) token->Merge(seen);
    return response;
  }
  int64_t Counter(int at) { return Get(at).item().counter(); }
  std::vector<std::string> Elements(int at) {
    const v1::GetResponse response = Get(at);
    return {response.item().elements().begin(), response.item().elements().end()};
  }
  void CutOff(int at) {
    for (int other = 0; other < 3; ++other) {
      if (other == at) continue;
      mesh_.Cut(at, other);
      mesh_.Cut(other, at);
    }
  }
  void ExpectSameItems() {
    mesh_.ConnectAll();
    ASSERT_TRUE(mesh_.Settle());
    EXPECT_EQ(mesh_.Items(0), mesh_.Items(1));
    EXPECT_EQ(mesh_.Items(0), mesh_.Items(2));
  }

  Mesh mesh_;
};

TEST_F(ValuesTest, AdditionsOnBothSidesOfACutAllCount) {
  CutOff(2);
  ASSERT_TRUE(Add(0, 5).ok());
  ASSERT_TRUE(Add(0, 5).ok());
  ASSERT_TRUE(Add(1, -3).ok());
  ASSERT_TRUE(Add(2, 100).ok());
  ExpectSameItems();
  EXPECT_EQ(Counter(2), 107);
}

TEST_F(ValuesTest, ACounterOutlivesRestartsAndTheirNewOrigins) {
  ASSERT_TRUE(Add(0, 5).ok());
  ASSERT_TRUE(mesh_.Settle());
  mesh_.Crash(0, /*power=*/true);
  mesh_.Start(0);
  ASSERT_TRUE(Add(0, 7).ok());
  ExpectSameItems();
  EXPECT_EQ(Counter(1), 12);
}

TEST_F(ValuesTest, ADeleteTakesWhatItsReplicaHadSeen) {
  ASSERT_TRUE(Add(0, 5).ok());
  ASSERT_TRUE(mesh_.Settle());
  CutOff(2);
  ASSERT_TRUE(Add(2, 10).ok());
  Delete(0);
  EXPECT_FALSE(Get(0).has_item());
  ExpectSameItems();
  EXPECT_EQ(Counter(0), 10);
  Delete(1);
  ASSERT_TRUE(Add(1, 1).ok());
  ExpectSameItems();
  EXPECT_EQ(Counter(2), 1);
}

TEST_F(ValuesTest, AnElementAddedBesideItsRemovalStays) {
  Change(0, {"a", "b"});
  ASSERT_TRUE(mesh_.Settle());
  CutOff(2);
  Change(2, {"a"});
  Change(0, {"c"}, {"a", "b"});
  EXPECT_THAT(Elements(0), ElementsAre("c"));
  ExpectSameItems();
  EXPECT_THAT(Elements(1), ElementsAre("a", "c"));
}

TEST_F(ValuesTest, ARemovalIsAppliedAfterTheAdditionsThatItSaw) {
  CutOff(2);
  Change(0, {"a"});
  ASSERT_TRUE(mesh_.Settle());
  Change(1, {}, {"a"});
  // Only the remover's link is up: its entry waits for the other's, or comes with it.
  mesh_.Connect(1, 2);
  ASSERT_TRUE(mesh_.Settle(/*relays=*/false));
  EXPECT_EQ(Get(2).version().hybrid_time(), 0u);
  mesh_.Connect(0, 2);
  ASSERT_TRUE(mesh_.Settle(/*relays=*/false));
  EXPECT_NE(Get(2).version().hybrid_time(), 0u);
  EXPECT_THAT(Elements(2), IsEmpty());
  ExpectSameItems();
}

TEST_F(ValuesTest, AReadsTokenCoversEveryOriginThatTheNumberRestsOn) {
  ASSERT_TRUE(Add(0, 5).ok());
  ASSERT_TRUE(Add(1, 6).ok());
  ASSERT_TRUE(mesh_.Settle());
  SessionToken token;
  EXPECT_EQ(Get(2, &token).item().counter(), 11);
  EXPECT_NE(token.SequenceOf(mesh_.core(0).self()), Sequence(0));
  EXPECT_NE(token.SequenceOf(mesh_.core(1).self()), Sequence(0));
}

TEST_F(ValuesTest, ARetryCountsOnceHereAndWhereTheEntryHasCome) {
  auto first = Add(0, 5, "r");
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(Add(0, 1).ok());
  ASSERT_TRUE(mesh_.Settle());
  for (int at = 0; at < 3; ++at) {
    auto again = Add(at, 5, "r");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->repeated);
    EXPECT_EQ(again->version, first->version);
    const auto other = Add(at, 6, "r");
    EXPECT_EQ(ReasonOf(other.status()), reason::kRequestIdReused);
  }
  ASSERT_TRUE(mesh_.Settle());
  EXPECT_EQ(Counter(2), 6);
}

TEST_F(ValuesTest, ARefusedAdditionLeavesNothing) {
  ASSERT_TRUE(Add(0, std::numeric_limits<int64_t>::max()).ok());
  v1::MutateRequest mutation = Mutation("r");
  mutation.add_changes()->set_add(1);
  mutation.mutable_changes(0)->set_key("other");
  mutation.add_changes()->set_add(1);
  const auto refused = mesh_.Mutate(0, mutation, {});
  EXPECT_EQ(ReasonOf(refused.status()), reason::kCounterOverflow);
  EXPECT_EQ(ErrorMetadataOf(refused.status(), "field"), "changes[1].add");
  // Not even the request id: the next attempt is a first one.
  mutation.mutable_changes(1)->set_add(-1);
  auto name = mesh_.Mutate(0, mutation, {});
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_FALSE(name->repeated);
  ExpectSameItems();
}

TEST_F(ValuesTest, AnItemExpiresEverywhereByTheTimeThatItsEntrySays) {
  v1::MutateRequest mutation = Mutation();
  v1::Change* change = mutation.add_changes();
  change->set_put("v");
  change->mutable_ttl()->set_seconds(10);
  ASSERT_TRUE(mesh_.Mutate(0, mutation, {}).ok());
  ASSERT_TRUE(mesh_.Settle());
  mesh_.Advance(absl::Milliseconds(9900));
  for (int at = 0; at < 3; ++at) EXPECT_EQ(Get(at).item().value(), "v");
  mesh_.Advance(absl::Milliseconds(200));
  for (int at = 0; at < 3; ++at) {
    EXPECT_FALSE(Get(at).has_item());
    EXPECT_NE(Get(at).version().hybrid_time(), 0u);
  }
  // A write in its place lives on.
  change->clear_ttl();
  ASSERT_TRUE(mesh_.Mutate(1, mutation, {}).ok());
  ASSERT_TRUE(mesh_.Settle());
  for (int at = 0; at < 3; ++at) EXPECT_EQ(Get(at).item().value(), "v");
}

TEST(CounterCleaningTest, ADeleteIsNotForgottenWhileASumThatHasNotSeenItIsOnItsWay) {
  Mesh mesh(4);
  mesh.EnableUpkeep();
  mesh.ConnectAll();
  const auto settle = [&mesh] {
    for (int i = 0; i < 2; ++i) {
      mesh.Advance(absl::Seconds(1));
      ASSERT_TRUE(mesh.Settle(/*relays=*/false));
    }
  };
  const auto change = [&mesh](int at, std::optional<int64_t> add) {
    v1::MutateRequest mutation;
    mutation.set_namespace_("all");
    mutation.set_id("id");
    v1::Change* change = mutation.add_changes();
    add ? change->set_add(*add) : change->set_delete_(true);
    ASSERT_TRUE(mesh.Mutate(at, mutation, {}).ok());
  };
  const std::string key = ItemKey("all", "id", "");
  change(0, 5);
  settle();
  // Replica 3 is not heard of, so that nothing can be forgotten yet. Replica 0 does not see the
  // delete, and replica 2 has its word that nothing older than the delete comes from it.
  for (int to = 0; to < 3; ++to) mesh.Cut(3, to);
  mesh.Cut(1, 0);
  change(1, std::nullopt);
  settle();
  // The sum goes on, and that has not come to replica 2 when all have said that they have the
  // delete.
  mesh.Cut(0, 2);
  change(0, 8);
  settle();
  mesh.Connect(1, 0);
  settle();
  mesh.Connect(3, 1);
  settle();
  EXPECT_TRUE(mesh.Items(2).contains(key));
  mesh.ConnectAll();
  settle();
  for (int at = 0; at < 4; ++at) {
    internal::v1::StoredItem item;
    ASSERT_TRUE(item.ParseFromString(mesh.Items(at)[key]));
    EXPECT_EQ(CounterValue(item), 8) << "at " << at;
  }
}

TEST_F(ValuesTest, WhatWasRemovedIsForgottenInTheEndAndNothingComesBack) {
  mesh_.EnableUpkeep();
  const auto settle = [this] {
    for (int i = 0; i < 3; ++i) {
      mesh_.Advance(absl::Seconds(1));
      ASSERT_TRUE(mesh_.Settle());
    }
  };
  Change(0, {"a", "b"});
  v1::MutateRequest counter = Mutation();
  counter.add_changes()->set_add(5);
  counter.mutable_changes(0)->set_key("counter");
  ASSERT_TRUE(mesh_.Mutate(1, counter, {}).ok());
  settle();
  Change(1, {}, {"a"});
  counter.mutable_changes(0)->set_delete_(true);
  ASSERT_TRUE(mesh_.Mutate(2, counter, {}).ok());
  settle();
  for (int at = 0; at < 3; ++at) {
    EXPECT_THAT(Elements(at), ElementsAre("b"));
    EXPECT_FALSE(mesh_.Items(at).contains(ItemKey("all", "id", "counter")));
    internal::v1::StoredItem item;
    ASSERT_TRUE(item.ParseFromString(mesh_.Items(at)[ItemKey("all", "id", "")]));
    EXPECT_EQ(item.elements_size(), 1);
    EXPECT_THAT(item.removed_by(), IsEmpty());
  }
  // A number that was forgotten begins anew, also where it was added to before.
  counter.mutable_changes(0)->set_add(2);
  ASSERT_TRUE(mesh_.Mutate(1, counter, {}).ok());
  settle();
  internal::v1::StoredItem item;
  ASSERT_TRUE(item.ParseFromString(mesh_.Items(0)[ItemKey("all", "id", "counter")]));
  EXPECT_EQ(CounterValue(item), 2);
  ExpectSameItems();
}

}  // namespace
}  // namespace homeport
