#include "storage/engine/memory/memory_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "storage/engine/memory/memory_engine.h"
#include "storage/engine/memory/versioned_tables.h"

namespace homeport {
namespace {

using ::testing::Optional;
using Durability = KvEngine::Durability;

WriteBatch OnePut(std::string key, std::string value) {
  WriteBatch batch;
  batch.Put(Table::kItems, std::move(key), std::move(value));
  return batch;
}

class MemoryDiskTest : public ::testing::Test {
 protected:
  void Open() { engine_ = *MemoryEngine::Open(disk_); }
  void Put(std::string key, std::string value, Durability durability) {
    ASSERT_TRUE(engine_->Write(OnePut(std::move(key), std::move(value)), durability).ok());
  }
  std::optional<std::string> Get(absl::string_view key) {
    return *engine_->Get(Table::kItems, key);
  }

  const std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<KvEngine> engine_;
};

TEST_F(MemoryDiskTest, ACrashKeepsThePrefixThatWasChosen) {
  Open();
  Put("a", "0", Durability::kSynced);
  for (const char* value : {"1", "2", "3"}) Put("a", value, Durability::kBuffered);
  EXPECT_EQ(disk_->UnsyncedBatches(), 3u);
  engine_.reset();
  disk_->CrashLosingUnsynced(/*keep=*/2);
  EXPECT_EQ(disk_->UnsyncedBatches(), 0u);
  Open();
  EXPECT_THAT(Get("a"), Optional(std::string("2")));
}

TEST_F(MemoryDiskTest, TheDeathOfTheProcessLeavesUnsyncedBatchesToTheNextCrash) {
  Open();
  Put("a", "1", Durability::kBuffered);
  engine_.reset();
  Open();
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
  engine_.reset();
  disk_->CrashLosingUnsynced();
  Open();
  EXPECT_EQ(Get("a"), std::nullopt);
}

TEST_F(MemoryDiskTest, AFailedWriteThatIsKeptIsSeenByTheNextOpeningOnly) {
  Open();
  disk_->FailNextWrite(absl::StatusCode::kUnavailable, MemoryDisk::Fate::kKept);
  ASSERT_FALSE(engine_->Write(OnePut("a", "1"), Durability::kSynced).ok());
  EXPECT_EQ(Get("a"), std::nullopt);
  engine_.reset();
  EXPECT_EQ(disk_->UnsyncedBatches(), 1u);
  Open();
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
}

TEST_F(MemoryDiskTest, AFailedWriteThatIsLostLeavesNothing) {
  Open();
  disk_->FailNextWrite(absl::StatusCode::kDataLoss, MemoryDisk::Fate::kLost);
  EXPECT_EQ(engine_->Write(OnePut("a", "1"), Durability::kSynced).code(),
            absl::StatusCode::kDataLoss);
  engine_.reset();
  Open();
  EXPECT_EQ(Get("a"), std::nullopt);
  Put("a", "2", Durability::kSynced);
}

TEST_F(MemoryDiskTest, CapacityIsMetAtTheLimitAndExceededOnePast) {
  Open();
  EXPECT_EQ(engine_->DiskFreeBytes(), std::nullopt);
  disk_->SetCapacity(10);
  Put("key", "1234567", Durability::kSynced);
  EXPECT_EQ(engine_->DiskBytes(), 10u);
  EXPECT_THAT(engine_->DiskFreeBytes(), Optional(0u));
  EXPECT_EQ(engine_->Write(OnePut("", "1"), Durability::kSynced).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(VersionedTablesTest, VersionsNobodyCanSeeAreDropped) {
  VersionedTables tables;
  tables.Apply(OnePut("a", "1"), nullptr);
  const uint64_t first = tables.Pin();
  tables.Apply(OnePut("a", "2"), nullptr);
  const uint64_t second = tables.Pin();
  WriteBatch gone;
  gone.Delete(Table::kItems, "a");
  tables.Apply(gone, nullptr);
  EXPECT_EQ(tables.bytes(), 0u);
  EXPECT_EQ(tables.VersionsForTest(), 3u);
  tables.Unpin(first);
  EXPECT_EQ(tables.VersionsForTest(), 2u);
  EXPECT_EQ(*tables.Get(Table::kItems, "a", second), "2");
  tables.Unpin(second);
  EXPECT_EQ(tables.VersionsForTest(), 0u);
}

}  // namespace
}  // namespace homeport
