#include "client/command/client_flags.h"

#include <stdlib.h>

#include <filesystem>

#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

class RecordFlagsTest : public testing::Test {
 protected:
  RecordFlagsTest() : folder_(testing::TempDir() + "/session_XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~RecordFlagsTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  RecordFlags flags_;
};

TEST_F(RecordFlagsTest, ASessionFileCarriesTheTokenFromCallToCall) {
  flags_.session_file = folder_ + "/me";
  EXPECT_EQ(flags_.ToReadOptions()->session_token(), "");
  const std::string token("\x01\x00\xff token", 9);
  ASSERT_TRUE(flags_.Keep(token).ok());
  EXPECT_EQ(flags_.ToReadOptions()->session_token(), token);
  EXPECT_EQ(flags_.ToWriteOptions()->session_token(), token);
}

TEST_F(RecordFlagsTest, ATokenIsTakenInBase64) {
  flags_.token = "AQID";
  EXPECT_EQ(flags_.ToReadOptions()->session_token(), "\x01\x02\x03");
  flags_.token = "not base64!";
  EXPECT_EQ(ReasonOf(flags_.ToReadOptions().status()), reason::kFieldInvalid);
}

TEST_F(RecordFlagsTest, ATokenAndASessionFileExcludeEachOther) {
  flags_.token = "AQID";
  flags_.session_file = folder_ + "/me";
  EXPECT_EQ(flags_.ToWriteOptions().status().message(), "--token: not together with --session");
}

TEST_F(RecordFlagsTest, ASessionFileThatCanNotBeWrittenIsNamed) {
  flags_.session_file = folder_ + "/missing/me";
  const absl::Status kept = flags_.Keep("x");
  EXPECT_EQ(kept.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(kept.message(), "cannot write " + flags_.session_file + ".part");
}

TEST_F(RecordFlagsTest, EveryWriteHasItsOwnRequestId) {
  const std::string first = flags_.ToWriteOptions()->request_id();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(first, flags_.ToWriteOptions()->request_id());
}

TEST_F(RecordFlagsTest, LevelAndRegionBecomeTheProtosValues) {
  flags_.level = "eventual";
  flags_.region = "gateway";
  flags_.local_only = true;
  auto options = flags_.ToReadOptions();
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->consistency(), v1::CONSISTENCY_LEVEL_EVENTUAL);
  EXPECT_EQ(options->region_choice(), v1::REGION_CHOICE_GATEWAY);
  EXPECT_TRUE(options->local_only());
  EXPECT_EQ(RecordFlags().ToReadOptions()->consistency(), v1::CONSISTENCY_LEVEL_UNSPECIFIED);
}

}  // namespace
}  // namespace homeport
