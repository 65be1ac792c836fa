#include "storage/engine/rocksdb/scrub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/env.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/engine/rocksdb/testing/failing_file_system.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kKeys = 2000;

class ScrubTest : public ::testing::Test {
 protected:
  ScrubTest() {
    std::string pattern = ::testing::TempDir() + "scrub-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~ScrubTest() override { fs::remove_all(path_); }

  absl::StatusOr<std::unique_ptr<KvEngine>> Open(std::shared_ptr<Scrub> scrub,
                                                 rocksdb::Env* env = nullptr) {
    RocksdbOptions options;
    options.path = path_;
    options.env = env;
    options.scrub = std::move(scrub);
    return OpenRocksdbEngine(options);
  }
  // A store with one table: opening writes what only the log has to one.
  void WriteTable() {
    {
      auto engine = Open(nullptr);
      ASSERT_TRUE(engine.ok()) << engine.status();
      WriteBatch batch;
      for (int i = 0; i < kKeys; ++i) {
        batch.Put(Table::kItems, absl::StrCat("key", i), std::string(100, 'a' + i % 26));
      }
      ASSERT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
    }
    ASSERT_TRUE(Open(nullptr).ok());
    ASSERT_EQ(Tables().size(), 1u);
  }
  std::vector<fs::path> Tables() {
    std::vector<fs::path> tables;
    for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
      if (file.path().extension() == ".sst") tables.push_back(file.path());
    }
    return tables;
  }
  static void FlipABit(const fs::path& file, std::streamoff at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const char byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(at);
    stream.put(byte);
    ASSERT_TRUE(stream.good());
  }
  std::shared_ptr<Scrub> MakeScrub(ScrubOptions options = {}) {
    options.on_damage = [this](const absl::Status& damage) {
      absl::MutexLock lock(&mutex_);
      damages_.push_back(damage);
    };
    return std::make_shared<Scrub>(std::move(options));
  }
  std::vector<absl::Status> damages() {
    absl::MutexLock lock(&mutex_);
    return damages_;
  }

  std::string path_;
  absl::Mutex mutex_;
  std::vector<absl::Status> damages_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(ScrubTest, AWholeStoreIsReadToItsEnd) {
  WriteTable();
  const std::shared_ptr<Scrub> scrub = MakeScrub();
  EXPECT_EQ(scrub->status().age, std::nullopt);
  auto engine = Open(scrub);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE(scrub->AwaitPasses(1));
  const ScrubStatus status = scrub->status();
  EXPECT_EQ(status.tables, 1u);
  EXPECT_EQ(status.tables_damaged, 0u);
  EXPECT_EQ(status.tables_unread, 0u);
  EXPECT_GE(status.bytes, fs::file_size(Tables()[0]));
  EXPECT_NE(status.age, std::nullopt);
  EXPECT_TRUE(damages().empty());
}

TEST_F(ScrubTest, AFlippedBitAnywhereInATableThatNothingReadsIsFound) {
  WriteTable();
  const fs::path table = Tables()[0];
  const auto size = static_cast<std::streamoff>(fs::file_size(table));
  // In the first block of data, the middle, what describes the table, and what ends it.
  for (std::streamoff at : {std::streamoff(20), size / 2, size - 400, size - 50, size - 4}) {
    FlipABit(table, at);
    const std::shared_ptr<Scrub> scrub = MakeScrub();
    auto engine = Open(scrub);
    if (engine.ok()) {
      ASSERT_TRUE(scrub->AwaitPasses(1));
      ASSERT_EQ(damages().size(), 1u) << at;
      EXPECT_EQ(damages()[0].code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(damages()[0].message()), HasSubstr(path_));
      EXPECT_THAT(std::string(damages()[0].message()), HasSubstr(table.filename().string()));
      EXPECT_EQ(scrub->status().tables_damaged, 1u);
    } else {
      // Some are met by opening already.
      EXPECT_EQ(engine.status().code(), absl::StatusCode::kDataLoss) << at << engine.status();
    }
    engine = absl::UnknownError("closed");
    FlipABit(table, at);
    absl::MutexLock lock(&mutex_);
    damages_.clear();
  }
}

TEST_F(ScrubTest, DamageThatComesLaterIsFoundByALaterPass) {
  WriteTable();
  ScrubOptions options;
  options.pass_interval = absl::ZeroDuration();
  const std::shared_ptr<Scrub> scrub = MakeScrub(std::move(options));
  auto engine = Open(scrub);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE(scrub->AwaitPasses(1));
  ASSERT_TRUE(damages().empty());
  const fs::path table = Tables()[0];
  FlipABit(table, 100);
  // One pass may be under way already.
  ASSERT_TRUE(scrub->AwaitPasses(scrub->status().passes + 2));
  ASSERT_FALSE(damages().empty());
  EXPECT_EQ(damages()[0].code(), absl::StatusCode::kDataLoss);
}

TEST_F(ScrubTest, ATableThatIsGoneIsDamage) {
  WriteTable();
  ScrubOptions options;
  options.pass_interval = absl::ZeroDuration();
  const std::shared_ptr<Scrub> scrub = MakeScrub(std::move(options));
  auto engine = Open(scrub);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE(scrub->AwaitPasses(1));
  fs::remove(Tables()[0]);
  ASSERT_TRUE(scrub->AwaitPasses(scrub->status().passes + 2));
  ASSERT_FALSE(damages().empty());
  EXPECT_EQ(damages()[0].code(), absl::StatusCode::kDataLoss);
}

TEST_F(ScrubTest, ADiskThatDoesNotAnswerIsNoDamage) {
  WriteTable();
  const auto disk = std::make_shared<FailingFileSystem>(rocksdb::FileSystem::Default());
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  ScrubOptions options;
  options.pass_interval = absl::ZeroDuration();
  const std::shared_ptr<Scrub> scrub = MakeScrub(std::move(options));
  auto engine = Open(scrub, env.get());
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE(scrub->AwaitPasses(1));
  disk->FailAt(1, /*sticky=*/true);
  while (scrub->status().tables_unread == 0) std::this_thread::yield();
  disk->Heal();
  EXPECT_TRUE(damages().empty());
  // It is tried again.
  ASSERT_TRUE(scrub->AwaitPasses(scrub->status().passes + 2));
  EXPECT_EQ(scrub->status().tables_damaged, 0u);
}

TEST_F(ScrubTest, ClosingAStoreDoesNotWaitForWhatIsStillToBeRead) {
  WriteTable();
  ScrubOptions options;
  // A pass would take a day.
  options.bytes_per_second_min = options.bytes_per_second_max = 1;
  const std::shared_ptr<Scrub> scrub = MakeScrub(std::move(options));
  auto engine = Open(scrub);
  ASSERT_TRUE(engine.ok()) << engine.status();
  while (scrub->status().bytes == 0) std::this_thread::yield();
  engine = absl::UnknownError("closed");
  EXPECT_EQ(scrub->status().passes, 0u);
  EXPECT_FALSE(scrub->AwaitPasses(1));
  EXPECT_TRUE(damages().empty());
}

}  // namespace
}  // namespace homeport
