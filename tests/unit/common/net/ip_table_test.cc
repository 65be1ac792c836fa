#include "common/net/ip_table.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace homeport {
namespace {

std::vector<IpRange> Ranges(const std::vector<std::string>& texts) {
  std::vector<IpRange> ranges;
  for (const std::string& text : texts) ranges.push_back(*IpRange::Parse(text));
  return ranges;
}

int Find(const IpTable& table, absl::string_view address) {
  return table.Find(*IpAddress::Parse(address)).value_or(-1);
}

TEST(IpTableTest, AnEmptyTableHoldsNothing) {
  EXPECT_EQ(Find(IpTable(), "10.0.0.1"), -1);
  EXPECT_EQ(Find(IpTable(), "::1"), -1);
}

TEST(IpTableTest, TheLongestPrefixWins) {
  const IpTable table(Ranges({"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3"}));
  EXPECT_EQ(Find(table, "10.0.255.255"), 0);
  EXPECT_EQ(Find(table, "10.1.0.0"), 1);
  EXPECT_EQ(Find(table, "10.1.2.2"), 2);
  EXPECT_EQ(Find(table, "10.1.2.3"), 3);
  EXPECT_EQ(Find(table, "10.1.2.4"), 2);
  EXPECT_EQ(Find(table, "10.1.3.0"), 1);
  EXPECT_EQ(Find(table, "10.2.0.0"), 0);
  EXPECT_EQ(Find(table, "11.0.0.0"), -1);
  EXPECT_EQ(Find(table, "9.255.255.255"), -1);
}

TEST(IpTableTest, FamiliesAreApart) {
  const IpTable table(Ranges({"0.0.0.0/0", "::/0"}));
  EXPECT_EQ(Find(table, "0.0.0.0"), 0);
  EXPECT_EQ(Find(table, "255.255.255.255"), 0);
  EXPECT_EQ(Find(table, "::"), 1);
  EXPECT_EQ(Find(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 1);
}

TEST(IpTableTest, RangesAtTheEndsOfTheNumbersWork) {
  const IpTable table(Ranges({"255.255.255.255", "0.0.0.0", "ffff::/16", "::"}));
  EXPECT_EQ(Find(table, "255.255.255.255"), 0);
  EXPECT_EQ(Find(table, "255.255.255.254"), -1);
  EXPECT_EQ(Find(table, "0.0.0.0"), 1);
  EXPECT_EQ(Find(table, "0.0.0.1"), -1);
  EXPECT_EQ(Find(table, "ffff::1"), 2);
  EXPECT_EQ(Find(table, "::"), 3);
  EXPECT_EQ(Find(table, "::1"), -1);
}

TEST(IpTableTest, OfEqualRangesTheFirstIsAnswered) {
  EXPECT_EQ(Find(IpTable(Ranges({"10.0.0.0/8", "10.0.0.0/8"})), "10.1.1.1"), 0);
}

TEST(IpTableTest, AgreesWithASearchOfEveryRange) {
  std::mt19937 random(7);
  std::vector<IpRange> ranges;
  for (int i = 0; i < 500; ++i) {
    const int length = static_cast<int>(random() % 33);
    // Few distinct high bits, so that ranges nest.
    const uint32_t number = (random() & 0x0303ff03) & (length ? ~0u << (32 - length) : 0);
    ranges.push_back(
        *IpRange::Parse(IpAddress::V4(number).ToString() + "/" + std::to_string(length)));
  }
  const IpTable table(ranges);
  for (int i = 0; i < 20000; ++i) {
    const IpAddress address = IpAddress::V4(random() & 0x0303ff03);
    int want = -1;
    for (int r = 0; r < static_cast<int>(ranges.size()); ++r) {
      const IpRange& range = ranges[static_cast<size_t>(r)];
      if (range.Contains(address) &&
          (want < 0 || range.prefix_length() > ranges[static_cast<size_t>(want)].prefix_length())) {
        want = r;
      }
    }
    ASSERT_EQ(table.Find(address).value_or(-1), want) << address.ToString();
  }
}

}  // namespace
}  // namespace homeport
