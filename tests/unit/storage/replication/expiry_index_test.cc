#include "storage/replication/expiry_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::ItemChange;
using internal::v1::StoredItem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Stamp At(uint64_t time) { return {{HybridTime(time), Origin(1)}, Sequence(time)}; }

ItemChange Put(std::string value, uint64_t expires) {
  ItemChange change;
  change.set_value(std::move(value));
  change.set_expires(expires);
  return change;
}

class ExpiryIndexTest : public ::testing::Test {
 protected:
  ExpiryIndexTest()
      : engine_(*MemoryEngine::Open(std::make_shared<MemoryDisk>())),
        staging_(engine_.get()),
        writer_(&staging_),
        index_(&staging_) {
    writer_.AddObserver(&index_);
  }

  void Apply(const std::string& key, const ItemChange& change, uint64_t time) {
    auto item = writer_.Load(key);
    ASSERT_TRUE(item.ok()) << item.status();
    writer_.Apply(*std::move(item), change, At(time), ItemCause::kLocal);
  }
  std::vector<std::pair<uint64_t, std::string>> Index() {
    std::vector<std::pair<uint64_t, std::string>> found;
    auto it = engine_->Iterate(Table::kExpiry);
    for (it->Seek(""); it->Valid(); it->Next()) {
      auto parts = ParseExpiryKey(it->key());
      EXPECT_TRUE(parts.has_value());
      found.emplace_back(parts->time.value(), std::string(parts->item_key));
    }
    return found;
  }

  std::unique_ptr<KvEngine> engine_;
  Staging staging_;
  ItemWriter writer_;
  ExpiryIndex index_;
};

TEST_F(ExpiryIndexTest, HasWhatExpiresAndWhatWasDeletedInTheOrderOfTime) {
  Apply("a", Put("v", 500), 10);
  Apply("b", Put("v", 0), 11);
  Apply("c", ItemChange(), 12);
  ASSERT_TRUE(staging_.Write().ok());
  EXPECT_THAT(Index(), ElementsAre(Pair(12, "c"), Pair(500, "a")));
}

TEST_F(ExpiryIndexTest, FollowsAnItemThatChanges) {
  Apply("a", Put("v", 500), 10);
  Apply("a", Put("v", 600), 11);
  Apply("b", ItemChange(), 12);
  ASSERT_TRUE(staging_.Write().ok());
  EXPECT_THAT(Index(), ElementsAre(Pair(12, "b"), Pair(600, "a")));
  Apply("a", Put("v", 0), 13);
  Apply("b", Put("v", 700), 14);
  Apply("b", Put("late", 100), 9);
  ASSERT_TRUE(staging_.Write().ok());
  EXPECT_THAT(Index(), ElementsAre(Pair(700, "b")));
  auto item = writer_.Load("b");
  ASSERT_TRUE(item.ok());
  writer_.Remove(*std::move(item), ItemCause::kClean);
  ASSERT_TRUE(staging_.Write().ok());
  EXPECT_THAT(Index(), IsEmpty());
}

TEST_F(ExpiryIndexTest, IsBuiltOnceForItemsThatHaveNone) {
  WriteBatch batch;
  StoredItem item;
  item.set_timestamp(10);
  batch.Put(Table::kItems, "deleted", item.SerializeAsString());
  item.set_value("v");
  batch.Put(Table::kItems, "value", item.SerializeAsString());
  item.set_expires(90);
  batch.Put(Table::kItems, "expires", item.SerializeAsString());
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  ASSERT_TRUE(ExpiryIndex::Build(engine_.get()).ok());
  EXPECT_THAT(Index(), ElementsAre(Pair(10, "deleted"), Pair(90, "expires")));
  batch.Clear();
  batch.DeleteRange(Table::kExpiry, "", "\xff");
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  ASSERT_TRUE(ExpiryIndex::Build(engine_.get()).ok());
  EXPECT_THAT(Index(), IsEmpty());
}

}  // namespace
}  // namespace homeport
