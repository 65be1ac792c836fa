#include "common/topology/yaml/topology_watcher.h"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/topology/yaml/temporary_folder.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string WithNamespace(const std::string& name) {
  return absl::StrReplaceAll(kSoundYaml, {{"users", name}});
}

class TopologyWatcherTest : public testing::Test {
 protected:
  // A watcher that looks only when it is told to.
  std::unique_ptr<TopologyWatcher> Started(
      std::function<absl::Status(const Topology&, const Topology&)> vet = nullptr) {
    TopologyWatcher::Options options;
    options.path = path_;
    options.poll_interval = absl::InfiniteDuration();
    options.vet = std::move(vet);
    options.on_change = [this](const TopologyWatcher::Snapshot& topology) {
      seen_.push_back(topology->namespaces()[0].name.value());
    };
    auto watcher = TopologyWatcher::Start(std::move(options));
    EXPECT_TRUE(watcher.ok()) << watcher.status();
    return *std::move(watcher);
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.Write("t.yaml", kSoundYaml);
  std::vector<std::string> seen_;
};

std::string NamespaceOf(const TopologyWatcher& watcher) {
  return watcher.current()->namespaces()[0].name.value();
}

TEST_F(TopologyWatcherTest, StartsWithTheFileAndNotWithoutASoundOne) {
  EXPECT_EQ(Started()->current()->cluster(), "world");
  EXPECT_THAT(seen_, IsEmpty());
  folder_.Write("t.yaml", "cluster: World\n");
  TopologyWatcher::Options options;
  options.path = path_;
  const auto refused = TopologyWatcher::Start(options);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(path_ + ":1: cluster: "));
}

TEST_F(TopologyWatcherTest, AFileRewrittenInPlaceIsTaken) {
  const auto watcher = Started();
  const auto before = watcher->current();
  folder_.Write("t.yaml", WithNamespace("goods"));
  EXPECT_EQ(watcher->Poll(), absl::OkStatus());
  EXPECT_EQ(NamespaceOf(*watcher), "goods");
  EXPECT_THAT(seen_, ElementsAre("goods"));
  EXPECT_EQ(watcher->counts().taken, 1);
  // Who holds the old one keeps it.
  EXPECT_NE(before->FindNamespace("users"), nullptr);
}

TEST_F(TopologyWatcherTest, ARewriteOfTheSameSizeInTheSameInstantIsSeen) {
  const auto watcher = Started();
  for (const char* name : {"goods", "carts", "seats", "users"}) {
    folder_.Write("t.yaml", WithNamespace(name));
    EXPECT_EQ(watcher->Poll(), absl::OkStatus());
    EXPECT_EQ(NamespaceOf(*watcher), name);
  }
}

TEST_F(TopologyWatcherTest, AFileRenamedIntoItsPlaceIsTaken) {
  const auto watcher = Started();
  std::filesystem::rename(folder_.Write("next.yaml", WithNamespace("goods")), path_);
  EXPECT_EQ(watcher->Poll(), absl::OkStatus());
  EXPECT_EQ(NamespaceOf(*watcher), "goods");
}

TEST_F(TopologyWatcherTest, ASwitchedSymbolicLinkIsFollowed) {
  folder_.Write("one.yaml", WithNamespace("goods"));
  folder_.Write("two.yaml", WithNamespace("carts"));
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("one.yaml", path_);
  const auto watcher = Started();
  EXPECT_EQ(NamespaceOf(*watcher), "goods");
  std::filesystem::create_symlink("two.yaml", folder_ / "link");
  std::filesystem::rename(folder_ / "link", path_);
  EXPECT_EQ(watcher->Poll(), absl::OkStatus());
  EXPECT_EQ(NamespaceOf(*watcher), "carts");
}

TEST_F(TopologyWatcherTest, ATouchedFileIsNoChange) {
  const auto watcher = Started();
  const auto before = watcher->current();
  folder_.Write("t.yaml", absl::StrCat("# a new comment\n", kSoundYaml));
  EXPECT_EQ(watcher->Poll(), absl::OkStatus());
  EXPECT_EQ(watcher->Reload(), absl::OkStatus());
  EXPECT_EQ(watcher->current(), before);
  EXPECT_EQ(watcher->counts().taken, 0);
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(TopologyWatcherTest, ABadFileIsRefusedWholeAndTheOldOneStays) {
  const auto watcher = Started();
  const auto before = watcher->current();
  folder_.Write("t.yaml", absl::StrCat(WithNamespace("goods"), "geoo: {}\ncluster: x\n"));
  testing::internal::CaptureStderr();
  const absl::Status status = watcher->Poll();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(watcher->current(), before);
  EXPECT_EQ(watcher->counts().refused, 1);
  EXPECT_THAT(seen_, IsEmpty());
  // Every problem has its line.
  EXPECT_THAT(log, HasSubstr(":11: geoo: there is no such field; did you mean \\\"geo\\\"?"));
  EXPECT_THAT(log, HasSubstr(":12: cluster: stands twice; first in line 1"));
  // And the next good one is taken.
  folder_.Write("t.yaml", WithNamespace("goods"));
  EXPECT_EQ(watcher->Poll(), absl::OkStatus());
  EXPECT_THAT(seen_, ElementsAre("goods"));
}

TEST_F(TopologyWatcherTest, ABadFileIsLoggedAndCountedOnceByPollsAndAgainByASignal) {
  const auto watcher = Started();
  folder_.Write("t.yaml", "cluster: [\n");
  testing::internal::CaptureStderr();
  EXPECT_FALSE(watcher->Poll().ok());
  const std::string first = testing::internal::GetCapturedStderr();
  EXPECT_THAT(first, HasSubstr("topology refused"));
  testing::internal::CaptureStderr();
  watcher->Poll().IgnoreError();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(watcher->counts().refused, 1);
  testing::internal::CaptureStderr();
  EXPECT_FALSE(watcher->Reload().ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("topology refused"));
  EXPECT_EQ(watcher->counts().refused, 2);
}

TEST_F(TopologyWatcherTest, AFileThatIsGoneIsRefusedAndTheOldOneStays) {
  const auto watcher = Started();
  std::filesystem::remove(path_);
  EXPECT_EQ(watcher->Poll().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(NamespaceOf(*watcher), "users");
  EXPECT_EQ(watcher->counts().refused, 1);
  folder_.Write("t.yaml", WithNamespace("goods"));
  EXPECT_EQ(watcher->Poll(), absl::OkStatus());
  EXPECT_EQ(NamespaceOf(*watcher), "goods");
}

TEST_F(TopologyWatcherTest, ANewClusterNameNeedsARestart) {
  const auto watcher = Started();
  folder_.Write("t.yaml", absl::StrReplaceAll(kSoundYaml, {{"world", "moon"}}));
  const absl::Status status = watcher->Reload();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "cluster: changing \"world\" to \"moon\" needs a restart of every process");
  EXPECT_EQ(watcher->current()->cluster(), "world");
}

TEST_F(TopologyWatcherTest, TheProcessMayRefuseASoundFile) {
  const auto watcher = Started([](const Topology&, const Topology& next) {
    return next.FindNamespace("users") != nullptr ? absl::OkStatus()
                                                  : absl::FailedPreconditionError("users is gone");
  });
  folder_.Write("t.yaml", WithNamespace("goods"));
  EXPECT_EQ(watcher->Poll(), absl::FailedPreconditionError("users is gone"));
  EXPECT_EQ(NamespaceOf(*watcher), "users");
  EXPECT_EQ(watcher->counts().refused, 1);
}

TEST_F(TopologyWatcherTest, ItsThreadSeesChangesByItself) {
  absl::Notification changed;
  TopologyWatcher::Options options;
  options.path = path_;
  options.poll_interval = absl::Milliseconds(1);
  options.on_change = [&](const TopologyWatcher::Snapshot& topology) {
    if (topology->FindNamespace("goods") != nullptr) changed.Notify();
  };
  const auto watcher = TopologyWatcher::Start(std::move(options));
  ASSERT_TRUE(watcher.ok());
  // Renamed, so that it is not read half written.
  std::filesystem::rename(folder_.Write("next.yaml", WithNamespace("goods")), path_);
  changed.WaitForNotification();
  EXPECT_EQ(NamespaceOf(**watcher), "goods");
}

TEST_F(TopologyWatcherTest, ReadersNeverSeeHalfAChange) {
  const auto watcher = Started();
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done.load()) {
        const auto topology = watcher->current();
        EXPECT_EQ(topology->FindNamespace(topology->proto().namespaces(0).name()),
                  &topology->namespaces()[0]);
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    folder_.Write("t.yaml", WithNamespace(absl::StrCat("n", i)));
    EXPECT_EQ(watcher->Reload(), absl::OkStatus());
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(watcher->counts().taken, 50);
}

}  // namespace
}  // namespace homeport
