#include "storage/model/keys.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace homeport {
namespace {

const std::vector<std::string>& Parts() {
  static const auto* const parts = new std::vector<std::string>{
      "",
      std::string(1, '\0'),
      std::string("\0\0", 2),
      std::string("\0\1", 2),
      std::string("\0\xff", 2),
      "a",
      std::string("a\0", 2),
      std::string("a\0b", 3),
      "a\x01",
      "aa",
      "ab",
      "\xff",
      "\xff\xff",
  };
  return *parts;
}

TEST(ItemKeyTest, KeysComeBackAsTheirParts) {
  for (const std::string& id : Parts()) {
    for (const std::string& key : Parts()) {
      const std::string stored = ItemKey("ns", id, key);
      const auto parts = ParseItemKey(stored);
      ASSERT_TRUE(parts.has_value());
      EXPECT_EQ(parts->name_space, "ns");
      EXPECT_EQ(parts->record_id, id);
      EXPECT_EQ(parts->key, key);
      EXPECT_EQ(parts->record_prefix, RecordPrefix("ns", id));
    }
  }
}

TEST(ItemKeyTest, KeysOrderAsTheirPartsDo) {
  std::vector<std::tuple<std::string, std::string, std::string>> names;
  for (const std::string& id : Parts()) {
    for (const std::string& key : Parts()) {
      names.emplace_back("a", id, key);
      names.emplace_back("a-b", id, key);
    }
  }
  std::sort(names.begin(), names.end());
  for (size_t i = 1; i < names.size(); ++i) {
    const auto& [n1, i1, k1] = names[i - 1];
    const auto& [n2, i2, k2] = names[i];
    EXPECT_LT(ItemKey(n1, i1, k1), ItemKey(n2, i2, k2)) << i;
  }
}

TEST(ItemKeyTest, ARecordsPrefixIsOfNoOtherRecord) {
  for (const std::string& one : Parts()) {
    const std::string prefix = RecordPrefix("ns", one);
    for (const std::string& other : Parts()) {
      const bool inside = ItemKey("ns", other, "k").rfind(prefix, 0) == 0;
      EXPECT_EQ(inside, one == other);
    }
  }
}

TEST(ItemKeyTest, WhatIsNoItemsKeyIsRefused) {
  EXPECT_FALSE(ParseItemKey("").has_value());
  EXPECT_FALSE(ParseItemKey("ns").has_value());
  EXPECT_FALSE(ParseItemKey(std::string("ns\0id", 5)).has_value());
  EXPECT_FALSE(ParseItemKey(std::string("ns\0id\0", 6)).has_value());
  EXPECT_FALSE(ParseItemKey(std::string("ns\0id\0\2", 7)).has_value());
}

TEST(PrefixEndTest, IsAfterEveryKeyOfThePrefixAndBeforeTheNext) {
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff"), "");
  EXPECT_EQ(PrefixEnd(""), "");
}

TEST(LogKeyTest, OrdersByOriginThenSequence) {
  EXPECT_LT(LogKey(Origin(1), Sequence(256)), LogKey(Origin(2), Sequence(1)));
  EXPECT_LT(LogKey(Origin(1), Sequence(255)), LogKey(Origin(1), Sequence(256)));
  const auto parts = ParseLogKey(LogKey(Origin(~uint64_t{0}), Sequence(258)));
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->origin, Origin(~uint64_t{0}));
  EXPECT_EQ(parts->sequence, Sequence(258));
  EXPECT_FALSE(ParseLogKey("short").has_value());
}

TEST(PositionKeyTest, ComesBack) {
  EXPECT_EQ(ParsePositionKey(PositionKey(Origin(77))), Origin(77));
  EXPECT_FALSE(ParsePositionKey(kIdentityKey).has_value());
}

TEST(RequestKeyTest, TimesOrderAndNeverMixWithIds) {
  const std::string id = RequestKey("ns", "t-id");
  EXPECT_NE(id, RequestKey("nst", "-id"));
  EXPECT_LT(RequestTimeKey(HybridTime(255), id), RequestTimeKey(HybridTime(256), id));
  const std::string by_time = RequestTimeKey(HybridTime(9), id);
  const auto parts = ParseRequestTimeKey(by_time);
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->time, HybridTime(9));
  EXPECT_EQ(parts->request_key, id);
  EXPECT_FALSE(ParseRequestTimeKey(id).has_value());
}

TEST(ExpiryKeyTest, OrdersByTimeAndComesBack) {
  const std::string item = ItemKey("ns", "id", "key");
  EXPECT_LT(ExpiryKey(HybridTime(255), item), ExpiryKey(HybridTime(256), ""));
  const std::string stored = ExpiryKey(HybridTime(~uint64_t{0} - 1), item);
  const auto parts = ParseExpiryKey(stored);
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->time, HybridTime(~uint64_t{0} - 1));
  EXPECT_EQ(parts->item_key, item);
  EXPECT_FALSE(ParseExpiryKey("short").has_value());
}

}  // namespace
}  // namespace homeport
