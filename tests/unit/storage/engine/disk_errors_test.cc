// Operations on files that a small run makes fail, each alone or with all after it. With
// HOMEPORT_ALL_OPERATIONS in the environment that is done with every single one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/engine/rocksdb/testing/failing_file_system.h"
#include "storage/engine/rocksdb/testing/fault_file_system.h"

namespace homeport {
namespace {

namespace fs = std::filesystem;

constexpr int kWrites = 8;
constexpr int kStarts = 2;
// So that a run flushes and compacts: a table's buffer takes one or two.
constexpr size_t kValueBytes = 40 << 10;
constexpr size_t kWriteBufferBytes = kTableCount * (64 << 10);
// More than a run makes: a sweep that never ends is a failure.
constexpr int kOperationsMax = 5000;

class DiskErrorsTest : public ::testing::TestWithParam<bool> {
 protected:
  DiskErrorsTest() {
    std::string pattern = ::testing::TempDir() + "disk-errors-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~DiskErrorsTest() override { fs::remove_all(root_); }

  absl::StatusOr<std::unique_ptr<KvEngine>> Open() {
    RocksdbOptions options;
    options.path = path_;
    options.cache_bytes = 0;
    options.write_buffer_bytes = kWriteBufferBytes;
    options.env = env_.get();
    return OpenRocksdbEngine(options);
  }

  static void ExpectTyped(const absl::Status& status, absl::string_view what) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << what << ": " << status;
    EXPECT_EQ(ReasonOf(status), reason::kStorageFailed) << what << ": " << status;
  }

  static std::string Key(int start, int i) { return absl::StrCat("key", start, "/", i); }
  static std::string Value(int start, int i) {
    std::string value = absl::StrCat(start, "/", i, ":");
    // Does not compress.
    uint32_t state = static_cast<uint32_t>(start * kWrites + i + 1);
    while (value.size() < kValueBytes) {
      state = state * 1664525 + 1013904223;
      value.push_back(static_cast<char>(state >> 24));
    }
    return value;
  }

  // What was acknowledged is read as it was written, or not at all.
  void ExpectReads(KvEngine& engine) {
    for (const auto& [key, value] : acknowledged_) {
      const auto read = engine.Get(Table::kItems, key);
      if (!read.ok()) {
        ExpectTyped(read.status(), "a read");
      } else {
        ASSERT_TRUE(read->has_value()) << key << " is gone";
        ASSERT_TRUE(**read == value) << key << " is another value";
      }
    }
    auto iterator = engine.Iterate(Table::kItems);
    size_t walked = 0;
    for (iterator->Seek(""); iterator->Valid(); iterator->Next()) {
      walked += acknowledged_.count(std::string(iterator->key()));
    }
    if (iterator->status().ok()) {
      ASSERT_EQ(walked, acknowledged_.size()) << "a walk left something out";
    } else {
      ExpectTyped(iterator->status(), "a walk");
    }
  }

  // Starts, writes and reads, on a disk that may fail.
  void Run(FailingFileSystem& disk, FaultFileSystem& power) {
    for (int start = 0; start < kStarts; ++start) {
      auto engine = Open();
      if (!engine.ok()) {
        ExpectTyped(engine.status(), "an opening");
        return;
      }
      absl::Status failed;
      for (int i = 0; i < kWrites; ++i) {
        WriteBatch batch;
        batch.Put(Table::kItems, Key(start, i), Value(start, i));
        batch.Put(Table::kMeta, Key(start, i), "position");
        const absl::Status status = (*engine)->Write(batch, KvEngine::Durability::kSynced);
        if (!failed.ok()) {
          EXPECT_EQ(status, failed) << "a write after one that failed";
        } else if (status.ok()) {
          acknowledged_[Key(start, i)] = Value(start, i);
        } else {
          ExpectTyped(status, "a write");
          failed = status;
        }
      }
      ASSERT_NO_FATAL_FAILURE(ExpectReads(**engine));
      // What a failed sync may have left in the kernel goes with the power.
      if (!disk.failed().empty()) power.CutPower();
      if (!failed.ok()) return;
    }
  }

  // One run, whose `number`-th operation fails. Returns whether there was one.
  bool RunFailingAt(int number, bool sticky) {
    path_ = absl::StrCat(root_, "/", number);
    acknowledged_.clear();
    fs::create_directories(path_);
    const auto disk = std::make_shared<FailingFileSystem>(rocksdb::FileSystem::Default());
    const auto power = std::make_shared<FaultFileSystem>(disk);
    env_ = rocksdb::NewCompositeEnv(power);
    disk->FailAt(number, sticky);
    Run(*disk, *power);
    const std::string failed = disk->failed();
    SCOPED_TRACE(absl::StrCat("operation ", number, " failed: ", failed));
    if (HasFatalFailure()) return false;
    disk->Heal();
    power->CutPower();
    power->DropUnsynced();
    auto engine = Open();
    if (engine.ok()) {
      ExpectWhole(**engine);
    } else {
      // A new manifest whose directory could not be synced may be gone after that, and CURRENT name
      // it. That is said, and nothing is served without what it had.
      EXPECT_EQ(engine.status().code(), absl::StatusCode::kDataLoss) << engine.status();
      EXPECT_THAT(failed, ::testing::StartsWith("sync of a directory")) << engine.status();
    }
    engine = absl::UnavailableError("closed");
    env_.reset();
    fs::remove_all(path_);
    return !failed.empty();
  }

  // All that was acknowledged is there, and of nothing a half.
  void ExpectWhole(KvEngine& engine) {
    for (int start = 0; start < kStarts; ++start) {
      for (int i = 0; i < kWrites; ++i) {
        const auto value = engine.Get(Table::kItems, Key(start, i));
        const auto position = engine.Get(Table::kMeta, Key(start, i));
        ASSERT_TRUE(value.ok() && position.ok()) << value.status() << position.status();
        ASSERT_EQ(value->has_value(), position->has_value()) << "half of a batch";
        const bool acknowledged = acknowledged_.count(Key(start, i)) > 0;
        ASSERT_TRUE(value->has_value() || !acknowledged) << Key(start, i) << " is lost";
        ASSERT_TRUE(!value->has_value() || **value == Value(start, i)) << "another value";
      }
    }
  }

  std::string root_;
  std::string path_;
  std::unique_ptr<rocksdb::Env> env_;
  std::map<std::string, std::string> acknowledged_;
};

TEST_P(DiskErrorsTest, WhicheverOperationFailsNothingThatWasAcknowledgedIsLost) {
  const bool sticky = GetParam();
  const int step = std::getenv("HOMEPORT_ALL_OPERATIONS") != nullptr ? 1 : sticky ? 29 : 11;
  int number = 1;
  while (number <= kOperationsMax && RunFailingAt(number, sticky) && !HasFailure()) number += step;
  EXPECT_GT(number, kStarts * kWrites) << "hardly anything failed";
  EXPECT_LE(number, kOperationsMax);
  RecordProperty("operations", number);
}

INSTANTIATE_TEST_SUITE_P(OnceOrForGood, DiskErrorsTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "ItAndAllAfterIt" : "OnlyIt";
                         });

}  // namespace
}  // namespace homeport
