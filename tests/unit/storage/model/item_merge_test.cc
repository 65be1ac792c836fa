#include "storage/model/item_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace homeport {
namespace {

using internal::v1::CounterShare;
using internal::v1::ItemChange;
using internal::v1::Position;
using internal::v1::SetElement;
using internal::v1::StoredItem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

Stamp At(uint64_t time, uint64_t origin, uint64_t sequence) {
  return {{HybridTime(time), Origin(origin)}, Sequence(sequence)};
}

ItemChange Put(std::string value, uint64_t expires = 0) {
  ItemChange change;
  change.set_value(std::move(value));
  change.set_expires(expires);
  return change;
}

// The own share of an entry: a sum that goes on, or (`began` 0) one that begins with the entry.
ItemChange Add(int64_t total, uint64_t began = 0) {
  ItemChange change;
  change.mutable_share()->set_total(total);
  change.mutable_share()->set_began(began);
  return change;
}

CounterShare Share(uint64_t origin, uint64_t sequence, int64_t total, uint64_t began) {
  CounterShare share;
  share.set_origin(origin);
  share.set_sequence(sequence);
  share.set_total(total);
  share.set_began(began);
  return share;
}

ItemChange RemoveShares(const std::vector<CounterShare>& shares) {
  ItemChange change;
  for (const CounterShare& share : shares) *change.add_removed_shares() = share;
  return change;
}

ItemChange AddElement(const std::string& name) {
  ItemChange change;
  SetElement* element = change.add_elements();
  element->set_element(name);
  element->add_added();
  return change;
}

ItemChange RemoveElement(const std::string& name,
                         const std::vector<std::pair<uint64_t, uint64_t>>& observed) {
  ItemChange change;
  SetElement* element = change.add_elements();
  element->set_element(name);
  for (const auto& [origin, sequence] : observed) {
    Position* removed = element->add_removed();
    removed->set_origin(origin);
    removed->set_sequence(sequence);
  }
  return change;
}

StoredItem Applied(const std::vector<std::pair<ItemChange, Stamp>>& changes) {
  StoredItem item;
  for (const auto& [change, stamp] : changes) ApplyChange(&item, change, stamp);
  return item;
}

std::vector<std::string> Elements(const StoredItem& item) {
  std::vector<std::string> elements;
  for (absl::string_view element : SetElements(item)) elements.emplace_back(element);
  return elements;
}

std::set<std::pair<uint64_t, uint64_t>> Positions(const StoredItem& item) {
  std::set<std::pair<uint64_t, uint64_t>> positions;
  ForEachPosition(item, [&positions](Origin origin, Sequence sequence) {
    positions.emplace(origin.value(), sequence.value());
  });
  return positions;
}

TEST(RegisterMergeTest, TheGreaterVersionWinsWithItsExpiry) {
  const StoredItem older = ItemOf(Put("old", 77), At(10, 1, 1));
  const StoredItem newer = ItemOf(Put("new"), At(11, 2, 5));
  for (const StoredItem& merged : {Merge(older, newer), Merge(newer, older)}) {
    EXPECT_EQ(merged.value(), "new");
    EXPECT_EQ(merged.expires(), 0u);
    EXPECT_EQ(StampOf(merged), At(11, 2, 5));
  }
}

TEST(RegisterMergeTest, TheOriginBreaksATie) {
  const StoredItem a = ItemOf(Put("a"), At(10, 1, 9));
  const StoredItem b = ItemOf(Put("b"), At(10, 2, 1));
  EXPECT_EQ(Merge(a, b).value(), "b");
  EXPECT_EQ(Merge(b, a).value(), "b");
}

TEST(RegisterMergeTest, ADeleteWinsAsAValueDoes) {
  StoredItem item = ItemOf(Put("a"), At(10, 1, 1));
  EXPECT_TRUE(ApplyChange(&item, ItemChange(), At(11, 1, 2)));
  EXPECT_TRUE(IsTombstone(item));
  EXPECT_FALSE(ApplyChange(&item, Put("late"), At(10, 2, 1)));
  EXPECT_TRUE(IsTombstone(item));
}

TEST(PresenceTest, AnItemIsThereUntilItExpires) {
  const StoredItem item = ItemOf(Put("v", 100), At(10, 1, 1));
  EXPECT_TRUE(IsPresent(item, HybridTime(99)));
  EXPECT_FALSE(IsPresent(item, HybridTime(100)));
  EXPECT_FALSE(IsTombstone(item));
  EXPECT_TRUE(IsPresent(ItemOf(Put(""), At(10, 1, 1)), HybridTime(~uint64_t{0})));
  EXPECT_FALSE(IsPresent(ItemOf(ItemChange(), At(10, 1, 1)), HybridTime(0)));
}

TEST(CounterMergeTest, SharesOfAllOriginsCount) {
  const StoredItem item =
      Applied({{Add(5), At(10, 1, 1)}, {Add(-7), At(11, 2, 4)}, {Add(6, 1), At(12, 1, 2)}});
  EXPECT_EQ(CounterValue(item), -1);
  EXPECT_EQ(item.shares_size(), 2);
  EXPECT_TRUE(IsPresent(item, HybridTime(12)));
}

TEST(CounterMergeTest, AnEntryThatComesTwiceOrLateCountsOnce) {
  StoredItem item = Applied({{Add(8, 1), At(12, 1, 2)}});
  EXPECT_FALSE(ApplyChange(&item, Add(8, 1), At(12, 1, 2)));
  EXPECT_FALSE(ApplyChange(&item, Add(5), At(10, 1, 1)));
  EXPECT_EQ(CounterValue(item), 8);
}

TEST(CounterMergeTest, ADeleteTakesWhatItSawAndNotWhatCameBeside) {
  StoredItem item = Applied({{Add(5), At(10, 1, 1)}, {Add(3), At(11, 2, 1)}});
  ApplyChange(&item, RemoveShares({Share(1, 1, 5, 1), Share(2, 1, 3, 1)}), At(12, 3, 1));
  EXPECT_TRUE(IsTombstone(item));
  EXPECT_EQ(CounterValue(item), 0);
  ApplyChange(&item, Add(9, 1), At(11, 1, 2));  // 4 more, by one who had not seen the delete
  EXPECT_EQ(CounterValue(item), 4);
}

TEST(CounterMergeTest, ASumThatBeganAfterADeleteCountsWhereTheDeleteIsForgottenAndWhereNot) {
  const StoredItem removed =
      Applied({{Add(5), At(10, 1, 1)}, {RemoveShares({Share(1, 1, 5, 1)}), At(12, 3, 1)}});
  const StoredItem forgotten = ItemOf(Add(2), At(20, 1, 7));
  StoredItem kept = Merge(removed, forgotten);
  EXPECT_EQ(CounterValue(kept), 2);
  EXPECT_EQ(CounterValue(forgotten), 2);
  EXPECT_THAT(kept.removed_shares(), IsEmpty());
  // A delete that saw it takes it, wherever.
  ApplyChange(&kept, RemoveShares({Share(1, 7, 2, 7)}), At(21, 2, 9));
  EXPECT_TRUE(IsTombstone(kept));
}

TEST(CounterMergeTest, SumsThatDoNotFitAreCutToSizeOnceWhateverTheOrder) {
  const std::vector<std::pair<ItemChange, Stamp>> adds = {{Add(kMax), At(10, 1, 1)},
                                                          {Add(kMax), At(10, 2, 1)},
                                                          {Add(kMin), At(10, 3, 1)},
                                                          {Add(-1), At(10, 4, 1)}};
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    StoredItem item;
    for (size_t at : order) ApplyChange(&item, adds[at].first, adds[at].second);
    EXPECT_EQ(CounterValue(item), kMax - 2);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(CounterValue(Applied({adds[0], adds[1]})), kMax);
  EXPECT_EQ(CounterValue(Applied({adds[2], adds[3]})), kMin);
  // What is removed of a share need not fit either.
  StoredItem item = Applied({{Add(kMin), At(10, 1, 1)}});
  ApplyChange(&item, RemoveShares({Share(1, 1, kMin, 1)}), At(11, 2, 1));
  ApplyChange(&item, Add(kMax, 1), At(12, 1, 2));
  EXPECT_EQ(CounterValue(item), kMax);
}

TEST(SetMergeTest, AnAdditionWinsOverARemovalThatDidNotSeeIt) {
  StoredItem item = Applied({{AddElement("a"), At(10, 1, 1)}, {AddElement("a"), At(11, 2, 1)}});
  ApplyChange(&item, RemoveElement("a", {{1, 1}}), At(12, 3, 1));
  EXPECT_THAT(Elements(item), ElementsAre("a"));
  ApplyChange(&item, RemoveElement("a", {{2, 1}}), At(13, 3, 2));
  EXPECT_THAT(Elements(item), IsEmpty());
  EXPECT_TRUE(IsTombstone(item));
}

TEST(SetMergeTest, ARemovalThatComesFirstHolds) {
  StoredItem item = Applied({{RemoveElement("a", {{1, 2}}), At(12, 3, 1)}});
  ApplyChange(&item, AddElement("a"), At(9, 1, 1));
  ApplyChange(&item, AddElement("a"), At(10, 1, 2));
  EXPECT_TRUE(IsTombstone(item));
  ApplyChange(&item, AddElement("a"), At(11, 1, 3));
  EXPECT_THAT(Elements(item), ElementsAre("a"));
  EXPECT_THAT(item.elements(0).removed(), IsEmpty());
}

TEST(SetMergeTest, ElementsAreInTheOrderOfTheirBytes) {
  StoredItem item;
  uint64_t sequence = 0;
  for (const char* element : {"b", "\xff", "", "a", "\x7f"}) {
    ++sequence;
    ApplyChange(&item, AddElement(element), At(sequence, 1, sequence));
  }
  EXPECT_THAT(Elements(item), ElementsAre("", "a", "b", "\x7f", "\xff"));
}

TEST(PositionsTest, AreThoseOnWhichTheAnswerRests) {
  StoredItem item = Applied({{Add(5), At(10, 1, 1)}, {Add(3), At(11, 2, 6)}});
  EXPECT_THAT(Positions(item), UnorderedElementsAre(std::pair(1, 1), std::pair(2, 6)));
  ApplyChange(&item, RemoveShares({Share(1, 1, 5, 1)}), At(9, 3, 8));
  EXPECT_THAT(Positions(item), UnorderedElementsAre(std::pair(2, 6), std::pair(3, 8)));
  StoredItem set = Applied({{AddElement("a"), At(10, 1, 1)}, {AddElement("b"), At(11, 1, 2)}});
  ApplyChange(&set, RemoveElement("b", {{1, 2}}), At(12, 2, 5));
  EXPECT_THAT(Positions(set), UnorderedElementsAre(std::pair(1, 1), std::pair(2, 5)));
}

TEST(CleanupTest, WhatMayGoSomeDayIsFoundByItsTime) {
  EXPECT_EQ(CleanupTime(ItemOf(Put("v"), At(10, 1, 1))), std::nullopt);
  EXPECT_EQ(CleanupTime(ItemOf(Put("v", 500), At(10, 1, 1))), HybridTime(500));
  EXPECT_EQ(CleanupTime(ItemOf(ItemChange(), At(10, 1, 1))), HybridTime(10));
  StoredItem set = Applied({{AddElement("a"), At(10, 1, 1)}, {AddElement("b"), At(11, 1, 2)}});
  EXPECT_EQ(CleanupTime(set), std::nullopt);
  ApplyChange(&set, RemoveElement("a", {{1, 1}}), At(12, 2, 1));
  EXPECT_EQ(CleanupTime(set), HybridTime(12));
  EXPECT_TRUE(Prune(&set));
  EXPECT_THAT(Elements(set), ElementsAre("b"));
  EXPECT_EQ(set.elements_size(), 1);
  EXPECT_EQ(CleanupTime(set), std::nullopt);
  EXPECT_FALSE(Prune(&set));
}

TEST(CleanupTest, PruningKeepsWhatALaterShareOfTheSumNeeds) {
  StoredItem item = Applied({{Add(5), At(10, 1, 1)}, {Add(3), At(11, 2, 1)}});
  ApplyChange(&item, RemoveShares({Share(1, 1, 5, 1), Share(2, 1, 3, 1)}), At(12, 3, 1));
  ApplyChange(&item, Add(9, 1), At(13, 1, 2));
  EXPECT_TRUE(Prune(&item));
  EXPECT_EQ(CounterValue(item), 4);
  ASSERT_EQ(item.removed_shares_size(), 1);
  EXPECT_EQ(item.removed_shares(0).origin(), 1u);
}

TEST(SnapshotMergeTest, WhatThePeerHasAppliedAndDoesNotHaveIsGone) {
  const auto covered = [](Origin origin, Sequence sequence) {
    return origin == Origin(1) && sequence <= Sequence(5);
  };
  EXPECT_FALSE(MergeSnapshot(ItemOf(Put("v"), At(10, 1, 5)), nullptr, covered).has_value());
  EXPECT_FALSE(MergeSnapshot(ItemOf(Add(1), At(10, 1, 5)), nullptr, covered).has_value());
  EXPECT_EQ(MergeSnapshot(ItemOf(Put("v"), At(10, 1, 6)), nullptr, covered)->value(), "v");
  const StoredItem counter = Applied({{Add(5), At(10, 1, 4)}, {Add(3), At(11, 2, 4)}});
  auto left = MergeSnapshot(counter, nullptr, covered);
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(CounterValue(*left), 3);
  const StoredItem theirs = ItemOf(Add(7), At(11, 4, 1));
  EXPECT_EQ(CounterValue(*MergeSnapshot(counter, &theirs, covered)), 10);
  EXPECT_EQ(CounterValue(*MergeSnapshot(counter, &counter, covered)), 8);
  const StoredItem set = Applied({{AddElement("a"), At(10, 1, 4)},
                                  {AddElement("b"), At(11, 1, 6)},
                                  {AddElement("c"), At(11, 1, 5)}});
  const StoredItem other = ItemOf(AddElement("c"), At(11, 1, 5));
  EXPECT_THAT(Elements(*MergeSnapshot(set, &other, covered)), ElementsAre("b", "c"));
}

// A history as replicas write it: each writes what it has seen, and takes entries in any order that
// keeps each origin's own.
class History {
 public:
  enum class Type { kRegister, kCounter, kSet };

  History(Type type, uint64_t seed) : type_(type), random_(seed) {
    for (uint64_t origin = 1; origin <= 4; ++origin) replicas_[origin];
    for (int step = 0; step < 40; ++step) Step();
  }

  struct Entry {
    ItemChange change;
    Stamp stamp;
    // Of a counter: what it adds, and the entries whose additions it takes away.
    int64_t added = 0;
    std::set<size_t> removed;
    std::string element;  // of a set: what it adds
  };
  const std::vector<Entry>& entries() const { return entries_; }
  std::mt19937_64& random() { return random_; }

  StoredItem ApplyInOrder(const std::vector<size_t>& order) const {
    StoredItem item;
    for (size_t at : order) ApplyChange(&item, entries_[at].change, entries_[at].stamp);
    return item;
  }
  // What the history says by itself, without merging.
  __int128 ExpectedCounter() const {
    std::set<size_t> removed;
    for (const Entry& entry : entries_) removed.insert(entry.removed.begin(), entry.removed.end());
    __int128 sum = 0;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!removed.contains(i)) sum += entries_[i].added;
    }
    return sum;
  }
  std::vector<std::string> ExpectedElements() const {
    std::set<size_t> removed;
    for (const Entry& entry : entries_) removed.insert(entry.removed.begin(), entry.removed.end());
    std::set<std::string> elements;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].element.empty() && !removed.contains(i)) {
        elements.insert(entries_[i].element);
      }
    }
    return {elements.begin(), elements.end()};
  }

 private:
  struct Replica {
    StoredItem item;
    std::map<uint64_t, size_t> taken;  // entries of each origin
    std::set<size_t> seen;
    uint64_t sequence = 0;
    uint64_t time = 0;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }

  void Step() {
    const uint64_t self = 1 + Below(4);
    Replica& replica = replicas_[self];
    if (Below(2) == 0) {
      Take(replica, 1 + Below(4));
      return;
    }
    Entry entry;
    replica.sequence += 1 + Below(3);
    replica.time += Below(3);
    entry.stamp = At(replica.time + 1, self, replica.sequence);
    ++replica.time;
    const bool remove = Below(3) == 0;
    if (type_ == Type::kRegister) {
      if (!remove) entry.change = Put(std::to_string(random_()), Below(2) * Below(100));
    } else if (type_ == Type::kCounter) {
      remove ? Delete(replica, entry) : AddTo(replica, self, entry);
    } else {
      const std::string element(1, static_cast<char>('a' + Below(4)));
      remove ? RemoveFrom(replica, element, entry) : AddTo(element, entry);
    }
    ApplyChange(&replica.item, entry.change, entry.stamp);
    replica.seen.insert(entries_.size());
    by_origin_[self].push_back(entries_.size());
    entries_.push_back(std::move(entry));
  }

  // The next entry of an origin; what it depends on may not be here yet.
  void Take(Replica& replica, uint64_t origin) {
    size_t& next = replica.taken[origin];
    if (&replicas_[origin] == &replica || next >= by_origin_[origin].size()) return;
    const Entry& entry = entries_[by_origin_[origin][next]];
    ApplyChange(&replica.item, entry.change, entry.stamp);
    // As a replica does: a delete has seen what the removals that it has seen had seen.
    replica.seen.insert(by_origin_[origin][next]);
    replica.seen.insert(entry.removed.begin(), entry.removed.end());
    replica.time = std::max(replica.time, entry.stamp.version.time.value());
    ++next;
  }

  void AddTo(Replica& replica, uint64_t self, Entry& entry) {
    entry.added = static_cast<int64_t>(Below(100)) - 50;
    int64_t total = entry.added;
    uint64_t began = 0;
    for (const CounterShare& share : replica.item.shares()) {
      if (share.origin() != self) continue;
      total += share.total();
      began = share.began();
    }
    entry.change = Add(total, began);
  }
  void Delete(Replica& replica, Entry& entry) {
    for (const CounterShare& share : replica.item.shares()) {
      *entry.change.add_removed_shares() = share;
    }
    for (size_t at : replica.seen) {
      if (entries_[at].added != 0) entry.removed.insert(at);
    }
  }
  static void AddTo(const std::string& element, Entry& entry) {
    entry.change = AddElement(element);
    entry.element = element;
  }
  void RemoveFrom(Replica& replica, const std::string& element, Entry& entry) {
    for (const SetElement& stored : replica.item.elements()) {
      if (stored.element() != element || stored.added().empty()) continue;
      SetElement* removed = entry.change.add_elements();
      removed->set_element(element);
      *removed->mutable_removed() = stored.added();
    }
    for (size_t at : replica.seen) {
      if (entries_[at].element == element) entry.removed.insert(at);
    }
  }

  Type type_;
  std::mt19937_64 random_;
  std::map<uint64_t, Replica> replicas_;
  std::vector<Entry> entries_;
  std::map<uint64_t, std::vector<size_t>> by_origin_;
};

class MergeLawsTest : public ::testing::TestWithParam<History::Type> {};

TEST_P(MergeLawsTest, EveryOrderOfAHistoryMakesTheSameBytes) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    History history(GetParam(), seed);
    std::vector<size_t> order(history.entries().size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::string expected = history.ApplyInOrder(order).SerializeAsString();
    const StoredItem item = history.ApplyInOrder(order);
    if (GetParam() == History::Type::kCounter) {
      ASSERT_EQ(CounterValue(item), static_cast<int64_t>(history.ExpectedCounter()))
          << "seed " << seed;
    } else if (GetParam() == History::Type::kSet) {
      ASSERT_EQ(Elements(item), history.ExpectedElements()) << "seed " << seed;
    }
    for (int i = 0; i < 5; ++i) {
      // In any order, and some of it twice.
      std::shuffle(order.begin(), order.end(), history.random());
      std::vector<size_t> twice = order;
      twice.insert(twice.end(), order.begin(), order.begin() + order.size() / 2);
      ASSERT_EQ(history.ApplyInOrder(twice).SerializeAsString(), expected) << "seed " << seed;
    }
  }
}

TEST_P(MergeLawsTest, MergingIsCommutativeAssociativeAndIdempotent) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    History history(GetParam(), seed);
    const auto part = [&history] {
      std::vector<size_t> some;
      for (size_t i = 0; i < history.entries().size(); ++i) {
        if (history.random()() % 3 != 0) some.push_back(i);
      }
      std::shuffle(some.begin(), some.end(), history.random());
      return history.ApplyInOrder(some);
    };
    const StoredItem a = part();
    const StoredItem b = part();
    const StoredItem c = part();
    ASSERT_EQ(Merge(a, b).SerializeAsString(), Merge(b, a).SerializeAsString()) << "seed " << seed;
    ASSERT_EQ(Merge(Merge(a, b), c).SerializeAsString(), Merge(a, Merge(b, c)).SerializeAsString())
        << "seed " << seed;
    ASSERT_EQ(Merge(a, a).SerializeAsString(), a.SerializeAsString()) << "seed " << seed;
    StoredItem ab = Merge(a, b);
    ASSERT_FALSE(MergeInto(b, &ab)) << "seed " << seed;
    ASSERT_FALSE(MergeInto(a, &ab)) << "seed " << seed;
  }
}

TEST_P(MergeLawsTest, PruningChangesNothingThatReadersSee) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    History history(GetParam(), seed);
    std::vector<size_t> order(history.entries().size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const StoredItem whole = history.ApplyInOrder(order);
    StoredItem pruned = whole;
    Prune(&pruned);
    ASSERT_EQ(CounterValue(pruned), CounterValue(whole)) << "seed " << seed;
    ASSERT_EQ(Elements(pruned), Elements(whole)) << "seed " << seed;
    ASSERT_EQ(IsTombstone(pruned), IsTombstone(whole)) << "seed " << seed;
    // Who has not pruned yet brings back only what can be pruned again.
    StoredItem again = Merge(pruned, whole);
    Prune(&again);
    ASSERT_EQ(again.SerializeAsString(), pruned.SerializeAsString()) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MergeLawsTest,
                         ::testing::Values(History::Type::kRegister, History::Type::kCounter,
                                           History::Type::kSet),
                         [](const auto& info) {
                           return std::string(info.param == History::Type::kRegister  ? "Register"
                                              : info.param == History::Type::kCounter ? "Counter"
                                                                                      : "Set");
                         });

}  // namespace
}  // namespace homeport
