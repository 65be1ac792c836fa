#include "storage/replication/retention.h"

#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

constexpr uint64_t kSegment = 100;

// Origins whose logs have segments of ten entries of ten bytes; hours are the times.
class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
    limits_.log_bytes_max = 1000000;
    limits_.log_age_max = absl::Hours(1000);
  }
  static HybridTime Hour(int hour) {
    return FromWallTime(absl::FromUnixSeconds(1'700'000'000) + absl::Hours(hour));
  }
  // `entries` more, logged at `hour` and applied.
  OriginState& Log(uint64_t origin, uint64_t entries, int hour) {
    OriginState& state = states_[Origin(origin)];
    for (uint64_t i = 0; i < entries; ++i) {
      state.Receive(Sequence(state.received.value() + 1), Hour(hour), 10);
      state.log.Settle(Origin(origin), state.received, Hour(hour), kSegment, *staging_);
    }
    state.applied = state.received;
    return state;
  }
  std::map<uint64_t, uint64_t> Plan(int hour, std::map<uint64_t, uint64_t> members = {}) {
    std::map<uint64_t, uint64_t> begins;
    reasons_.clear();
    for (const Truncation& truncation : PlanRetention(
             states_, [&](Origin origin) { return Sequence(members[origin.value()]); }, limits_,
             Hour(hour))) {
      begins[truncation.origin.value()] = truncation.begin.value();
      reasons_[truncation.origin.value()] = truncation.reason;
    }
    return begins;
  }
  using Begins = std::map<uint64_t, uint64_t>;

  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
  RetentionLimits limits_;
  std::map<Origin, OriginState> states_;
  std::map<uint64_t, Truncation::Reason> reasons_;
};

TEST_F(RetentionTest, NothingGoesWhileAMemberIsNotKnownToHaveAppliedIt) {
  Log(1, 35, 0);
  EXPECT_EQ(Plan(1), Begins());
  EXPECT_EQ(Plan(1, {{1, 9}}), Begins());
}

TEST_F(RetentionTest, SegmentsThatEveryMemberHasAppliedGoAndTheRestStays) {
  Log(1, 35, 0);
  EXPECT_EQ(Plan(1, {{1, 10}}), Begins({{1, 11}}));
  EXPECT_EQ(Plan(1, {{1, 29}}), Begins({{1, 21}}));
  EXPECT_EQ(reasons_[1], Truncation::Reason::kAppliedByAll);
}

TEST_F(RetentionTest, TheOpenSegmentGoesOnceAllOfItIsAppliedEverywhere) {
  Log(1, 35, 0);
  EXPECT_EQ(Plan(1, {{1, 34}}), Begins({{1, 31}}));
  EXPECT_EQ(Plan(1, {{1, 35}}), Begins({{1, 36}}));
}

TEST_F(RetentionTest, WhatIsNotAppliedHereStaysWhateverMembersAndBoundsSay) {
  Log(1, 35, 0).applied = Sequence(15);
  limits_.log_bytes_max = 1;
  limits_.log_age_max = absl::Hours(1);
  EXPECT_EQ(Plan(500, {{1, 35}}), Begins({{1, 11}}));
}

TEST_F(RetentionTest, OverTheBytesTheOldestSegmentsOfAllOriginsGoUntilTheRestFits) {
  Log(1, 20, 1);
  Log(2, 20, 0);
  Log(1, 10, 2);
  limits_.log_bytes_max = 350;
  EXPECT_EQ(Plan(3), Begins({{2, 21}}));
  EXPECT_EQ(reasons_[2], Truncation::Reason::kBytes);
  limits_.log_bytes_max = 299;
  EXPECT_EQ(Plan(3), Begins({{1, 11}, {2, 21}}));
  limits_.log_bytes_max = 500;
  EXPECT_EQ(Plan(3), Begins());
}

TEST_F(RetentionTest, BytesThatEveryMemberHasAppliedDoNotCountAgainstWhatOneLacks) {
  Log(1, 20, 0);
  Log(2, 20, 1);
  limits_.log_bytes_max = 200;
  EXPECT_EQ(Plan(2, {{2, 20}}), Begins({{2, 21}}));
  EXPECT_EQ(reasons_[2], Truncation::Reason::kAppliedByAll);
}

TEST_F(RetentionTest, WhatWasLoggedLongAgoGoesWhateverItsOriginsTime) {
  Log(1, 10, 0);
  Log(1, 10, 5);
  limits_.log_age_max = absl::Hours(10);
  EXPECT_EQ(Plan(10), Begins());
  EXPECT_EQ(Plan(11), Begins({{1, 11}}));
  EXPECT_EQ(reasons_[1], Truncation::Reason::kAge);
  EXPECT_EQ(Plan(16), Begins({{1, 21}}));
}

TEST_F(RetentionTest, WhatHasGoneIsNotCountedAgain) {
  OriginState& state = Log(1, 35, 0);
  EXPECT_EQ(state.log.bytes(), 350u);
  state.log.Truncate(Origin(1), Sequence(21), *staging_);
  EXPECT_EQ(state.log.begin(), Sequence(21));
  EXPECT_EQ(state.log.bytes(), 150u);
  state.log.Truncate(Origin(1), Sequence(11), *staging_);
  EXPECT_EQ(state.log.begin(), Sequence(21));
  limits_.log_bytes_max = 150;
  EXPECT_EQ(Plan(1), Begins());
  limits_.log_bytes_max = 149;
  EXPECT_EQ(Plan(1), Begins({{1, 31}}));
}

TEST_F(RetentionTest, AnOriginsRecordsAndMarksLeaveTheDiskTogether) {
  for (uint64_t i = 1; i <= 35; ++i) staging_->Put(Table::kLog, LogKey(Origin(1), Sequence(i)), "");
  OriginState& state = Log(1, 35, 0);
  ASSERT_TRUE(staging_->Write().ok());
  state.log.Truncate(Origin(1), Sequence(21), *staging_);
  ASSERT_TRUE(staging_->Write().ok());
  auto count = [this](Table table, absl::string_view prefix) {
    int found = 0;
    auto it = engine_->Iterate(table);
    for (it->Seek(prefix); it->Valid(); it->Next()) ++found;
    return found;
  };
  EXPECT_EQ(count(Table::kLog, ""), 15);
  EXPECT_EQ(count(Table::kMeta, kLogSegmentPrefix), 1);
}

TEST(LogSegmentBytesTest, SegmentsAreAFewHundredOfALogWithinReason) {
  EXPECT_EQ(LogSegmentBytes(1024 * 1024), 4096u);
  EXPECT_EQ(LogSegmentBytes(1), 4096u);
  EXPECT_EQ(LogSegmentBytes(uint64_t{8} << 30), uint64_t{32} << 20);
  EXPECT_EQ(LogSegmentBytes(uint64_t{16} << 40), uint64_t{32} << 20);
}

}  // namespace
}  // namespace homeport
