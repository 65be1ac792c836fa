#include "client/command/commands.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "client/command/exit_codes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

Arguments g_seen;

int Remember(const Arguments& arguments) {
  g_seen = arguments;
  return 42;
}
int Other(const Arguments&) { return 43; }

const Command kCommands[] = {{"status", "Shows.", Other},
                             {"get", "Reads.", Remember},
                             {"config check", "Checks.", Remember}};

TEST(CommandsTest, ACommandGetsWhatFollowsItsName) {
  EXPECT_EQ(RunCommandLine(kCommands, {"get", "a", "--b"}), 42);
  EXPECT_THAT(g_seen, ElementsAre("a", "--b"));
  EXPECT_EQ(RunCommandLine(kCommands, {"config", "check", "file"}), 42);
  EXPECT_THAT(g_seen, ElementsAre("file"));
  EXPECT_EQ(RunCommandLine(kCommands, {"status"}), 43);
}

TEST(CommandsTest, HelpOfACommandIsAskedOfTheCommand) {
  EXPECT_EQ(RunCommandLine(kCommands, {"help", "config", "check"}), 42);
  EXPECT_THAT(g_seen, ElementsAre("--help"));
}

TEST(CommandsTest, AnUnknownCommandNamesTheNearest) {
  CaptureStderr();
  EXPECT_EQ(RunCommandLine(kCommands, {"staus"}), kExitUsage);
  EXPECT_EQ(
      GetCapturedStderr(),
      "homeport: no command is called 'staus'; did you mean 'status'?\nTry 'homeport help'.\n");
  CaptureStderr();
  EXPECT_EQ(RunCommandLine(kCommands, {"frobnicate"}), kExitUsage);
  EXPECT_EQ(GetCapturedStderr(),
            "homeport: no command is called 'frobnicate'\nTry 'homeport help'.\n");
}

TEST(CommandsTest, HalfACommandNamesTheRest) {
  CaptureStderr();
  EXPECT_EQ(RunCommandLine(kCommands, {"config"}), kExitUsage);
  EXPECT_EQ(GetCapturedStderr(), "homeport: 'config' needs a word more: config check\n");
}

TEST(CommandsTest, HelpListsCommandsExitCodesAndEnvironment) {
  CaptureStdout();
  EXPECT_EQ(RunCommandLine(kCommands, {"help"}), kExitOk);
  const std::string help = GetCapturedStdout();
  EXPECT_THAT(help, HasSubstr("  config check      Checks.\n"));
  EXPECT_THAT(help, HasSubstr("  5    the outcome of a write is unknown"));
  EXPECT_THAT(help, HasSubstr("HOMEPORT_GATEWAY"));
}

TEST(CommandsTest, NoCommandIsAUsageError) {
  CaptureStdout();
  EXPECT_EQ(RunCommandLine(kCommands, {}), kExitUsage);
  EXPECT_THAT(GetCapturedStdout(), HasSubstr("Usage: homeport COMMAND"));
}

class ConfigCheckTest : public testing::Test {
 protected:
  ConfigCheckTest() : folder_(testing::TempDir() + "/config_XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    file_ = folder_ + "/topology.yaml";
  }
  ~ConfigCheckTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::string file_;
};

TEST_F(ConfigCheckTest, ASoundFileSaysSo) {
  std::ofstream(file_) << "cluster: c\n"
                          "regions:\n"
                          "  - name: here\n"
                          "    country: DE\n"
                          "    latitude: 50\n"
                          "    longitude: 8\n"
                          "    gateways: [\"127.0.0.1:7011\"]\n"
                          "    replicas: [{name: a, address: \"127.0.0.1:7012\"}]\n"
                          "namespaces:\n"
                          "  - name: demo\n";
  CaptureStdout();
  EXPECT_EQ(RunConfigCheck({file_}), kExitOk);
  EXPECT_EQ(GetCapturedStdout(), file_ + ": sound: 1 regions, 1 namespaces\n");
}

TEST_F(ConfigCheckTest, AnUnsoundFileIsRefusedWithFileLineAndPath) {
  std::ofstream(file_) << "cluster: c\nregoins: []\n";
  CaptureStderr();
  EXPECT_EQ(RunConfigCheck({file_}), kExitRefused);
  const std::string problems = GetCapturedStderr();
  EXPECT_THAT(problems, HasSubstr(file_ + ":2: regoins: "));
  CaptureStdout();
  EXPECT_EQ(RunConfigCheck({file_, "--json"}), kExitRefused);
  EXPECT_THAT(GetCapturedStdout(), HasSubstr("\"sound\": false"));
}

TEST_F(ConfigCheckTest, AMissingFileIsRefusedByName) {
  CaptureStderr();
  EXPECT_EQ(RunConfigCheck({file_}), kExitRefused);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr(file_));
}

TEST(CallsTest, NoGatewayIsUnavailableAndNothingWasWritten) {
  // Port 1 of loopback: nothing listens there.
  CaptureStderr();
  EXPECT_EQ(RunPut({"id", "value", "--gateway", "127.0.0.1:1"}), kExitUnavailable);
  EXPECT_EQ(GetCapturedStderr(),
            "homeport: UNAVAILABLE (REGION_UNREACHABLE): no gateway answers at 127.0.0.1:1\n"
            "  address: 127.0.0.1:1\n");
}

TEST(CallsTest, AWrongAddressIsRefusedBeforeAnyCall) {
  CaptureStderr();
  EXPECT_EQ(RunGet({"id", "--from", "somewhere"}), kExitRefused);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("--from"));
  CaptureStderr();
  EXPECT_EQ(RunStatus({"--gateway", "nowhere"}), kExitRefused);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("--gateway"));
}

TEST(CallsTest, RangesOfKeysNeedARecord) {
  CaptureStderr();
  EXPECT_EQ(RunList({"--start", "a"}), kExitUsage);
  EXPECT_EQ(GetCapturedStderr(), "homeport list: --start and --end need an ID\n");
}

TEST(CallsTest, AnAdditionNeedsANumberAndMayBeNegative) {
  CaptureStderr();
  EXPECT_EQ(RunAdd({"id", "many"}), kExitUsage);
  EXPECT_EQ(GetCapturedStderr(), "homeport add: N: \"many\" is not a signed 64-bit number\n");
  CaptureStderr();
  EXPECT_EQ(RunAdd({"id", "9223372036854775808"}), kExitUsage);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("9223372036854775808"));
  // Nothing listens there; the number was taken.
  CaptureStderr();
  EXPECT_EQ(RunAdd({"id", "-5", "--gateway", "127.0.0.1:1"}), kExitUnavailable);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("no gateway answers"));
}

}  // namespace
}  // namespace homeport
