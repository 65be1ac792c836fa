#include "storage/replication/staging.h"

#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"

namespace homeport {
namespace {

class StagingTest : public testing::Test {
 protected:
  StagingTest() : disk_(std::make_shared<MemoryDisk>()) {
    auto engine = MemoryEngine::Open(disk_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
  }
  std::optional<std::string> Staged(Table table, absl::string_view key) {
    auto value = staging_->Get(table, key);
    EXPECT_TRUE(value.ok()) << value.status();
    return *value;
  }
  std::optional<std::string> Stored(Table table, absl::string_view key) {
    auto value = engine_->Get(table, key, nullptr);
    EXPECT_TRUE(value.ok()) << value.status();
    return *value;
  }

  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
};

TEST_F(StagingTest, WhatIsStagedIsSeenAndNotWrittenYet) {
  staging_->Put(Table::kItems, "a", "1");
  EXPECT_EQ(Staged(Table::kItems, "a"), "1");
  EXPECT_EQ(Staged(Table::kRequests, "a"), std::nullopt);
  EXPECT_EQ(Stored(Table::kItems, "a"), std::nullopt);
  ASSERT_TRUE(staging_->Write().ok());
  EXPECT_TRUE(staging_->empty());
  EXPECT_EQ(Stored(Table::kItems, "a"), "1");
  EXPECT_EQ(Staged(Table::kItems, "a"), "1");
}

TEST_F(StagingTest, TheLastOfSeveralOperationsOnAKeyCounts) {
  staging_->Put(Table::kItems, "a", "1");
  staging_->Delete(Table::kItems, "a");
  EXPECT_EQ(Staged(Table::kItems, "a"), std::nullopt);
  staging_->Put(Table::kItems, "a", "2");
  EXPECT_EQ(Staged(Table::kItems, "a"), "2");
  ASSERT_TRUE(staging_->Write().ok());
  EXPECT_EQ(Stored(Table::kItems, "a"), "2");
}

TEST_F(StagingTest, AStagedDeleteHidesWhatTheEngineHas) {
  staging_->Put(Table::kItems, "a", "1");
  ASSERT_TRUE(staging_->Write().ok());
  staging_->Delete(Table::kItems, "a");
  EXPECT_EQ(Staged(Table::kItems, "a"), std::nullopt);
  EXPECT_EQ(Stored(Table::kItems, "a"), "1");
}

TEST_F(StagingTest, ARangeHidesWhatWasThereBeforeItAndNothingThatIsStagedAfterIt) {
  staging_->Put(Table::kItems, "a", "stored");
  staging_->Put(Table::kItems, "c", "stored");
  ASSERT_TRUE(staging_->Write().ok());
  staging_->Put(Table::kItems, "b", "staged before");
  staging_->DeleteRange(Table::kItems, "a", "c");
  staging_->Put(Table::kItems, "a", "staged after");
  EXPECT_EQ(Staged(Table::kItems, "a"), "staged after");
  EXPECT_EQ(Staged(Table::kItems, "b"), std::nullopt);
  EXPECT_EQ(Staged(Table::kItems, "bb"), std::nullopt);
  EXPECT_EQ(Staged(Table::kItems, "c"), "stored");
  ASSERT_TRUE(staging_->Write().ok());
  for (const char* key : {"a", "b", "c"}) {
    EXPECT_EQ(Stored(Table::kItems, key), Staged(Table::kItems, key)) << key;
  }
}

TEST_F(StagingTest, AFailedWriteIsTold) {
  staging_->Put(Table::kItems, "a", "1");
  disk_->FailNextWrite(absl::StatusCode::kUnavailable, MemoryDisk::Fate::kLost);
  EXPECT_EQ(staging_->Write().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(staging_->empty());
}

}  // namespace
}  // namespace homeport
