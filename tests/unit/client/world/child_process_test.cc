#include "client/world/child_process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace homeport {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

std::unique_ptr<ChildProcess> MustStart(ChildProcess::Options options) {
  auto child = ChildProcess::Start(options);
  EXPECT_TRUE(child.ok()) << child.status();
  return *std::move(child);
}

TEST(ChildProcessTest, TheExitCodeIsKept) {
  auto child = MustStart({.command = {"/bin/sh", "-c", "exit 7"}});
  EXPECT_EQ(*child->Wait(kPatience), (ProcessEnd{7, 0}));
  EXPECT_FALSE(child->IsAlive());
  EXPECT_EQ(child->end()->ToString(), "exit code 7");
}

TEST(ChildProcessTest, TheSignalIsKept) {
  auto child = MustStart({.command = {"/bin/sleep", "1000"}});
  EXPECT_TRUE(child->IsAlive());
  EXPECT_TRUE(child->Signal(SIGKILL).ok());
  EXPECT_EQ(*child->Wait(kPatience), (ProcessEnd{0, SIGKILL}));
  EXPECT_EQ(child->end()->ToString(), "signal 9");
}

TEST(ChildProcessTest, SignallingAnEndedProcessIsRefused) {
  auto child = MustStart({.command = {"/bin/true"}});
  ASSERT_TRUE(child->Wait(kPatience).ok());
  EXPECT_EQ(child->Signal(SIGTERM).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ChildProcessTest, AProgramThatIsNotThereIsNotFound) {
  auto child = ChildProcess::Start({.command = {"/nonexistent/program"}});
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(child.status().message().find("/nonexistent/program"), absl::string_view::npos);
}

TEST(ChildProcessTest, WaitingGivesUpAtItsTimeout) {
  auto child = MustStart({.command = {"/bin/sleep", "1000"}});
  EXPECT_EQ(child->Wait(absl::ZeroDuration()).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(child->IsAlive());
}

TEST(ChildProcessTest, StopAsksFirst) {
  auto child = MustStart({.command = {"/bin/sleep", "1000"}});
  EXPECT_EQ(child->Stop(kPatience), (ProcessEnd{0, SIGTERM}));
}

TEST(ChildProcessTest, StopKillsOneThatDoesNotListen) {
  std::string folder = testing::TempDir() + "/child_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string ready = folder + "/ready";
  auto child =
      MustStart({.command = {"/bin/sh", "-c",
                             "trap '' TERM; echo > " + ready + "; while :; do sleep 1000; done"}});
  while (!std::filesystem::exists(ready)) sched_yield();
  EXPECT_EQ(child->Stop(absl::Milliseconds(1)), (ProcessEnd{0, SIGKILL}));
  std::filesystem::remove_all(folder);
}

TEST(ChildProcessTest, KillingTakesWhatTheChildHasStartedAlong) {
  std::string folder = testing::TempDir() + "/child_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string pipe = folder + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  auto child = MustStart({.command = {"/bin/sh", "-c", "sleep 1000 > " + pipe + "; true"}});
  // Opening waits for the writer, and reading for the end of the last one.
  std::ifstream reader(pipe);
  child.reset();
  EXPECT_EQ(reader.get(), std::ifstream::traits_type::eof());
  std::filesystem::remove_all(folder);
}

TEST(ChildProcessTest, OutputAndErrorsGoToTheLogFileWhichIsAppendedTo) {
  std::string folder = testing::TempDir() + "/child_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ChildProcess::Options options;
  options.command = {"/bin/sh", "-c", "echo $WORD; echo error >&2"};
  options.log_file = folder + "/log";
  for (const char* word : {"WORD=one", "WORD=two"}) {
    options.environment = {word};
    ASSERT_TRUE(MustStart(options)->Wait(kPatience).ok());
  }
  std::stringstream text;
  text << std::ifstream(options.log_file).rdbuf();
  EXPECT_EQ(text.str(), "one\nerror\ntwo\nerror\n");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace homeport
