#include "storage/replication/page_token.h"

#include <string>

#include "absl/strings/match.h"
#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

void ExpectRefused(absl::string_view token, uint64_t hash) {
  auto parsed = ParsePageToken(token, hash);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << parsed.status();
  EXPECT_EQ(ReasonOf(parsed.status()), reason::kPageTokenInvalid);
  EXPECT_TRUE(absl::StrContains(parsed.status().message(), "page_token"));
}

TEST(PageTokenTest, APositionOfAnyBytesComesBack) {
  const uint64_t hash = PageRequestHash({"items", "n", "id"});
  for (const std::string& position :
       {std::string(), std::string("key"), std::string("a\0b\xff", 4), std::string(1024, 'k')}) {
    auto parsed = ParsePageToken(MakePageToken(hash, position), hash);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, position);
  }
}

TEST(PageTokenTest, EveryDamagedCharacterIsFound) {
  const uint64_t hash = PageRequestHash({"items"});
  const std::string good = MakePageToken(hash, "position");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    // The last character of base64 has bits that mean nothing.
    if (at + 1 == good.size() && ParsePageToken(bad, hash).ok()) continue;
    ExpectRefused(bad, hash);
  }
}

TEST(PageTokenTest, WhatIsNoTokenIsRefused) {
  const uint64_t hash = PageRequestHash({"items"});
  for (absl::string_view token : {"", "x", "????", "AQ", "a token of another service"}) {
    ExpectRefused(token, hash);
  }
  const std::string good = MakePageToken(hash, "position");
  for (size_t size = 0; size < good.size(); ++size) ExpectRefused(good.substr(0, size), hash);
}

TEST(PageTokenTest, ATokenOfARequestWithOtherFieldsIsRefused) {
  ExpectRefused(MakePageToken(PageRequestHash({"items", "n"}), "p"), PageRequestHash({"items"}));
}

TEST(PageTokenTest, FieldsDoNotRunIntoEachOther) {
  EXPECT_NE(PageRequestHash({"ab", "c"}), PageRequestHash({"a", "bc"}));
  EXPECT_NE(PageRequestHash({"a", ""}), PageRequestHash({"", "a"}));
  EXPECT_NE(PageRequestHash({"a"}), PageRequestHash({"a", ""}));
}

}  // namespace
}  // namespace homeport
