#include "storage/model/entry_codec.h"

#include "gtest/gtest.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::EntryPart;

Entry MakeEntry() {
  Entry entry;
  entry.set_origin(0x1234);
  entry.set_sequence(7);
  entry.set_timestamp(99);
  for (const char* name : {"one", "two"}) {
    EntryPart part;
    part.mutable_change_class()->set_namespace_(name);
    part.set_record_id("id");
    part.add_changes()->set_value(std::string(40, 'v'));
    AddPart(part, entry);
  }
  return entry;
}

TEST(LogRecordTest, EveryFlippedBitIsFound) {
  const std::string good = MakeLogRecord(LogRecord::Kind::kEntry, MakeEntry().SerializeAsString());
  ASSERT_TRUE(ParseLogRecord(good).ok());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(ParseLogRecord(bad).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST(LogRecordTest, ACutRecordIsFound) {
  const std::string good = MakeLogRecord(LogRecord::Kind::kSkip, "body");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(ParseLogRecord(good.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(EntryTest, EveryFlippedBitOfAPartIsFound) {
  const Entry good = MakeEntry();
  ASSERT_TRUE(ParseEntry(good.SerializeAsString()).ok());
  for (int part = 0; part < good.parts_size(); ++part) {
    for (size_t bit = 0; bit < good.parts(part).size() * 8; ++bit) {
      Entry bad = good;
      std::string& bytes = *bad.mutable_parts(part);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      EXPECT_EQ(ParseEntry(bad.SerializeAsString()).status().code(), absl::StatusCode::kDataLoss);
    }
  }
}

TEST(EntryTest, AMissingPartIsTakenOnlyWithItsClassNamed) {
  Entry entry = MakeEntry();
  entry.mutable_parts()->DeleteSubrange(0, 1);
  EXPECT_EQ(ParseEntry(entry.SerializeAsString()).status().code(), absl::StatusCode::kDataLoss);
  entry.add_withheld()->set_namespace_("one");
  EXPECT_TRUE(ParseEntry(entry.SerializeAsString()).ok());
}

TEST(EntryTest, ShapesThatNoWriterMakesAreRefused) {
  for (int what = 0; what < 4; ++what) {
    Entry entry = MakeEntry();
    if (what == 0) entry.set_origin(0);
    if (what == 1) entry.set_sequence(0);
    if (what == 2) entry.set_timestamp(0);
    if (what == 3) entry.mutable_chain()->set_replica("r/a");
    EXPECT_EQ(ParseEntry(entry.SerializeAsString()).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(ParseEntry("\xff").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace homeport
