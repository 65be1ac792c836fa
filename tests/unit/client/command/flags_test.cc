#include "client/command/flags.h"

#include <stdlib.h>

#include "client/command/exit_codes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FlagsTest : public testing::Test {
 protected:
  FlagsTest() : flags_("do", "Does something.", {"homeport do this", "homeport do that"}) {
    flags_.String("--name", &name_, "A name", "HOMEPORT_FLAGS_TEST");
    flags_.Strings("--dial", &dials_, "Some");
    flags_.Choice("--level", &level_, {"low", "high"}, "A level");
    flags_.Switch("--loud", &loud_, "Loud");
    flags_.Integer("--limit", &limit_, 1, 10, "A limit");
    flags_.Duration("--timeout", &timeout_, "A time");
    flags_.Argument("ID", &id_, true, "An id");
    flags_.Argument("KEY", &key_, "A key");
  }

  void ExpectWrong(const std::vector<std::string>& arguments, const std::string& problem) {
    const absl::Status status = flags_.Parse(arguments);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(problem));
  }

  Flags flags_;
  std::string name_ = "nobody";
  std::vector<std::string> dials_;
  std::string level_;
  bool loud_ = false;
  int limit_ = 5;
  absl::Duration timeout_ = absl::Seconds(5);
  std::string id_;
  std::optional<std::string> key_;
};

TEST_F(FlagsTest, FlagsAndArgumentsMayBeMixed) {
  const absl::Status parsed =
      flags_.Parse({"one", "--name=Ada", "--dial", "a=b", "two", "--loud", "--dial", "c",
                    "--timeout", "150ms", "--level", "high", "--limit", "10"});
  ASSERT_TRUE(parsed.ok()) << parsed;
  EXPECT_EQ(id_, "one");
  EXPECT_EQ(key_, "two");
  EXPECT_EQ(name_, "Ada");
  EXPECT_THAT(dials_, ElementsAre("a=b", "c"));
  EXPECT_TRUE(loud_);
  EXPECT_EQ(timeout_, absl::Milliseconds(150));
  EXPECT_EQ(level_, "high");
  EXPECT_EQ(limit_, 10);
}

TEST_F(FlagsTest, WhatIsNotGivenKeepsItsValue) {
  ASSERT_TRUE(flags_.Parse({"one"}).ok());
  EXPECT_EQ(name_, "nobody");
  EXPECT_EQ(timeout_, absl::Seconds(5));
  EXPECT_EQ(limit_, 5);
  EXPECT_EQ(key_, std::nullopt);
}

TEST_F(FlagsTest, AnEmptyArgumentIsGiven) {
  ASSERT_TRUE(flags_.Parse({"one", ""}).ok());
  EXPECT_EQ(key_, "");
}

TEST_F(FlagsTest, AfterTwoDashesEverythingIsAnArgument) {
  ASSERT_TRUE(flags_.Parse({"--", "--name"}).ok());
  EXPECT_EQ(id_, "--name");
}

TEST_F(FlagsTest, TheEnvironmentFillsInForAMissingFlag) {
  setenv("HOMEPORT_FLAGS_TEST", "Grace", 1);
  EXPECT_TRUE(flags_.Parse({"one"}).ok());
  EXPECT_EQ(name_, "Grace");
  unsetenv("HOMEPORT_FLAGS_TEST");
}

TEST_F(FlagsTest, WrongCommandLinesAreNamed) {
  ExpectWrong({}, "ID is required");
  ExpectWrong({"one", "--nmae", "x"}, "--nmae");
  ExpectWrong({"one", "two", "three"}, "three");
  ExpectWrong({"one", "--level", "middle"}, "middle");
  ExpectWrong({"one", "--limit", "11"}, "11");
  ExpectWrong({"one", "--timeout", "5"}, "--timeout");
  ExpectWrong({"one", "--timeout", "-1s"}, "--timeout");
}

TEST_F(FlagsTest, HelpShowsUsageDefaultsAndExamples) {
  const absl::Status asked = flags_.Parse({"--help"});
  EXPECT_EQ(asked.code(), absl::StatusCode::kCancelled);
  const std::string help(asked.message());
  EXPECT_THAT(help, HasSubstr("Does something."));
  EXPECT_THAT(help, HasSubstr("homeport do [OPTIONS] ID [KEY]"));
  EXPECT_THAT(help, HasSubstr("nobody"));
  EXPECT_THAT(help, HasSubstr("HOMEPORT_FLAGS_TEST"));
  EXPECT_THAT(help, HasSubstr("Examples:\n  homeport do this\n  homeport do that"));
}

TEST_F(FlagsTest, HelpEndsWellAndAWrongLineDoesNot) {
  EXPECT_EQ(flags_.ParseOrExit({"one"}), std::nullopt);
  EXPECT_EQ(flags_.ParseOrExit({"--help"}), kExitOk);
  EXPECT_EQ(flags_.ParseOrExit({}), kExitUsage);
}

}  // namespace
}  // namespace homeport
