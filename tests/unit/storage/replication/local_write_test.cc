#include "storage/replication/local_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/status/error.h"
#include "common/store/validate.h"
#include "storage/model/entry_codec.h"
#include "storage/model/item_merge.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::EntryPart;
using internal::v1::StoredItem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

// An item at one replica, whose entries are numbered from 1.
class Item {
 public:
  explicit Item(uint64_t origin) : origin_(origin) {}

  absl::Status Change(v1::Change change, const std::string& request_id = "") {
    mutation_.Clear();
    mutation_.set_namespace_("ns");
    mutation_.set_id("id");
    *mutation_.add_changes() = std::move(change);
    mutation_.mutable_options()->set_request_id(request_id);
    LocalMutation local(&mutation_);
    hash_ = local.hash();
    seen_ = SessionToken();
    const HybridTime time = FromWallTime(absl::FromUnixSeconds(1'000'000 + sequence_));
    const StoredItem* stored = known_ ? &item_ : nullptr;
    if (auto status = local.Fit(0, stored, {Origin(origin_), time, ttl_}, seen_); !status.ok()) {
      return status;
    }
    entry_.Clear();
    if (auto status = local.AddTo(entry_); !status.ok()) return status;
    ++sequence_;
    stamp_ = {{time, Origin(origin_)}, Sequence(sequence_)};
    known_ = true;
    ApplyChange(&item_, local.part().changes(0), stamp_);
    return absl::OkStatus();
  }
  absl::Status Add(int64_t delta) {
    v1::Change change;
    change.set_add(delta);
    return Change(change);
  }
  absl::Status Delete() {
    v1::Change change;
    change.set_delete_(true);
    return Change(change);
  }
  absl::Status Elements(const std::vector<std::string>& add,
                        const std::vector<std::string>& remove = {}) {
    v1::Change change;
    for (const std::string& element : add) change.mutable_set()->add_add(element);
    for (const std::string& element : remove) change.mutable_set()->add_remove(element);
    return Change(change);
  }
  void TakeFrom(const Item& other) {
    known_ = true;
    MergeInto(other.item_, &item_);
  }
  // What the last entry says, applied elsewhere.
  void Replay(Item& other) const {
    auto part = ParsePart(entry_, 0);
    ASSERT_TRUE(part.ok()) << part.status();
    other.known_ = true;
    ApplyChange(&other.item_, part->changes(0), stamp_);
  }

  const StoredItem& item() const { return item_; }
  const Entry& entry() const { return entry_; }
  const SessionToken& seen() const { return seen_; }
  uint64_t hash() const { return hash_; }
  Stamp stamp() const { return stamp_; }
  void set_ttl(absl::Duration ttl) { ttl_ = ttl; }

 private:
  uint64_t origin_;
  uint64_t sequence_ = 0;
  bool known_ = false;
  absl::Duration ttl_;
  v1::MutateRequest mutation_;
  StoredItem item_;
  Entry entry_;
  Stamp stamp_;
  SessionToken seen_;
  uint64_t hash_ = 0;
};

std::vector<std::string> Names(const Item& item) {
  std::vector<std::string> names;
  for (absl::string_view element : SetElements(item.item())) names.emplace_back(element);
  return names;
}

void ExpectError(const absl::Status& status, absl::StatusCode code, absl::string_view reason,
                 const std::string& field) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(ReasonOf(status), reason) << status;
  EXPECT_THAT(ErrorMetadataOf(status, "field"), Optional(field));
}

TEST(LocalCounterTest, AnEntryCarriesTheSumAndMeansTheSameElsewhere) {
  Item here(1);
  Item there(2);
  ASSERT_TRUE(here.Add(5).ok());
  here.Replay(there);
  ASSERT_TRUE(here.Add(-7).ok());
  here.Replay(there);
  here.Replay(there);
  EXPECT_EQ(CounterValue(there.item()), -2);
  EXPECT_EQ(there.item().SerializeAsString(), here.item().SerializeAsString());
}

TEST(LocalCounterTest, ADeleteTakesWhatWasThereAndLeavesWhatComesBeside) {
  Item here(1);
  Item there(2);
  ASSERT_TRUE(here.Add(5).ok());
  there.TakeFrom(here);
  ASSERT_TRUE(there.Add(10).ok());
  ASSERT_TRUE(here.Add(1).ok());
  ASSERT_TRUE(there.Delete().ok());
  EXPECT_TRUE(IsTombstone(there.item()));
  here.TakeFrom(there);
  EXPECT_EQ(CounterValue(here.item()), 1);
  // After the delete a sum begins anew, and the delete leaves it alone.
  ASSERT_TRUE(there.Add(3).ok());
  here.TakeFrom(there);
  EXPECT_EQ(CounterValue(here.item()), 4);
}

TEST(LocalCounterTest, AnAdditionThatDoesNotFitIsRefusedAndNamesTheField) {
  Item here(1);
  ASSERT_TRUE(here.Add(kMax).ok());
  ExpectError(here.Add(1), absl::StatusCode::kFailedPrecondition, reason::kCounterOverflow,
              "changes[0].add");
  EXPECT_EQ(CounterValue(here.item()), kMax);
  // Of all shares together too.
  Item there(2);
  there.TakeFrom(here);
  ExpectError(there.Add(1), absl::StatusCode::kFailedPrecondition, reason::kCounterOverflow,
              "changes[0].add");
  ASSERT_TRUE(there.Add(kMin).ok());
  EXPECT_EQ(CounterValue(there.item()), -1);
  ExpectError(there.Add(kMin), absl::StatusCode::kFailedPrecondition, reason::kCounterOverflow,
              "changes[0].add");
}

TEST(LocalCounterTest, DeletesRestOnEverythingAndAdditionsOnRemovals) {
  Item here(1);
  Item there(2);
  ASSERT_TRUE(here.Add(5).ok());
  there.TakeFrom(here);
  ASSERT_TRUE(there.Add(1).ok());
  EXPECT_THAT(there.seen().positions(), IsEmpty());
  ASSERT_TRUE(there.Delete().ok());
  EXPECT_EQ(there.seen().SequenceOf(Origin(1)), Sequence(1));
  EXPECT_EQ(there.seen().SequenceOf(Origin(2)), Sequence(1));
  here.TakeFrom(there);
  ASSERT_TRUE(here.Add(1).ok());
  EXPECT_EQ(here.seen().SequenceOf(Origin(2)), Sequence(2));
}

TEST(LocalSetTest, AnElementThatIsAddedWhileAnotherRemovesItStays) {
  Item here(1);
  Item there(2);
  ASSERT_TRUE(here.Elements({"a", "b"}).ok());
  here.Replay(there);
  ASSERT_TRUE(there.Elements({"a"}).ok());
  ASSERT_TRUE(here.Elements({"c"}, {"a", "b", "unknown"}).ok());
  EXPECT_EQ(here.seen().SequenceOf(Origin(1)), Sequence(1));
  there.Replay(here);
  EXPECT_THAT(Names(here), ElementsAre("a", "c"));
  here.Replay(there);
  EXPECT_THAT(Names(there), ElementsAre("a", "c"));
}

TEST(LocalSetTest, RemovingWhatAnotherHasRemovedRestsOnThatRemoval) {
  Item a(1);
  Item b(2);
  Item c(3);
  ASSERT_TRUE(a.Elements({"x"}).ok());
  b.TakeFrom(a);
  ASSERT_TRUE(b.Elements({}, {"x"}).ok());
  c.TakeFrom(b);
  ASSERT_TRUE(c.Elements({}, {"x"}).ok());
  // Without it a session that reads its own removal elsewhere would meet the element again.
  EXPECT_EQ(c.seen().SequenceOf(Origin(2)), Sequence(1));
  ASSERT_TRUE(c.Elements({"y"}).ok());
  EXPECT_EQ(c.seen().SequenceOf(Origin(2)), Sequence(0));
}

TEST(LocalSetTest, ADeleteTakesTheElementsThatWereThere) {
  Item here(1);
  Item there(2);
  ASSERT_TRUE(here.Elements({"a", "b"}).ok());
  there.TakeFrom(here);
  ASSERT_TRUE(there.Elements({"c"}).ok());
  ASSERT_TRUE(here.Delete().ok());
  EXPECT_TRUE(IsTombstone(here.item()));
  here.Replay(there);
  EXPECT_THAT(Names(there), ElementsAre("c"));
}

TEST(LocalSetTest, ASetThatWouldBeTooLargeIsRefused) {
  Item here(1);
  std::vector<std::string> kilobytes;
  for (int i = 0; i < 1024; ++i) {
    std::string element(1024, 'x');
    element.replace(0, 4, std::to_string(1000 + i));
    kilobytes.push_back(element);
  }
  ASSERT_TRUE(here.Elements({kilobytes.begin(), kilobytes.begin() + 512}).ok());
  ASSERT_TRUE(here.Elements({kilobytes.begin() + 512, kilobytes.end()}).ok());
  const absl::Status status = here.Elements({"y"});
  ExpectError(status, absl::StatusCode::kFailedPrecondition, reason::kSetTooLarge,
              "changes[0].set.add");
  EXPECT_THAT(ErrorMetadataOf(status, "limit"), Optional(std::string("1048576")));
  EXPECT_THAT(ErrorMetadataOf(status, "actual"), Optional(std::string("1048577")));
  // What is there already adds nothing, and what goes makes room.
  EXPECT_TRUE(here.Elements({kilobytes[7]}).ok());
  EXPECT_TRUE(here.Elements({"y"}, {kilobytes[0]}).ok());
}

TEST(LocalSetTest, WhatWasRemovedCountsUntilItIsForgotten) {
  Item here(1);
  std::vector<std::string> large;
  int round = 0;
  absl::Status status;
  // Each round adds other elements and removes those of the last.
  while (status.ok() && round < 100) {
    std::vector<std::string> next;
    for (int i = 0; i < 500; ++i) {
      next.push_back(std::to_string(round * 1000 + i) + std::string(200, 'x'));
    }
    status = here.Elements(next, large);
    large = next;
    ++round;
  }
  ExpectError(status, absl::StatusCode::kFailedPrecondition, reason::kSetTooLarge,
              "changes[0].set.add");
  EXPECT_THAT(ErrorMetadataOf(status, "limit"), Optional(std::to_string(kSetStoredBytesMax)));
  EXPECT_TRUE(here.Delete().ok());
}

TEST(LocalRegisterTest, AValueExpiresAsItsChangeOrItsNamespaceSays) {
  Item here(1);
  v1::Change put;
  put.set_put("v");
  ASSERT_TRUE(here.Change(put).ok());
  EXPECT_EQ(here.item().expires(), 0u);
  here.set_ttl(absl::Seconds(10));
  ASSERT_TRUE(here.Change(put).ok());
  EXPECT_EQ(ToWallTime(HybridTime(here.item().expires())),
            ToWallTime(here.stamp().version.time) + absl::Seconds(10));
  put.mutable_ttl()->set_seconds(2);
  put.mutable_ttl()->set_nanos(500'000'000);
  ASSERT_TRUE(here.Change(put).ok());
  EXPECT_EQ(ToWallTime(HybridTime(here.item().expires())),
            ToWallTime(here.stamp().version.time) + absl::Milliseconds(2500));
  ASSERT_TRUE(here.Delete().ok());
  EXPECT_EQ(here.item().expires(), 0u);
}

TEST(MutationHashTest, IsOfWhatTheClientAskedForWhateverTheEntrySays) {
  Item here(1);
  v1::Change add;
  add.set_add(5);
  ASSERT_TRUE(here.Change(add, "r").ok());
  const uint64_t first = here.hash();
  ASSERT_TRUE(here.Change(add, "r").ok());
  EXPECT_EQ(here.hash(), first);
  EXPECT_EQ(MutationHashOf(here.entry(), here.entry().parts(0)), first);
  add.set_add(6);
  ASSERT_TRUE(here.Change(add, "r").ok());
  EXPECT_NE(here.hash(), first);

  v1::Change remove;
  remove.set_delete_(true);
  ASSERT_TRUE(here.Change(remove, "r").ok());
  const uint64_t of_delete = here.hash();
  EXPECT_EQ(MutationHashOf(here.entry(), here.entry().parts(0)), of_delete);
  ASSERT_TRUE(here.Change(remove, "r").ok());
  EXPECT_EQ(here.hash(), of_delete);
}

TEST(MutationHashTest, OfARegisterNeedsNoBytesInTheEntry) {
  Item here(1);
  v1::Change put;
  put.set_put("v");
  ASSERT_TRUE(here.Change(put, "r").ok());
  EXPECT_EQ(here.entry().mutation_hash(), 0u);
  EXPECT_EQ(MutationHashOf(here.entry(), here.entry().parts(0)), here.hash());
  const uint64_t without = here.hash();
  here.set_ttl(absl::Seconds(10));
  ASSERT_TRUE(here.Change(put, "r").ok());
  EXPECT_EQ(here.hash(), without);
  EXPECT_EQ(MutationHashOf(here.entry(), here.entry().parts(0)), without);
  put.mutable_ttl()->set_seconds(1);
  ASSERT_TRUE(here.Change(put, "r").ok());
  EXPECT_NE(here.hash(), without);
}

}  // namespace
}  // namespace homeport
