#include "storage/replication/digest_sums.h"

#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"
#include "tests/unit/storage/replication/compare_bed.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;

StoredItem Register(uint64_t time, const std::string& value) {
  StoredItem item;
  item.set_timestamp(time);
  item.set_origin(7);
  item.set_sequence(time);
  item.set_value(value);
  return item;
}

class DigestSumsTest : public testing::Test {
 protected:
  DigestSumsTest() {
    auto engine = MemoryEngine::Open(disk_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
    Restart();
  }

  void Restart() {
    sums_ = std::make_unique<DigestSums>(staging_.get());
    EXPECT_TRUE(sums_->Load().ok());
    Commit();
  }
  void Commit() {
    sums_->StageChanged();
    if (!staging_->empty()) {
      EXPECT_TRUE(staging_->Write().ok());
    }
  }
  NamespaceSums Stored(const std::string& name_space) {
    auto sums = ReadDigests(engine_.get(), name_space, nullptr);
    EXPECT_TRUE(sums.ok()) << sums.status();
    return **sums;
  }
  static uint64_t Items(const NamespaceSums& sums) {
    uint64_t items = 0;
    for (const RangeSums& range : sums) items += range.items;
    return items;
  }
  void Change(const std::string& key, const StoredItem* before, const StoredItem* after) {
    sums_->OnItemChanged(key, before, after, ItemCause::kLocal);
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<DigestSums> sums_;
};

TEST_F(DigestSumsTest, AnItemThatComesAndGoesLeavesNothing) {
  const std::string key = ItemKey("all", "id", "k");
  const StoredItem first = Register(1, "a");
  const StoredItem second = Register(2, "b");
  Change(key, nullptr, &first);
  Commit();
  const NamespaceSums one = Stored("all");
  EXPECT_EQ(Items(one), 1u);
  Change(key, &first, &second);
  Commit();
  EXPECT_EQ(Items(Stored("all")), 1u);
  EXPECT_NE(Stored("all"), one);
  Change(key, &second, nullptr);
  Commit();
  EXPECT_EQ(Stored("all"), NamespaceSums());
}

TEST_F(DigestSumsTest, TombstonesAndItemsThatExpireDoNotCount) {
  StoredItem tombstone = Register(1, "");
  tombstone.clear_value();
  StoredItem expiring = Register(1, "a");
  expiring.set_expires(99);
  const std::string key = ItemKey("all", "id", "");
  EXPECT_FALSE(HashItem(key, tombstone).has_value());
  EXPECT_FALSE(HashItem(key, expiring).has_value());
  EXPECT_TRUE(HashItem(key, Register(1, "")).has_value());
}

TEST_F(DigestSumsTest, KeyValueAndVersionAllCount) {
  const std::string key = ItemKey("all", "id", "");
  const auto hash = HashItem(key, Register(1, "a"));
  EXPECT_EQ(hash, HashItem(key, Register(1, "a")));
  EXPECT_NE(hash, HashItem(key, Register(1, "b")));
  EXPECT_NE(hash, HashItem(key, Register(2, "a")));
  EXPECT_NE(hash, HashItem(ItemKey("all", "id", "a"), Register(1, "a")));
  EXPECT_NE(hash, HashItem(ItemKey("all", "ie", ""), Register(1, "a")));
}

TEST_F(DigestSumsTest, ARecordsItemsAreInOneRangeAndRecordsSpread) {
  const std::string odd("a\0b", 3);
  EXPECT_EQ(DigestRangeOf(ItemKey("all", odd, "x")), DigestRangeOf(ItemKey("all", odd, "y")));
  EXPECT_NE(DigestRangeOf(ItemKey("all", odd, "")), std::nullopt);
  EXPECT_EQ(DigestRangeOf("all"), std::nullopt);
  EXPECT_EQ(DigestRangeOf(NamespacePrefix("all") + "id"), std::nullopt);
  std::set<uint32_t> ranges;
  for (int i = 0; i < 10'000; ++i) {
    ranges.insert(*DigestRangeOf(ItemKey("all", absl::StrCat("id", i), "")));
  }
  EXPECT_GT(ranges.size(), 1000u);
  EXPECT_LT(*ranges.rbegin(), kDigestRanges);
}

TEST_F(DigestSumsTest, NamespacesAreApart) {
  const StoredItem item = Register(1, "a");
  Change(ItemKey("all", "id", ""), nullptr, &item);
  Change(ItemKey("all-too", "id", ""), nullptr, &item);
  Commit();
  sums_->Drop("all");
  Commit();
  EXPECT_EQ(Stored("all"), NamespaceSums());
  EXPECT_EQ(Items(Stored("all-too")), 1u);
}

TEST_F(DigestSumsTest, ARestartGoesOnWithWhatIsOnTheDisk) {
  const StoredItem item = Register(1, "a");
  Change(ItemKey("all", "id", ""), nullptr, &item);
  Commit();
  Restart();
  Change(ItemKey("all", "id", ""), &item, nullptr);
  Commit();
  EXPECT_EQ(Stored("all"), NamespaceSums());
}

TEST_F(DigestSumsTest, ItemsOfAnEarlierVersionAreSummedAtTheStart) {
  WriteBatch batch;
  batch.Put(Table::kItems, ItemKey("all", "id", ""), Register(1, "a").SerializeAsString());
  batch.Put(Table::kItems, ItemKey("all", "other", ""), Register(2, "b").SerializeAsString());
  batch.Delete(Table::kMeta, "digests");
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  Restart();
  auto computed = ComputeDigests(engine_.get(), "all", nullptr);
  ASSERT_TRUE(computed.ok()) << computed.status();
  EXPECT_EQ(Stored("all"), **computed);
  EXPECT_EQ(Items(**computed), 2u);
}

TEST_F(DigestSumsTest, ADamagedDigestIsDataLoss) {
  WriteBatch batch;
  batch.Put(Table::kDigests, NamespacePrefix("all") + std::string("\1"), "short");
  ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  EXPECT_EQ(ReadDigests(engine_.get(), "all", nullptr).status().code(),
            absl::StatusCode::kDataLoss);
  DigestSums again(staging_.get());
  EXPECT_EQ(again.Load().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DigestSumsTest, ARecordOfRangesThatThereAreNotIsDataLoss) {
  const StoredItem item = Register(1, "a");
  const std::string key = ItemKey("all", "id", "");
  Change(key, nullptr, &item);
  Commit();
  std::unique_ptr<KvIterator> it = engine_->Iterate(Table::kDigests);
  it->Seek({});
  ASSERT_TRUE(it->Valid());
  const std::string slot(it->key());
  const std::string good(it->value());
  const auto store = [&](const std::string& record) {
    WriteBatch batch;
    batch.Put(Table::kDigests, slot, record);
    return engine_->Write(batch, KvEngine::Durability::kSynced).ok();
  };
  const std::string number = good.substr(0, 8);
  const std::string sums(17, '\1');
  const std::string bad[] = {good.substr(0, good.size() - 1), good + '\1',
                             number + "\x80\x08" + sums,                // range 1,024
                             number + "\xff\x07" + sums + '\0' + sums,  // and one after the last
                             number + "\x80\x80\x80\x80\x80\x01" + sums};
  for (const std::string& record : bad) {
    ASSERT_TRUE(store(record));
    EXPECT_EQ(ReadDigests(engine_.get(), "all", nullptr).status().code(),
              absl::StatusCode::kDataLoss);
  }
  ASSERT_TRUE(store(number + "\xff\x07" + sums));
  EXPECT_EQ(Stored("all")[1023].items, 1u);
}

TEST(DigestHistoryTest, StoredSumsAreThoseOfTheItemsAfterAnyHistory) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    Mesh mesh(3);
    mesh.ConnectAll();
    for (int step = 0; step < 200; ++step) {
      MutateAtRandom(mesh, static_cast<int>(random() % 3), random, 12);
      if (random() % 4 == 0) {
        const int from = static_cast<int>(random() % 3);
        mesh.Step(from, (from + 1 + static_cast<int>(random() % 2)) % 3, true);
      }
      if (random() % 60 == 0) {
        const int at = static_cast<int>(random() % 3);
        mesh.Crash(at, true);
        mesh.Start(at);
        mesh.ConnectAll();
      }
    }
    ASSERT_TRUE(mesh.Settle()) << "seed " << seed;
    for (int at = 0; at < 3; ++at) {
      auto stored = ReadDigests(&mesh.engine(at), "all", nullptr);
      auto computed = ComputeDigests(&mesh.engine(at), "all", nullptr);
      auto other = ReadDigests(&mesh.engine(0), "all", nullptr);
      ASSERT_TRUE(stored.ok() && computed.ok() && other.ok());
      EXPECT_EQ(**stored, **computed) << "seed " << seed << " replica " << at;
      EXPECT_EQ(**stored, **other) << "seed " << seed << " replica " << at;
    }
  }
}

}  // namespace
}  // namespace homeport
