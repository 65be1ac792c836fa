#include "storage/replication/log_reader.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
  }
  void Store(Origin origin, uint64_t at, const std::string& record) {
    WriteBatch batch;
    batch.Put(Table::kLog, LogKey(origin, Sequence(at)), record);
    ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  void StoreEntry(Origin origin, uint64_t sequence) {
    internal::v1::Entry entry;
    entry.set_origin(origin.value());
    entry.set_sequence(sequence);
    entry.set_timestamp(sequence);
    Store(origin, sequence, MakeLogRecord(LogRecord::Kind::kEntry, entry.SerializeAsString()));
  }
  void StoreSkip(Origin origin, uint64_t first, uint64_t last) {
    internal::v1::Skip skip;
    skip.set_origin(origin.value());
    skip.set_first(first);
    skip.set_last(last);
    Store(origin, last, MakeLogRecord(LogRecord::Kind::kSkip, skip.SerializeAsString()));
  }
  void ExpectEntry(LogReader& reader, Origin origin, uint64_t sequence) {
    auto record = reader.Read(origin, Sequence(sequence));
    ASSERT_TRUE(record.ok()) << record.status();
    ASSERT_TRUE(record->entry.has_value());
    EXPECT_EQ(record->entry->origin(), origin.value());
    EXPECT_EQ(record->entry->sequence(), sequence);
    EXPECT_EQ(record->sequence, Sequence(sequence));
  }
  void ExpectLost(LogReader& reader, Origin origin, uint64_t sequence, absl::string_view message) {
    auto record = reader.Read(origin, Sequence(sequence));
    EXPECT_EQ(record.status().code(), absl::StatusCode::kDataLoss) << record.status();
    EXPECT_TRUE(absl::StrContains(record.status().message(), message)) << record.status();
  }

  std::unique_ptr<KvEngine> engine_;
};

TEST_F(LogReaderTest, ReadsOnBackAndAheadInSeveralOriginsInTurn) {
  for (uint64_t i = 1; i <= 9; ++i) {
    StoreEntry(Origin(1), i);
    StoreEntry(Origin(2), i);
  }
  LogReader reader(engine_.get());
  for (uint64_t i : {1, 2, 3, 7, 8, 2, 3, 9, 9}) {
    ExpectEntry(reader, Origin(1), i);
    ExpectEntry(reader, Origin(2), 10 - i);
  }
}

TEST_F(LogReaderTest, ASkipIsFoundAtEverySequenceThatItCovers) {
  StoreEntry(Origin(1), 1);
  StoreSkip(Origin(1), 2, 5);
  StoreEntry(Origin(1), 6);
  for (uint64_t i = 2; i <= 5; ++i) {
    LogReader reader(engine_.get());
    auto record = reader.Read(Origin(1), Sequence(i));
    ASSERT_TRUE(record.ok()) << record.status();
    ASSERT_TRUE(record->skip.has_value());
    EXPECT_EQ(record->sequence, Sequence(5));
    ExpectEntry(reader, Origin(1), 6);
  }
}

TEST_F(LogReaderTest, AMissingEntryIsNamedAndNotPassedOver) {
  StoreEntry(Origin(1), 1);
  StoreEntry(Origin(1), 3);
  StoreSkip(Origin(1), 5, 6);
  StoreEntry(Origin(2), 7);
  LogReader reader(engine_.get());
  ExpectEntry(reader, Origin(1), 1);
  ExpectLost(reader, Origin(1), 2, "lacks entry 2 of origin 0000000000000001");
  ExpectEntry(reader, Origin(1), 3);
  ExpectLost(reader, Origin(1), 4, "lacks entry 4");
  // The next origin's entries are not this one's.
  ExpectLost(reader, Origin(1), 7, "lacks entry 7");
}

TEST_F(LogReaderTest, ADamagedRecordIsAnError) {
  Store(Origin(1), 1, "E????not a record");
  LogReader reader(engine_.get());
  ExpectLost(reader, Origin(1), 1, "damaged");
}

TEST_F(LogReaderTest, MoreOriginsThanItKeepsPlacesForAreReadAllTheSame) {
  const uint64_t origins = 2 * LogReader::kPlacesMax + 1;
  for (uint64_t origin = 1; origin <= origins; ++origin) {
    for (uint64_t i = 1; i <= 3; ++i) StoreEntry(Origin(origin), i);
  }
  LogReader reader(engine_.get());
  for (uint64_t i = 1; i <= 3; ++i) {
    for (uint64_t origin = 1; origin <= origins; ++origin) ExpectEntry(reader, Origin(origin), i);
  }
}

TEST_F(LogReaderTest, WhatHasLeftTheLogIsToldFromDamage) {
  internal::v1::StoredPosition position;
  position.set_log_begin(4);
  WriteBatch batch;
  batch.Put(Table::kMeta, PositionKey(Origin(1)), position.SerializeAsString());
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  StoreEntry(Origin(1), 4);
  StoreEntry(Origin(1), 6);
  LogReader reader(engine_.get());
  auto record = reader.Read(Origin(1), Sequence(3));
  EXPECT_EQ(record.status().code(), absl::StatusCode::kOutOfRange) << record.status();
  ExpectEntry(reader, Origin(1), 4);
  ExpectLost(reader, Origin(1), 5, "lacks entry 5");
  auto begin = StoredLogBegin(engine_.get(), Origin(1));
  ASSERT_TRUE(begin.ok()) << begin.status();
  EXPECT_EQ(*begin, Sequence(4));
  begin = StoredLogBegin(engine_.get(), Origin(2));
  ASSERT_TRUE(begin.ok()) << begin.status();
  EXPECT_EQ(*begin, Sequence(1));
}

}  // namespace
}  // namespace homeport
