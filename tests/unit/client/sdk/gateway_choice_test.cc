#include "client/sdk/core/gateway_choice.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace homeport::sdk {
namespace {

uint64_t Least() { return 0; }

constexpr absl::Duration kFirstOut = absl::Milliseconds(500);

class GatewayChoiceTest : public ::testing::Test {
 protected:
  void Fail(absl::string_view gateway) {
    choice_.Ended(gateway, GatewayVerdict::kFailed, now_, Least);
  }
  void Answer(absl::string_view gateway) {
    choice_.Ended(gateway, GatewayVerdict::kAnswers, now_, Least);
  }

  SteadyTime now_ = absl::Hours(1);
  GatewayChoice choice_{{"a", "b", "c"}, GatewayChoiceOptions()};
};

TEST_F(GatewayChoiceTest, TheFirstIsAskedWhileItAnswers) {
  EXPECT_EQ(choice_.Pick(now_), "a");
  Answer("a");
  EXPECT_EQ(choice_.Pick(now_), "a");
}

TEST_F(GatewayChoiceTest, OneThatFailsLosesItsTrafficAtOnce) {
  Fail("a");
  EXPECT_EQ(choice_.Pick(now_), "b");
  Fail("b");
  EXPECT_EQ(choice_.Pick(now_), "c");
}

TEST_F(GatewayChoiceTest, OneProbeIsLetThroughAndItsAnswerBringsTheGatewayBack) {
  Fail("a");
  now_ += kFirstOut;
  EXPECT_EQ(choice_.Pick(now_), "a");
  EXPECT_EQ(choice_.Pick(now_), "b");
  Answer("a");
  EXPECT_EQ(choice_.Pick(now_), "a");
  EXPECT_EQ(choice_.Pick(now_), "a");
}

TEST_F(GatewayChoiceTest, AProbeThatFailsDoublesTheTimeOutUpToTheLongest) {
  Fail("a");
  absl::Duration out = kFirstOut;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(choice_.Pick(now_ + out - absl::Nanoseconds(1)), "b");
    now_ += out;
    EXPECT_EQ(choice_.Pick(now_), "a");
    Fail("a");
    out = std::min(out * 2, absl::Seconds(30));
  }
}

TEST_F(GatewayChoiceTest, RequestsThatFailTogetherAreOneFailure) {
  for (int i = 0; i < 100; ++i) Fail("a");
  EXPECT_EQ(choice_.Pick(now_ + kFirstOut), "a");
}

TEST_F(GatewayChoiceTest, AProbeThatNobodyReportsGivesUpItsTurn) {
  Fail("a");
  now_ += kFirstOut;
  EXPECT_EQ(choice_.Pick(now_), "a");
  now_ += GatewayChoiceOptions().probe_turn;
  EXPECT_EQ(choice_.Pick(now_), "a");
}

TEST_F(GatewayChoiceTest, OneTimeoutIsNoFailureTwoInARowAre) {
  choice_.Ended("a", GatewayVerdict::kTimedOut, now_, Least);
  EXPECT_EQ(choice_.Pick(now_), "a");
  Answer("a");
  choice_.Ended("a", GatewayVerdict::kTimedOut, now_, Least);
  EXPECT_EQ(choice_.Pick(now_), "a");
  choice_.Ended("a", GatewayVerdict::kTimedOut, now_, Least);
  EXPECT_EQ(choice_.Pick(now_), "b");
}

TEST_F(GatewayChoiceTest, WhenAllAreOutTheOneThatComesBackFirstIsAsked) {
  Fail("b");
  now_ += absl::Milliseconds(1);
  Fail("c");
  now_ += absl::Milliseconds(1);
  Fail("a");
  EXPECT_EQ(choice_.Pick(now_), "b");
}

TEST_F(GatewayChoiceTest, TheOneThatJustFailedIsAskedAgainOnlyIfItIsTheOnlyFitOne) {
  EXPECT_EQ(choice_.Pick(now_, "a"), "b");
  EXPECT_TRUE(choice_.HasOther("a", now_));
  Fail("b");
  Fail("c");
  EXPECT_FALSE(choice_.HasOther("a", now_));
  EXPECT_EQ(choice_.Pick(now_, "a"), "a");
}

TEST_F(GatewayChoiceTest, ANearerGatewayIsMovedTo) {
  choice_.ToldOf("a", "far.example:1", now_);
  EXPECT_EQ(choice_.preferred(), "far.example:1");
  EXPECT_EQ(choice_.Pick(now_), "far.example:1");
  // Should it fail, those that the client knew are still there, in their order.
  Fail("far.example:1");
  EXPECT_EQ(choice_.Pick(now_), "a");
}

TEST_F(GatewayChoiceTest, WhatAStandInSaysIsNotFollowed) {
  Fail("a");
  EXPECT_EQ(choice_.Pick(now_), "b");
  choice_.ToldOf("b", "a", now_);
  choice_.ToldOf("b", "d", now_);
  EXPECT_EQ(choice_.preferred(), "a");
}

TEST_F(GatewayChoiceTest, TwoThatNameEachOtherDoNotTossTheClient) {
  choice_.ToldOf("a", "b", now_);
  EXPECT_EQ(choice_.preferred(), "b");
  choice_.ToldOf("b", "a", now_);
  EXPECT_EQ(choice_.preferred(), "b");
  now_ += GatewayChoiceOptions().move_interval;
  choice_.ToldOf("b", "a", now_);
  EXPECT_EQ(choice_.preferred(), "a");
}

TEST_F(GatewayChoiceTest, AClientThatIsNotToFollowStays) {
  GatewayChoice choice({"a"}, {.follow_nearest = false});
  choice.ToldOf("a", "b", now_);
  EXPECT_EQ(choice.preferred(), "a");
}

TEST_F(GatewayChoiceTest, TheOldestOfThoseToldOfIsForgottenFirst) {
  std::string last = "a";
  for (int i = 0; i < 50; ++i) {
    const std::string next = absl::StrCat("told ", i);
    choice_.ToldOf(last, next, now_);
    EXPECT_EQ(choice_.preferred(), next);
    now_ += GatewayChoiceOptions().move_interval;
    last = next;
  }
  int known = 0;
  bool configured = false;
  for (;; ++known) {
    const std::string gateway = choice_.Pick(now_);
    if (gateway == "a") configured = true;
    if (!choice_.HasOther(gateway, now_)) break;
    Fail(gateway);
  }
  EXPECT_EQ(known + 1, GatewayChoice::kGatewaysMax);
  EXPECT_TRUE(configured || choice_.Pick(now_) == "c");
}

}  // namespace
}  // namespace homeport::sdk
