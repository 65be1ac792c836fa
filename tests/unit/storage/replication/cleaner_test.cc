#include "storage/replication/cleaner.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"
#include "storage/replication/expiry_index.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

const ReplicaName kSelf("r0/a");
const ReplicaName kOne("r1/a");
const Origin kWriter(7);

class CleanerTest : public ::testing::Test {
 protected:
  CleanerTest() {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok());
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
    items_ = std::make_unique<ItemWriter>(staging_.get());
    index_ = std::make_unique<ExpiryIndex>(staging_.get());
    items_->AddObserver(index_.get());
    members_.SetMembers({"f", {{kSelf, {"all"}}, {kOne, {"all"}}}});
    origins_.At(kWriter).applied = Sequence(1000);
    cleaner_ = std::make_unique<Cleaner>(
        Cleaner::Parts{staging_.get(), items_.get(), &origins_, &members_, &counters_});
  }
  void Store(const std::string& id, uint64_t time, uint64_t sequence, bool value,
             uint64_t expires = 0) {
    auto item = items_->Load(ItemKey("all", id, ""));
    ASSERT_TRUE(item.ok());
    StoredItem stored;
    stored.set_timestamp(time);
    stored.set_origin(kWriter.value());
    stored.set_sequence(sequence);
    stored.set_expires(expires);
    if (value) stored.set_value("v");
    items_->Replace(*std::move(item), stored, ItemCause::kLocal);
    ASSERT_TRUE(staging_->Write().ok());
  }
  void MemberHas(uint64_t sequence) {
    internal::v1::MemberReport report;
    report.set_replica(kOne.value());
    report.set_start(1);
    report.set_as_of(sequence);
    auto* said = report.add_origins();
    said->set_origin(kWriter.value());
    said->set_received(sequence);
    said->set_applied(sequence);
    members_.Observe(report, kOne);
  }
  void Pass(uint64_t applied_up_to, uint64_t now) {
    cleaner_->Begin(HybridTime(applied_up_to), HybridTime(now));
    ASSERT_TRUE(cleaner_->Step(1000).ok());
    ASSERT_TRUE(staging_->Write().ok());
  }
  bool Has(const std::string& id) {
    auto value = engine_->Get(Table::kItems, ItemKey("all", id, ""));
    EXPECT_TRUE(value.ok());
    return value->has_value();
  }

  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<ItemWriter> items_;
  std::unique_ptr<ExpiryIndex> index_;
  OriginTable origins_{kSelf};
  MemberTable members_{kSelf};
  CoreCounters counters_;
  std::unique_ptr<Cleaner> cleaner_;
};

TEST_F(CleanerTest, ATombstoneNeedsBothConditions) {
  Store("x", 100, 5, false);
  Pass(200, 1'000'000'000'000);
  EXPECT_TRUE(Has("x")) << "the member was not heard of";
  MemberHas(4);
  Pass(201, 1'000'000'000'000);
  EXPECT_TRUE(Has("x")) << "the member has not applied it";
  MemberHas(5);
  Pass(99, 1'000'000'000'000);
  EXPECT_TRUE(Has("x")) << "an older write may come";
  EXPECT_EQ(counters_.cleanup_waiting, 1u);
  Pass(100, 1'000'000'000'000);
  EXPECT_FALSE(Has("x"));
  EXPECT_EQ(counters_.tombstones_dropped, 1u);
  EXPECT_EQ(counters_.cleanup_waiting, 0u);
}

TEST_F(CleanerTest, AnExpiredItemNeedsItsTimeBesides) {
  MemberHas(5);
  Store("x", 100, 5, true, 500);
  Pass(200, 499);
  EXPECT_TRUE(Has("x"));
  Pass(200, 500);
  EXPECT_FALSE(Has("x"));
  EXPECT_EQ(counters_.expired_dropped, 1u);
}

TEST_F(CleanerTest, AValueThatDoesNotExpireStays) {
  MemberHas(5);
  Store("x", 100, 5, true);
  Pass(200, 1000);
  EXPECT_TRUE(Has("x"));
}

TEST_F(CleanerTest, WhatIsNotAppliedHereStays) {
  MemberHas(2000);
  Store("x", 100, 1001, false);
  Pass(200, 1000);
  EXPECT_TRUE(Has("x"));
}

TEST_F(CleanerTest, AStepLooksAtABoundedNumberAndTheNextGoesOn) {
  MemberHas(100);
  for (int i = 0; i < 10; ++i) Store(absl::StrCat("k", i), 100 + i, 5, false);
  cleaner_->Begin(HybridTime(200), HybridTime(1000));
  ASSERT_TRUE(cleaner_->Step(4).ok());
  EXPECT_EQ(counters_.tombstones_dropped, 4u);
  EXPECT_TRUE(cleaner_->HasWork());
  ASSERT_TRUE(staging_->Write().ok());
  ASSERT_TRUE(cleaner_->Step(4).ok());
  ASSERT_TRUE(staging_->Write().ok());
  ASSERT_TRUE(cleaner_->Step(4).ok());
  EXPECT_EQ(counters_.tombstones_dropped, 10u);
  EXPECT_FALSE(cleaner_->HasWork());
}

TEST_F(CleanerTest, WhatWaitsIsNotLookedAtInACommitOfItsOwn) {
  for (int i = 0; i < 10; ++i) Store(absl::StrCat("k", i), 100 + i, 5, false);
  cleaner_->Begin(HybridTime(200), HybridTime(1000));
  EXPECT_TRUE(cleaner_->HasWork());
  ASSERT_TRUE(cleaner_->Step(4).ok());
  EXPECT_FALSE(cleaner_->HasWork());
}

TEST_F(CleanerTest, AnItemThatWasWrittenAgainIsNoCandidate) {
  MemberHas(5);
  Store("x", 100, 5, false);
  auto item = items_->Load(ItemKey("all", "x", ""));
  ASSERT_TRUE(item.ok());
  StoredItem again;
  again.set_timestamp(150);
  again.set_origin(kWriter.value());
  again.set_sequence(6);
  again.set_value("new");
  items_->Replace(*std::move(item), again, ItemCause::kLocal);
  Pass(200, 1000);  // in the same commit
  EXPECT_TRUE(Has("x"));
}

}  // namespace
}  // namespace homeport
