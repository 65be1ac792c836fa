#include "storage/replication/request_ids.h"

#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"

namespace homeport {
namespace {

class RequestIdsTest : public testing::Test {
 protected:
  RequestIdsTest() {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
    ids_ = std::make_unique<RequestIds>(staging_.get(), 2);
  }
  void Stage(const std::string& id, uint64_t time) {
    ids_->Stage(RequestKey("n", id), MakeRequest({{HybridTime(time), Origin(7)}, Sequence(time)},
                                                 /*mutation_hash=*/time + 1));
  }
  bool Knows(const std::string& id) {
    auto found = ids_->Find(RequestKey("n", id));
    EXPECT_TRUE(found.ok()) << found.status();
    return found->has_value();
  }
  void Forget(uint64_t before, int at_second) {
    ASSERT_TRUE(ids_->Forget(HybridTime(before), absl::Seconds(at_second)).ok());
    ASSERT_TRUE(staging_->Write().ok());
  }
  int Keys() {
    int keys = 0;
    auto it = engine_->Iterate(Table::kRequests);
    for (it->Seek(""); it->Valid(); it->Next()) ++keys;
    return keys;
  }

  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<RequestIds> ids_;
};

TEST_F(RequestIdsTest, AnIdIsKnownOnceItIsStagedWithAllThatItNames) {
  EXPECT_FALSE(Knows("a"));
  Stage("a", 5);
  auto found = ids_->Find(RequestKey("n", "a"));
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->origin(), 7u);
  EXPECT_EQ((*found)->sequence(), 5u);
  EXPECT_EQ((*found)->timestamp(), 5u);
  EXPECT_EQ((*found)->mutation_hash(), 6u);
}

TEST_F(RequestIdsTest, OldIdsAreForgottenWhollyAndLaterOnesStay) {
  Stage("old", 5);
  Stage("new", 10);
  ASSERT_TRUE(staging_->Write().ok());
  Forget(10, 1);
  EXPECT_FALSE(Knows("old"));
  EXPECT_TRUE(Knows("new"));
  EXPECT_EQ(Keys(), 2);
}

TEST_F(RequestIdsTest, ForgettingIsBoundedAndGoesOnAtOnce) {
  for (uint64_t i = 1; i <= 5; ++i) Stage(std::string(i, 'x'), i);
  ASSERT_TRUE(staging_->Write().ok());
  Forget(100, 1);
  EXPECT_EQ(Keys(), 6);
  Forget(100, 1);
  EXPECT_EQ(Keys(), 2);
  Forget(100, 1);
  EXPECT_EQ(Keys(), 0);
}

TEST_F(RequestIdsTest, AnIdThatComesLateWhileOthersAreForgottenIsForgottenToo) {
  Stage("first", 5);
  ASSERT_TRUE(staging_->Write().ok());
  Stage("late", 3);  // staged in the commit that forgets, so the walk does not see it
  Forget(10, 1);
  EXPECT_FALSE(Knows("first"));
  EXPECT_TRUE(Knows("late"));
  Forget(10, 2);
  EXPECT_FALSE(Knows("late"));
  EXPECT_EQ(Keys(), 0);
}

TEST_F(RequestIdsTest, ADamagedRecordIsAnError) {
  staging_->Put(Table::kRequests, RequestKey("n", "a"), "\xff");
  EXPECT_EQ(ids_->Find(RequestKey("n", "a")).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace homeport
