#include "common/session/session_token.h"

#include <xxhash.h>

#include <cstdint>
#include <string>

#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Position = SessionToken::Position;

uint64_t Ours() { return ClusterFingerprint("world"); }

SessionToken FivePositions() {
  SessionToken token;
  for (uint64_t i = 1; i <= 5; ++i) {
    token.Advance(Origin(i * 0x123456789abcdefULL), Sequence(i * 1'000'003));
  }
  return token;
}

// Gives `body` the checksum that a token of ours has, so that what is tested is the check behind
// it.
std::string WithChecksum(std::string body) {
  const uint64_t hash = XXH3_64bits(body.data(), body.size());
  for (int i = 0; i < 4; ++i) body.push_back(static_cast<char>(hash >> (8 * i)));
  return body;
}

std::string BodyOf(const std::string& bytes) { return bytes.substr(0, bytes.size() - 4); }

void ExpectTokenInvalid(absl::string_view bytes) {
  const auto token = SessionToken::Parse(bytes, Ours());
  EXPECT_EQ(token.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(token.status()), reason::kTokenInvalid);
  EXPECT_EQ(ErrorMetadataOf(token.status(), "field"), "options.session_token");
}

TEST(SessionTokenTest, EmptyBytesAreTheTokenOfANewSession) {
  const auto token = SessionToken::Parse("", Ours());
  ASSERT_TRUE(token.ok());
  EXPECT_THAT(token->positions(), IsEmpty());
  EXPECT_EQ(*token, SessionToken());
}

TEST(SessionTokenTest, ATokenThatHasSeenNothingIsNotEmptyOnTheWire) {
  const std::string bytes = SessionToken().Serialize(Ours());
  EXPECT_EQ(bytes.size(), 16);
  const auto token = SessionToken::Parse(bytes, Ours());
  ASSERT_TRUE(token.ok());
  EXPECT_THAT(token->positions(), IsEmpty());
}

TEST(SessionTokenTest, FivePositionsAre96BytesAndComeBackUnchanged) {
  const SessionToken token = FivePositions();
  const std::string bytes = token.Serialize(Ours());
  EXPECT_EQ(bytes.size(), 96);
  const auto parsed = SessionToken::Parse(bytes, Ours());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, token);
}

TEST(SessionTokenTest, TheWireFormIsAsTheHeaderSays) {
  SessionToken token;
  token.Advance(Origin(0x0807060504030201), Sequence(0x0102));
  const std::string bytes = token.Serialize(0x1817161514131211);
  EXPECT_EQ(BodyOf(bytes), std::string("\x01\0\0\0"
                                       "\x11\x12\x13\x14\x15\x16\x17\x18"
                                       "\x01\x02\x03\x04\x05\x06\x07\x08"
                                       "\x02\x01\0\0\0\0\0\0",
                                       28));
  EXPECT_EQ(bytes, WithChecksum(BodyOf(bytes)));
}

TEST(SessionTokenTest, ADamagedByteAtAnyPositionIsTokenInvalid) {
  const std::string bytes = FivePositions().Serialize(Ours());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(testing::Message() << "byte " << at << " bit " << bit);
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      ExpectTokenInvalid(damaged);
    }
  }
}

TEST(SessionTokenTest, ATokenCutOrExtendedAnywhereIsTokenInvalid) {
  const std::string bytes = FivePositions().Serialize(Ours());
  for (size_t length = 1; length < bytes.size(); ++length) {
    SCOPED_TRACE(length);
    ExpectTokenInvalid(absl::string_view(bytes).substr(0, length));
  }
  for (size_t extra = 1; extra <= 32; ++extra) {
    SCOPED_TRACE(extra);
    ExpectTokenInvalid(bytes + std::string(extra, '\0'));
  }
}

TEST(SessionTokenTest, ATokenOfAnotherClusterIsTokenForeign) {
  const auto token =
      SessionToken::Parse(FivePositions().Serialize(ClusterFingerprint("moon")), Ours());
  EXPECT_EQ(token.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(token.status()), reason::kTokenForeign);
  EXPECT_TRUE(ErrorMetadataOf(token.status(), "cluster").has_value());
}

TEST(SessionTokenTest, AnotherFormatIsTokenInvalidAlsoWithARightChecksum) {
  for (int at = 0; at < 4; ++at) {
    SCOPED_TRACE(at);
    std::string body = BodyOf(FivePositions().Serialize(Ours()));
    body[at] = 2;
    ExpectTokenInvalid(WithChecksum(body));
  }
}

TEST(SessionTokenTest, PositionsOutOfOrderOrTwiceAreTokenInvalid) {
  const std::string body = BodyOf(FivePositions().Serialize(Ours()));
  const std::string header = body.substr(0, 12);
  const std::string first = body.substr(12, 16);
  const std::string second = body.substr(28, 16);
  ASSERT_TRUE(SessionToken::Parse(WithChecksum(header + first + second), Ours()).ok());
  ExpectTokenInvalid(WithChecksum(header + second + first));
  ExpectTokenInvalid(WithChecksum(header + first + first));
}

TEST(SessionTokenTest, AnEmptyPositionIsTokenInvalid) {
  const std::string header = BodyOf(SessionToken().Serialize(Ours()));
  const std::string one = std::string("\1\0\0\0\0\0\0\0", 8);
  const std::string zero(8, '\0');
  ASSERT_TRUE(SessionToken::Parse(WithChecksum(header + one + one), Ours()).ok());
  ExpectTokenInvalid(WithChecksum(header + zero + one));
  ExpectTokenInvalid(WithChecksum(header + one + zero));
}

TEST(SessionTokenTest, PositionsAreTakenUpToTheLimitAndRefusedOnePast) {
  SessionToken token;
  for (uint64_t i = 1; i <= SessionToken::kPositionsMax; ++i) token.Advance(Origin(i), Sequence(1));
  EXPECT_TRUE(SessionToken::Parse(token.Serialize(Ours()), Ours()).ok());
  token.Advance(Origin(SessionToken::kPositionsMax + 1), Sequence(1));
  ExpectTokenInvalid(token.Serialize(Ours()));
}

TEST(SessionTokenTest, AdvanceOnlyRaises) {
  SessionToken token;
  token.Advance(Origin(7), Sequence(3));
  token.Advance(Origin(7), Sequence(2));
  EXPECT_EQ(token.SequenceOf(Origin(7)), Sequence(3));
  token.Advance(Origin(7), Sequence(4));
  EXPECT_EQ(token.SequenceOf(Origin(7)), Sequence(4));
  token.Advance(Origin(8), Sequence(0));
  EXPECT_EQ(token.SequenceOf(Origin(8)), Sequence(0));
  EXPECT_EQ(token.positions().size(), 1);
}

TEST(SessionTokenTest, PositionsStandInOrderOfTheOriginWhateverTheOrderOfArrival) {
  SessionToken token;
  for (uint64_t origin : {5, 1, 9, 3}) token.Advance(Origin(origin), Sequence(origin));
  EXPECT_THAT(token.positions(),
              ElementsAre(Position{Origin(1), Sequence(1)}, Position{Origin(3), Sequence(3)},
                          Position{Origin(5), Sequence(5)}, Position{Origin(9), Sequence(9)}));
}

TEST(SessionTokenTest, MergeTakesTheHigherOfEachPosition) {
  SessionToken a;
  a.Advance(Origin(1), Sequence(10));
  a.Advance(Origin(2), Sequence(1));
  SessionToken b;
  b.Advance(Origin(2), Sequence(5));
  b.Advance(Origin(3), Sequence(7));
  SessionToken ab = a;
  ab.Merge(b);
  SessionToken ba = b;
  ba.Merge(a);
  EXPECT_EQ(ab, ba);
  EXPECT_THAT(ab.positions(),
              ElementsAre(Position{Origin(1), Sequence(10)}, Position{Origin(2), Sequence(5)},
                          Position{Origin(3), Sequence(7)}));
}

TEST(SessionTokenTest, DropTakesOneOriginOut) {
  SessionToken token = FivePositions();
  const Origin third = token.positions()[2].origin;
  token.Drop(third);
  EXPECT_EQ(token.SequenceOf(third), Sequence(0));
  EXPECT_EQ(token.positions().size(), 4);
  token.Drop(third);
  EXPECT_EQ(token.positions().size(), 4);
}

TEST(ClusterFingerprintTest, DiffersByName) {
  EXPECT_EQ(ClusterFingerprint("world"), ClusterFingerprint("world"));
  EXPECT_NE(ClusterFingerprint("world"), ClusterFingerprint("world2"));
}

}  // namespace
}  // namespace homeport
