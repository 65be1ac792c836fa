#include "storage/engine/quarantine/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/engine/damage/damage_watch.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class QuarantineTest : public ::testing::Test {
 protected:
  QuarantineTest() {
    std::string pattern = ::testing::TempDir() + "quarantine-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~QuarantineTest() override { fs::remove_all(path_); }

  absl::StatusOr<std::unique_ptr<KvEngine>> Open(const std::string& path) {
    RocksdbOptions options;
    options.path = path;
    return OpenRocksdbEngine(options);
  }
  void Put(const std::string& key) {
    auto engine = Open(path_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    WriteBatch batch;
    batch.Put(Table::kItems, key, "v");
    ASSERT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  bool Has(const std::string& path, const std::string& key) {
    auto engine = Open(path);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return (*engine)->Get(Table::kItems, key)->has_value();
  }
  std::string Aside(int number) { return absl::StrCat(path_, "/damaged-00000", number); }

  std::string path_;
};

TEST_F(QuarantineTest, WhatWasThereIsKeptAsideAndAnEmptyStoreCanBeBegun) {
  Put("x");
  auto moved = Quarantine(path_);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->directory, Aside(1));
  EXPECT_THAT(moved->removed, IsEmpty());
  EXPECT_FALSE(Has(path_, "x"));
  EXPECT_TRUE(Has(Aside(1), "x"));
}

TEST_F(QuarantineTest, TheOldestGoesWhenThereAreMoreThanAreKept) {
  for (int i = 1; i <= kQuarantinedMax + 1; ++i) {
    Put(absl::StrCat("x", i));
    auto moved = Quarantine(path_);
    ASSERT_TRUE(moved.ok()) << moved.status();
    EXPECT_EQ(moved->directory, Aside(i));
    if (i > kQuarantinedMax) {
      EXPECT_THAT(moved->removed, ElementsAre(Aside(1)));
    }
  }
  EXPECT_THAT(ListQuarantined(path_), ElementsAre(Aside(2), Aside(3)));
  EXPECT_TRUE(Has(Aside(3), "x3"));
}

TEST_F(QuarantineTest, AStoreInUseIsNotMoved) {
  auto engine = Open(path_);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const absl::Status refused = Quarantine(path_).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(path_));
  EXPECT_TRUE(fs::exists(path_ + "/CURRENT"));
  EXPECT_THAT(ListQuarantined(path_), IsEmpty());
}

TEST_F(QuarantineTest, AMoveThatWasInterruptedCountsAsDamageAndIsFinished) {
  Put("x");
  fs::create_directory(path_ + "/damaged.moving");
  fs::rename(path_ + "/CURRENT", path_ + "/damaged.moving/CURRENT");
  EXPECT_EQ(CheckNotMarked(path_).code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(Quarantine(path_).ok());
  EXPECT_TRUE(CheckNotMarked(path_).ok());
  EXPECT_TRUE(Has(Aside(1), "x"));
}

TEST_F(QuarantineTest, AMarkSaysWhyAndGoesWithTheStore) {
  Put("x");
  EXPECT_TRUE(CheckNotMarked(path_).ok());
  ASSERT_TRUE(MarkDamaged(path_, absl::DataLossError("block 7 of 000012.sst")).ok());
  const absl::Status marked = CheckNotMarked(path_);
  EXPECT_EQ(marked.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::string(marked.message()), "block 7 of 000012.sst");
  ASSERT_TRUE(Quarantine(path_).ok());
  EXPECT_TRUE(CheckNotMarked(path_).ok());
  EXPECT_TRUE(fs::exists(Aside(1) + "/" + kDamagedName));
}

TEST_F(QuarantineTest, AReadThatMeetsDamageIsNoted) {
  {
    auto engine = Open(path_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    WriteBatch batch;
    for (int i = 0; i < 100; ++i) {
      batch.Put(Table::kItems, absl::StrCat("key", i), std::string(100, 'v'));
    }
    ASSERT_TRUE((*engine)->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  ASSERT_TRUE(Open(path_).ok());  // writes what is in the log to a table
  for (const auto& file : fs::directory_iterator(path_)) {
    if (file.path().extension() != ".sst" || file.file_size() < 1000) continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(20);
    bytes.put('\xff');
  }
  auto engine = Open(path_);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto watch = std::make_shared<DamageWatch>();
  const std::unique_ptr<KvEngine> watched = WatchForDamage(std::move(*engine), watch);
  EXPECT_TRUE(watch->damage().ok());
  EXPECT_EQ(watched->Get(Table::kItems, "key0").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(watch->damage().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(watch->damage().message()), HasSubstr(".sst"));
}

}  // namespace
}  // namespace homeport
