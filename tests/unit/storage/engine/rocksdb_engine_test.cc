#include "storage/engine/rocksdb/rocksdb_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "storage/engine/rocksdb/testing/fault_file_system.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;
namespace fs = std::filesystem;

class RocksdbEngineTest : public ::testing::Test {
 protected:
  RocksdbEngineTest() {
    std::string pattern = ::testing::TempDir() + "rocksdb-engine-XXXXXX";
    root_ = mkdtemp(pattern.data());
    path_ = absl::StrCat(root_, "/replicas/a");
  }
  ~RocksdbEngineTest() override { fs::remove_all(root_); }

  absl::StatusOr<std::unique_ptr<KvEngine>> Open(bool create = true, rocksdb::Env* env = nullptr) {
    RocksdbOptions options;
    options.path = path_;
    options.create = create;
    options.env = env;
    return OpenRocksdbEngine(options);
  }
  void ExpectRefused(absl::StatusCode code, absl::string_view problem) {
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(problem)));
    EXPECT_THAT(ErrorMetadataOf(status, "path"), Optional(path_));
  }
  // A store whose `count` keys are only in the write-ahead log, as a crash leaves it.
  fs::path CrashWithLog(int count) {
    const std::string copy = absl::StrCat(root_, "/copy");
    {
      auto engine = Open();
      EXPECT_TRUE(engine.ok()) << engine.status();
      for (int i = 0; i < count; ++i) {
        WriteBatch batch;
        batch.Put(Table::kItems, absl::StrCat("key", i), std::string(100, 'v'));
        EXPECT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
      }
      fs::copy(path_, copy, fs::copy_options::recursive);
    }
    path_ = copy;
    fs::path log;
    for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
      if (file.path().extension() == ".log") log = file.path();
    }
    EXPECT_GT(fs::file_size(log), static_cast<uintmax_t>(count) * 100);
    return log;
  }
  int CountKeys(KvEngine& engine) {
    int count = 0;
    auto iterator = engine.Iterate(Table::kItems);
    for (iterator->Seek(""); iterator->Valid(); iterator->Next()) ++count;
    EXPECT_TRUE(iterator->status().ok()) << iterator->status();
    return count;
  }

  std::string root_;
  std::string path_;
};

// RocksDB's own goes on with a file whose append failed on a full disk, which an assertion of its
// own ends the process for.
TEST_F(RocksdbEngineTest, WarningsAreNotWrittenBesideTheStore) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Open().ok());
  for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
    EXPECT_FALSE(absl::StartsWith(file.path().filename().string(), "LOG")) << file.path();
  }
}

TEST_F(RocksdbEngineTest, ADirectoryInUseByThisProcessIsRefused) {
  auto first = Open();
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "in use by another process");
}

TEST_F(RocksdbEngineTest, ADirectoryInUseByAnotherProcessIsRefused) {
  int ready[2];
  int finish[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(finish), 0);
  const pid_t child = fork();
  char byte = 0;
  if (child == 0) {
    close(finish[1]);
    auto engine = Open();
    byte = engine.ok() ? 1 : 2;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    _exit(read(finish[0], &byte, 1) == 0 ? 0 : 1);  // until the parent has closed its end
  }
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 1);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "in use by another process");
  close(finish[1]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Open().ok());
}

TEST_F(RocksdbEngineTest, APathThatIsAFileIsRefused) {
  path_ = absl::StrCat(root_, "/file");
  std::ofstream(path_) << "mine";
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "not a directory");
}

TEST_F(RocksdbEngineTest, APathBelowAFileIsRefused) {
  std::ofstream(absl::StrCat(root_, "/file")) << "mine";
  path_ = absl::StrCat(root_, "/file/data");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "Not a directory");
}

TEST_F(RocksdbEngineTest, NothingIsMadeUnlessAsked) {
  EXPECT_EQ(Open(/*create=*/false).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(path_));
  fs::create_directories(path_);
  EXPECT_EQ(Open(/*create=*/false).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(Open(/*create=*/false).ok());
}

TEST_F(RocksdbEngineTest, AFlippedBitInTheMiddleOfTheLogIsRefused) {
  const fs::path log = CrashWithLog(200);
  const auto middle = static_cast<std::streamoff>(fs::file_size(log) / 2);
  std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(middle);
  const char byte = static_cast<char>(file.get());
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 1));
  file.close();
  ExpectRefused(absl::StatusCode::kDataLoss, "damaged");
}

TEST_F(RocksdbEngineTest, ATornTailOfTheLogIsDroppedAndNothingElse) {
  const fs::path log = CrashWithLog(200);
  fs::resize_file(log, fs::file_size(log) - 30);
  auto engine = Open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(CountKeys(**engine), 199);
}

TEST_F(RocksdbEngineTest, ADamagedSortedFileIsDataLossAndNamesTheStore) {
  CrashWithLog(200);
  ASSERT_TRUE(Open().ok());  // recovery writes a sorted file
  fs::path sorted;
  for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
    if (file.path().extension() == ".sst") sorted = file.path();
  }
  ASSERT_FALSE(sorted.empty());
  std::fstream file(sorted, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20);
  file.put('\x5a');
  file.put('\xa5');
  file.close();
  auto engine = Open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const absl::Status status = (*engine)->Get(Table::kItems, "key0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(ErrorMetadataOf(status, "path"), Optional(path_));
}

TEST_F(RocksdbEngineTest, AStoreWithoutAFileThatItNamesIsRefused) {
  CrashWithLog(200);
  std::ofstream(absl::StrCat(path_, "/CURRENT")) << "MANIFEST-999999\n";
  ExpectRefused(absl::StatusCode::kDataLoss, "damaged: a file is missing");
}

TEST_F(RocksdbEngineTest, AStoreWithoutTheFileThatNamesTheOthersIsRefusedAndNotBegunAnew) {
  CrashWithLog(200);
  fs::remove(absl::StrCat(path_, "/CURRENT"));
  ExpectRefused(absl::StatusCode::kDataLoss, "CURRENT is not");
}

TEST_F(RocksdbEngineTest, AManifestThatLacksItsEndIsRefused) {
  CrashWithLog(200);
  for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
    if (!absl::StartsWith(file.path().filename().string(), "MANIFEST")) continue;
    // Behind any of its records: RocksDB would find nothing wrong.
    fs::resize_file(file.path(), fs::file_size(file.path()) / 2);
  }
  ExpectRefused(absl::StatusCode::kDataLoss, "damaged: MANIFEST-");
}

TEST_F(RocksdbEngineTest, ADamagedLengthOfTheManifestIsRefused) {
  CrashWithLog(200);
  std::ofstream(absl::StrCat(path_, "/EXTENT")) << "5 100 17\n";
  ExpectRefused(absl::StatusCode::kDataLoss, "EXTENT does not parse");
}

TEST_F(RocksdbEngineTest, AStoreOfAVersionThatDidNotKeepTheManifestsLengthIsOpened) {
  CrashWithLog(200);
  fs::remove(absl::StrCat(path_, "/EXTENT"));
  auto engine = Open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(CountKeys(**engine), 200);
}

TEST_F(RocksdbEngineTest, AStoreWhoseMakingWasInterruptedIsMade) {
  fs::create_directories(path_);
  std::ofstream(absl::StrCat(path_, "/MANIFEST-000001")) << "";
  EXPECT_TRUE(Open().ok());
}

TEST_F(RocksdbEngineTest, AStoreOfAnEarlierVersionGetsTheTablesThatItLacks) {
  {
    auto engine = Open();
    ASSERT_TRUE(engine.ok()) << engine.status();
    WriteBatch batch;
    batch.Put(Table::kItems, "key", "value");
    ASSERT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path_, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    rocksdb::DB* opened = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), path_, families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      if (handle->GetName() == "expiry") {
        ASSERT_TRUE(db->DropColumnFamily(handle).ok());
      }
      ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
  }
  auto engine = Open(/*create=*/false);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(CountKeys(**engine), 1);
  WriteBatch batch;
  batch.Put(Table::kExpiry, "time", "");
  EXPECT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
}

TEST_F(RocksdbEngineTest, AnAppendThatFoundNoSpaceStopsWritesUntilItIsOpenedAnew) {
  const auto disk = std::make_shared<FaultFileSystem>(rocksdb::FileSystem::Default());
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  constexpr int kFailures = 20;
  WriteBatch batch;
  for (int i = 0; i < kFailures; ++i) {
    auto engine = Open(/*create=*/true, env.get());
    ASSERT_TRUE(engine.ok()) << engine.status();
    batch.Clear();
    batch.Put(Table::kItems, absl::StrCat("before", i), std::string(1000, 'v'));
    ASSERT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
    disk->FailNextLogAppend();
    batch.Clear();
    batch.Put(Table::kItems, absl::StrCat("during", i), std::string(1000, 'v'));
    const absl::Status full = (*engine)->Write(batch, KvEngine::Durability::kSynced);
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(full), reason::kDiskFull);
    EXPECT_EQ((*engine)->Write(batch, KvEngine::Durability::kSynced), full);
    EXPECT_EQ(CountKeys(**engine), i + 1);
  }
  // RocksDB asks once whether it could recover; more often, were it to try, and go on with the log
  // whose append had failed.
  EXPECT_EQ(disk->free_space_questions(), kFailures);
  auto engine = Open(/*create=*/true, env.get());
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(CountKeys(**engine), kFailures);
}

TEST_F(RocksdbEngineTest, ABallastIsKeptWhereThereIsRoomAndTheDisksSizeIsKnown) {
  auto engine = Open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_TRUE((*engine)->DiskFreeBytes().has_value());
  const uint64_t bytes = BallastBytes(RocksdbOptions());
  if (fs::space(path_).available < 4 * bytes) GTEST_SKIP() << "no room on this disk";
  const std::string ballast = absl::StrCat(path_, "/", kBallastName);
  EXPECT_EQ(fs::file_size(ballast), bytes);
  // As an opening on a full disk does.
  fs::remove(ballast);
  EXPECT_TRUE((*engine)->DiskFreeBytes().has_value());
  EXPECT_EQ(fs::file_size(ballast), bytes);
}

}  // namespace
}  // namespace homeport
