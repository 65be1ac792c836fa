#include "client/sdk/core/session_tokens.h"

#include <deque>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/session/token_bundle.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport::sdk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Held(const SessionTokens& session) {
  auto tokens = SplitTokens(session.Export());
  EXPECT_TRUE(tokens.ok()) << tokens.status();
  return tokens.ok() ? *tokens : std::vector<std::string>();
}

TEST(SessionTokensTest, ANewSessionHasSeenNothing) {
  SessionTokens session;
  EXPECT_EQ(session.ToSend().bytes, "");
  EXPECT_EQ(session.Export(), "");
}

TEST(SessionTokensTest, AReplysTokenTakesThePlaceOfWhatItsRequestCarried) {
  SessionTokens session;
  session.Answered(session.ToSend(), "a");
  const auto carried = session.ToSend();
  EXPECT_EQ(carried.bytes, "a");
  session.Answered(carried, "b");
  EXPECT_EQ(session.Export(), "b");
}

TEST(SessionTokensTest, TokensOfConcurrentRepliesStayBesideEachOther) {
  SessionTokens session;
  session.Answered(session.ToSend(), "a");
  const auto first = session.ToSend();
  const auto second = session.ToSend();
  session.Answered(second, "b");
  session.Answered(first, "c");
  EXPECT_THAT(Held(session), ElementsAre("b", "c"));
  session.Answered(session.ToSend(), "d");
  EXPECT_THAT(Held(session), ElementsAre("d"));
}

TEST(SessionTokensTest, ALateReplyDoesNotTakeAwayWhatItsRequestDidNotCarry) {
  SessionTokens session;
  const auto early = session.ToSend();
  session.Answered(session.ToSend(), "a");
  session.Answered(session.ToSend(), "b");
  session.Answered(early, "old");
  EXPECT_THAT(Held(session), ElementsAre("b", "old"));
}

TEST(SessionTokensTest, TheSameTokenIsHeldOnce) {
  SessionTokens session;
  const auto first = session.ToSend();
  const auto second = session.ToSend();
  session.Answered(first, "a");
  session.Answered(second, "a");
  EXPECT_THAT(Held(session), ElementsAre("a"));
}

TEST(SessionTokensTest, ATokenThatCameTwiceIsNotDroppedByARequestThatDidNotCarryIt) {
  SessionTokens session;
  session.Answered(session.ToSend(), "a");
  session.Answered(session.ToSend(), "");
  EXPECT_THAT(Held(session), ElementsAre("a"));
}

TEST(SessionTokensTest, ARefusedTokenIsDroppedAndWhatCameInTheMeantimeStays) {
  SessionTokens session;
  session.Answered(session.ToSend(), "foreign");
  const auto carried = session.ToSend();
  const auto other = session.ToSend();
  session.Answered(other, "good");
  session.Drop(carried);
  EXPECT_THAT(Held(session), ElementsAre("good"));
}

TEST(SessionTokensTest, AnExportedSessionGoesOnElsewhere) {
  SessionTokens session;
  const auto first = session.ToSend();
  const auto second = session.ToSend();
  session.Answered(first, "a");
  session.Answered(second, "b");
  SessionTokens other;
  ASSERT_TRUE(other.Join(session.Export()).ok());
  EXPECT_THAT(Held(other), ElementsAre("a", "b"));
  ASSERT_TRUE(other.Join("c").ok());
  ASSERT_TRUE(other.Join("c").ok());
  EXPECT_THAT(Held(other), ElementsAre("a", "b", "c"));
  other.Answered(other.ToSend(), "d");
  EXPECT_THAT(Held(other), ElementsAre("d"));
}

TEST(SessionTokensTest, WhatIsNotExportedByASessionIsRefusedAndChangesNothing) {
  SessionTokens session;
  const absl::Status cut =
      session.Join(absl::string_view("\x02\x02\x01\x00"
                                     "a",
                                     5));
  EXPECT_EQ(cut.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(cut), reason::kTokenInvalid);
  EXPECT_EQ(session.Export(), "");
}

TEST(SessionTokensTest, MoreJoinedThanOneRequestCanCarryAreRefused) {
  SessionTokens session;
  session.ToSend();
  for (size_t i = 0; i < SessionTokens::kJoinedMax; ++i) {
    ASSERT_TRUE(session.Join(absl::StrCat("token ", i)).ok());
  }
  const absl::Status more = session.Join("one more");
  EXPECT_EQ(more.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(more), reason::kLimitExceeded);
  session.Answered(session.ToSend(), "a");
  EXPECT_TRUE(session.Join("one more").ok());
}

// A model of what replicas do: a reply's token covers what its request carried, and the reply.
TEST(SessionTokensTest, NothingSeenIsLostAndNoMoreAreHeldThanARequestCanCarry) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 30; ++round) {
    SessionTokens session;
    std::vector<std::set<int>> covers;  // by the token's number
    const auto covered_by = [&](const std::string& bytes) {
      std::set<int> all;
      auto tokens = SplitTokens(bytes);
      EXPECT_TRUE(tokens.ok()) << tokens.status();
      for (const std::string& token : *tokens) {
        const std::set<int>& one = covers[std::stoi(token)];
        all.insert(one.begin(), one.end());
      }
      return all;
    };
    std::deque<SessionTokens::Carried> under_way;
    std::set<int> seen;
    for (int step = 0; step < 300; ++step) {
      if (under_way.size() < SessionTokens::kInFlightMax && random() % 2 == 0) {
        under_way.push_back(session.ToSend());
        EXPECT_EQ(covered_by(under_way.back().bytes), seen);
      } else if (!under_way.empty()) {
        const size_t which = random() % under_way.size();
        std::set<int> now = covered_by(under_way[which].bytes);
        now.insert(step);
        seen.insert(step);
        covers.push_back(std::move(now));
        session.Answered(under_way[which], absl::StrCat(covers.size() - 1));
        under_way.erase(under_way.begin() + which);
        EXPECT_LE(Held(session).size(), SessionTokens::kInFlightMax);
      }
    }
    EXPECT_EQ(covered_by(session.Export()), seen);
  }
}

}  // namespace
}  // namespace homeport::sdk
