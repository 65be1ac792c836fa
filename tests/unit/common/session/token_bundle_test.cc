#include "common/session/token_bundle.h"

#include <string>
#include <vector>

#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

uint64_t Ours() { return ClusterFingerprint("world"); }

SessionToken TokenOf(uint64_t origin, uint64_t sequence) {
  SessionToken token;
  token.Advance(Origin(origin), Sequence(sequence));
  return token;
}

std::string BytesOf(uint64_t origin, uint64_t sequence) {
  return TokenOf(origin, sequence).Serialize(Ours());
}

void ExpectTokenInvalid(absl::string_view bytes) {
  const auto token = ParseTokens(bytes, Ours());
  EXPECT_EQ(token.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(token.status()), reason::kTokenInvalid);
  EXPECT_EQ(ErrorMetadataOf(token.status(), "field"), "options.session_token");
}

TEST(TokenBundleTest, NoTokenIsEmptyAndOneIsItself) {
  EXPECT_EQ(BundleTokens({}), "");
  EXPECT_EQ(BundleTokens({BytesOf(1, 2)}), BytesOf(1, 2));
  const auto none = ParseTokens("", Ours());
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, SessionToken());
  const auto one = ParseTokens(BytesOf(1, 2), Ours());
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(*one, TokenOf(1, 2));
}

TEST(TokenBundleTest, SeveralTokensAreMergedByPosition) {
  const auto merged =
      ParseTokens(BundleTokens({BytesOf(1, 5), BytesOf(2, 3), BytesOf(1, 4)}), Ours());
  ASSERT_TRUE(merged.ok()) << merged.status();
  SessionToken expected = TokenOf(1, 5);
  expected.Merge(TokenOf(2, 3));
  EXPECT_EQ(*merged, expected);
}

TEST(TokenBundleTest, AsManyAsTheLimitAreTakenAndNotOneMore) {
  std::vector<std::string> tokens;
  for (uint64_t i = 1; i <= kBundledTokensMax; ++i) tokens.push_back(BytesOf(i, i));
  const auto merged = ParseTokens(BundleTokens(tokens), Ours());
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->positions().size(), kBundledTokensMax);
  tokens.push_back(BytesOf(1, 1));
  ExpectTokenInvalid(BundleTokens(tokens));
}

TEST(TokenBundleTest, ABundleThatIsCutAnywhereIsRefused) {
  const std::string whole = BundleTokens({BytesOf(1, 5), BytesOf(2, 3)});
  for (size_t size = 1; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    ExpectTokenInvalid(absl::string_view(whole).substr(0, size));
  }
  ExpectTokenInvalid(whole + "x");
}

TEST(TokenBundleTest, ABundleInABundleIsRefused) {
  const std::string inner = BundleTokens({BytesOf(1, 5), BytesOf(2, 3)});
  ExpectTokenInvalid(BundleTokens({inner, BytesOf(3, 1)}));
}

TEST(TokenBundleTest, OneForeignTokenMakesTheWholeForeign) {
  const std::string foreign = TokenOf(2, 3).Serialize(ClusterFingerprint("moon"));
  const auto merged = ParseTokens(BundleTokens({BytesOf(1, 5), foreign}), Ours());
  EXPECT_EQ(merged.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(merged.status()), reason::kTokenForeign);
}

}  // namespace
}  // namespace homeport
