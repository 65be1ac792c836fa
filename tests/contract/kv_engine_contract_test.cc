// What every KvEngine does, over each implementation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "storage/engine/kv_engine.h"
#include "tests/contract/engine_bed.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Durability = KvEngine::Durability;

constexpr Table kItems = Table::kItems;
constexpr Table kLog = Table::kLog;

WriteBatch OnePut(std::string key, std::string value) {
  WriteBatch batch;
  batch.Put(kItems, std::move(key), std::move(value));
  return batch;
}

Pairs Collect(KvIterator& iterator, absl::string_view from = {}) {
  Pairs pairs;
  for (iterator.Seek(from); iterator.Valid(); iterator.Next()) {
    pairs.emplace_back(iterator.key(), iterator.value());
  }
  EXPECT_TRUE(iterator.status().ok()) << iterator.status();
  return pairs;
}

struct BedParam {
  const char* name;
  std::unique_ptr<EngineBed> (*make)();
};

class KvEngineContractTest : public ::testing::TestWithParam<BedParam> {
 protected:
  KvEngineContractTest() : bed_(GetParam().make()) { Open(); }

  void Open() {
    auto engine = bed_->Open();
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  void Reopen() {
    engine_.reset();
    Open();
  }
  void Put(std::string key, std::string value, Durability durability = Durability::kSynced) {
    const absl::Status status =
        engine_->Write(OnePut(std::move(key), std::move(value)), durability);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::optional<std::string> Get(absl::string_view key, const KvSnapshot* snapshot = nullptr) {
    auto value = engine_->Get(kItems, key, snapshot);
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? *value : std::nullopt;
  }
  Pairs All(Table table = kItems, const KvSnapshot* snapshot = nullptr) {
    return Collect(*engine_->Iterate(table, {}, snapshot));
  }

  const std::unique_ptr<EngineBed> bed_;
  std::unique_ptr<KvEngine> engine_;
};

TEST_P(KvEngineContractTest, ABatchSpansTables) {
  WriteBatch batch;
  batch.Put(kItems, "k", "item");
  batch.Put(kLog, "k", "entry");
  batch.Put(Table::kMeta, "k", "position");
  batch.Put(Table::kRequests, "k", "request");
  ASSERT_TRUE(engine_->Write(batch, Durability::kSynced).ok());
  EXPECT_THAT(All(kItems), ElementsAre(Pair("k", "item")));
  EXPECT_THAT(All(kLog), ElementsAre(Pair("k", "entry")));
  EXPECT_THAT(All(Table::kMeta), ElementsAre(Pair("k", "position")));
  EXPECT_THAT(All(Table::kRequests), ElementsAre(Pair("k", "request")));
}

TEST_P(KvEngineContractTest, OperationsOfABatchApplyInOrder) {
  Put("c", "old");
  WriteBatch batch;
  batch.Put(kItems, "a", "1");
  batch.Delete(kItems, "a");
  batch.Delete(kItems, "b");
  batch.Put(kItems, "b", "2");
  batch.DeleteRange(kItems, "b", "d");
  batch.Put(kItems, "b", "3");
  batch.Put(kItems, "d", "4");
  batch.Put(kItems, "d", "5");
  ASSERT_TRUE(engine_->Write(batch, Durability::kSynced).ok());
  EXPECT_THAT(All(), ElementsAre(Pair("b", "3"), Pair("d", "5")));
}

TEST_P(KvEngineContractTest, DeleteRangeTakesTheBeginAndLeavesTheEnd) {
  for (const char* key : {"a", "b", "c", "d"}) Put(key, "v");
  WriteBatch batch;
  batch.DeleteRange(kItems, "b", "d");
  ASSERT_TRUE(engine_->Write(batch, Durability::kSynced).ok());
  EXPECT_THAT(All(), ElementsAre(Pair("a", "v"), Pair("d", "v")));
  EXPECT_EQ(Get("b"), std::nullopt);
  EXPECT_THAT(Get("d"), Optional(std::string("v")));
}

TEST_P(KvEngineContractTest, ARangeWhoseEndIsNotAfterItsBeginDeletesNothing) {
  for (const char* key : {"a", "b", "c"}) Put(key, "v");
  WriteBatch batch;
  batch.DeleteRange(kItems, "c", "a");
  batch.DeleteRange(kItems, "b", "b");
  batch.DeleteRange(kItems, "a", "");
  ASSERT_TRUE(engine_->Write(batch, Durability::kSynced).ok());
  EXPECT_EQ(All().size(), 3u);
}

TEST_P(KvEngineContractTest, KeysAndValuesAreAnyBytes) {
  const std::string zero("\0", 1);
  const std::string high = "\xff\xff";
  Put("", "empty key");
  Put("empty value", "");
  Put(zero, zero + high);
  Put(high, high + zero);
  EXPECT_THAT(All(), ElementsAre(Pair("", "empty key"), Pair(zero, zero + high),
                                 Pair("empty value", ""), Pair(high, high + zero)));
  EXPECT_THAT(Get(""), Optional(std::string("empty key")));
  EXPECT_THAT(Get("empty value"), Optional(std::string()));
  EXPECT_EQ(Get("absent"), std::nullopt);
  auto iterator = engine_->Iterate(kItems, high);
  EXPECT_EQ(Collect(*iterator, zero).size(), 2u);
}

TEST_P(KvEngineContractTest, ASnapshotDoesNotChange) {
  Put("a", "1");
  Put("b", "1");
  auto snapshot = engine_->Snapshot();
  WriteBatch batch;
  batch.Put(kItems, "a", "2");
  batch.Delete(kItems, "b");
  batch.Put(kItems, "c", "2");
  ASSERT_TRUE(engine_->Write(batch, Durability::kSynced).ok());
  auto later = engine_->Snapshot();
  Put("a", "3");

  EXPECT_THAT(All(kItems, snapshot.get()), ElementsAre(Pair("a", "1"), Pair("b", "1")));
  EXPECT_THAT(Get("a", snapshot.get()), Optional(std::string("1")));
  EXPECT_THAT(Get("b", snapshot.get()), Optional(std::string("1")));
  EXPECT_EQ(Get("c", snapshot.get()), std::nullopt);
  snapshot.reset();
  EXPECT_THAT(All(kItems, later.get()), ElementsAre(Pair("a", "2"), Pair("c", "2")));
  later.reset();
  EXPECT_THAT(All(), ElementsAre(Pair("a", "3"), Pair("c", "2")));
}

TEST_P(KvEngineContractTest, AnIteratorSeesTheEngineAsItWasAtItsCreation) {
  for (const char* key : {"a", "b", "c"}) Put(key, "1");
  auto iterator = engine_->Iterate(kItems);
  iterator->Seek("");
  Put("b", "2");
  Put("bb", "2");
  WriteBatch batch;
  batch.DeleteRange(kItems, "a", "z");
  ASSERT_TRUE(engine_->Write(batch, Durability::kSynced).ok());
  EXPECT_THAT(Collect(*iterator), ElementsAre(Pair("a", "1"), Pair("b", "1"), Pair("c", "1")));
  EXPECT_THAT(All(), IsEmpty());
}

TEST_P(KvEngineContractTest, AnIteratorOutlivesItsSnapshotAndItsEndsOwner) {
  Put("a", "1");
  Put("b", "1");
  auto snapshot = engine_->Snapshot();
  Put("a", "2");
  std::string end = "b";
  auto iterator = engine_->Iterate(kItems, end, snapshot.get());
  snapshot.reset();
  end = "a";
  Put("a", "3");
  EXPECT_THAT(Collect(*iterator), ElementsAre(Pair("a", "1")));
}

TEST_P(KvEngineContractTest, AnIteratorStopsBeforeItsEnd) {
  for (const char* key : {"a", "b", "c", "d"}) Put(key, "v");
  auto iterator = engine_->Iterate(kItems, "c");
  EXPECT_FALSE(iterator->Valid());
  EXPECT_THAT(Collect(*iterator), ElementsAre(Pair("a", "v"), Pair("b", "v")));
  EXPECT_THAT(Collect(*iterator, "aa"), ElementsAre(Pair("b", "v")));
  EXPECT_THAT(Collect(*iterator, "c"), IsEmpty());
  EXPECT_THAT(Collect(*iterator, "zzz"), IsEmpty());
  iterator->Seek("b");
  ASSERT_TRUE(iterator->Valid());
  EXPECT_EQ(iterator->key(), "b");
}

TEST_P(KvEngineContractTest, MultiGetAnswersInTheOrderAskedWithRepeatsAndHoles) {
  Put("a", "1");
  Put("b", "2");
  const std::vector<std::string> keys = {"b", "missing", "a", "b"};
  auto values = engine_->MultiGet(kItems, keys);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values, ElementsAre(Optional(std::string("2")), std::nullopt,
                                   Optional(std::string("1")), Optional(std::string("2"))));
  auto snapshot = engine_->Snapshot();
  Put("a", "3");
  values = engine_->MultiGet(kItems, keys, snapshot.get());
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT((*values)[2], Optional(std::string("1")));
  values = engine_->MultiGet(kItems, {});
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values, IsEmpty());
}

TEST_P(KvEngineContractTest, ReopeningKeepsEverything) {
  Put("a", "1", Durability::kSynced);
  Put("b", "2", Durability::kBuffered);
  WriteBatch batch;
  batch.Delete(kItems, "a");
  batch.Put(kLog, "l", "3");
  ASSERT_TRUE(engine_->Write(batch, Durability::kBuffered).ok());
  Reopen();
  EXPECT_THAT(All(), ElementsAre(Pair("b", "2")));
  EXPECT_THAT(All(kLog), ElementsAre(Pair("l", "3")));
}

TEST_P(KvEngineContractTest, SyncedWritesSurviveAPowerCut) {
  for (int i = 0; i < 50; ++i) Put(absl::StrCat("key", 100 + i), "synced");
  bed_->PowerCut(std::move(engine_));
  Open();
  EXPECT_EQ(All().size(), 50u);
}

TEST_P(KvEngineContractTest, ASyncedWriteSyncsTheBufferedOnesBeforeIt) {
  Put("a", "1", Durability::kBuffered);
  Put("b", "2", Durability::kSynced);
  bed_->PowerCut(std::move(engine_));
  Open();
  EXPECT_THAT(All(), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST_P(KvEngineContractTest, AnEmptySyncedWriteSyncsTheBufferedOnesBeforeIt) {
  Put("a", "1", Durability::kBuffered);
  ASSERT_TRUE(engine_->Write(WriteBatch(), Durability::kSynced).ok());
  bed_->PowerCut(std::move(engine_));
  Open();
  EXPECT_THAT(All(), ElementsAre(Pair("a", "1")));
}

TEST_P(KvEngineContractTest, APowerCutLosesBufferedWritesOnlyFromTheEnd) {
  for (int i = 0; i < 10; ++i) Put(absl::StrCat("s", i), "synced");
  for (int i = 0; i < 10; ++i) Put(absl::StrCat("t", i), "buffered", Durability::kBuffered);
  WriteBatch overwrite;
  overwrite.DeleteRange(kItems, "s", "t");
  overwrite.Put(kItems, "s0", "overwritten");
  ASSERT_TRUE(engine_->Write(overwrite, Durability::kBuffered).ok());
  bed_->PowerCut(std::move(engine_));
  Open();
  int buffered = 0;
  while (buffered < 10 && Get(absl::StrCat("t", buffered))) ++buffered;
  for (int i = buffered; i < 10; ++i) EXPECT_EQ(Get(absl::StrCat("t", i)), std::nullopt) << i;
  if (Get("s0") == "overwritten") {
    EXPECT_EQ(buffered, 10);
  } else {
    for (int i = 0; i < 10; ++i)
      EXPECT_THAT(Get(absl::StrCat("s", i)), Optional(std::string("synced")));
  }
}

TEST_P(KvEngineContractTest, AFailedSyncFailsTheEngineWhileReadsGoOn) {
  Put("a", "1");
  bed_->FailNextSync();
  const absl::Status failed = engine_->Write(OnePut("b", "2"), Durability::kSynced);
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable) << failed;
  EXPECT_EQ(ReasonOf(failed), reason::kStorageFailed);
  EXPECT_EQ(engine_->Write(OnePut("c", "3"), Durability::kSynced), failed);
  EXPECT_EQ(engine_->Write(OnePut("c", "3"), Durability::kBuffered), failed);
  EXPECT_THAT(All(), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
}

TEST_P(KvEngineContractTest, ReopeningRecoversFromAFailedSync) {
  Put("a", "1");
  bed_->FailNextSync();
  ASSERT_FALSE(engine_->Write(OnePut("b", "2"), Durability::kSynced).ok());
  Reopen();
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
  Put("c", "3");
  bed_->PowerCut(std::move(engine_));
  Open();
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
  EXPECT_THAT(Get("c"), Optional(std::string("3")));
}

TEST_P(KvEngineContractTest, AFullDiskIsATypedErrorAndLosesNothing) {
  Put("a", "1");
  bed_->FillDisk();
  const absl::Status full =
      engine_->Write(OnePut("b", std::string(1000, 'x')), Durability::kSynced);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(ReasonOf(full), reason::kDiskFull);
  EXPECT_EQ(engine_->Write(OnePut("c", "3"), Durability::kSynced), full);
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
  EXPECT_EQ(Get("b"), std::nullopt);
  bed_->FreeDisk();
  Reopen();
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
  Put("c", "3");
  EXPECT_THAT(Get("c"), Optional(std::string("3")));
}

TEST_P(KvEngineContractTest, ACheckpointIsTheStateWhenItWasTaken) {
  Put("a", "1", Durability::kBuffered);
  ASSERT_TRUE(engine_->Checkpoint(bed_->CheckpointDirectory()).ok());
  Put("a", "2");
  auto copy = bed_->OpenCheckpoint();
  ASSERT_TRUE(copy.ok()) << copy.status();
  auto value = (*copy)->Get(kItems, "a");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_THAT(*value, Optional(std::string("1")));
  ASSERT_TRUE((*copy)->Write(OnePut("a", "3"), Durability::kSynced).ok());
  EXPECT_THAT(Get("a"), Optional(std::string("2")));
}

TEST_P(KvEngineContractTest, ACheckpointDoesNotReplaceAnother) {
  ASSERT_TRUE(engine_->Checkpoint(bed_->CheckpointDirectory()).ok());
  EXPECT_EQ(engine_->Checkpoint(bed_->CheckpointDirectory()).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_P(KvEngineContractTest, ASecondEngineOnTheSameDiskIsRefused) {
  EXPECT_EQ(bed_->Open().status().code(), absl::StatusCode::kFailedPrecondition);
  Put("a", "1");
  EXPECT_THAT(Get("a"), Optional(std::string("1")));
}

// Random batches, snapshots, reopenings and power cuts against a plain map.
TEST_P(KvEngineContractTest, RandomHistoriesMatchAModel) {
  std::mt19937_64 random(7);
  const auto below = [&random](uint64_t n) { return random() % n; };
  std::map<std::string, std::string> model;
  struct Seen {
    std::unique_ptr<KvSnapshot> snapshot;
    std::map<std::string, std::string> model;
  };
  std::vector<Seen> seen;
  const auto pairs = [](const std::map<std::string, std::string>& map) {
    return Pairs(map.begin(), map.end());
  };
  for (int step = 0; step < 1500; ++step) {
    WriteBatch batch;
    for (uint64_t i = 0, count = 1 + below(4); i < count; ++i) {
      const std::string key = absl::StrCat("k", 10 + below(40));
      const uint64_t kind = below(10);
      if (kind < 6) {
        const std::string value = absl::StrCat(step, ".", i);
        batch.Put(kItems, key, value);
        model[key] = value;
      } else if (kind < 9) {
        batch.Delete(kItems, key);
        model.erase(key);
      } else {
        const std::string end = absl::StrCat(key, "~");
        batch.DeleteRange(kItems, key, end);
        model.erase(model.lower_bound(key), model.lower_bound(end));
      }
    }
    ASSERT_TRUE(engine_->Write(batch, Durability::kBuffered).ok());
    if (below(5) == 0) seen.push_back({engine_->Snapshot(), model});
    if (!seen.empty() && below(6) == 0) {
      const size_t at = below(seen.size());
      ASSERT_EQ(All(kItems, seen[at].snapshot.get()), pairs(seen[at].model)) << "step " << step;
      seen.erase(seen.begin() + static_cast<ptrdiff_t>(at));
    }
    if (below(20) == 0) {
      ASSERT_EQ(All(), pairs(model)) << "step " << step;
    }
    if (below(200) == 0) {
      ASSERT_TRUE(engine_->Write(WriteBatch(), Durability::kSynced).ok());
      seen.clear();
      bed_->PowerCut(std::move(engine_));
      Open();
      ASSERT_EQ(All(), pairs(model)) << "step " << step;
    }
  }
  seen.clear();
  EXPECT_EQ(All(), pairs(model));
}

INSTANTIATE_TEST_SUITE_P(Engines, KvEngineContractTest,
                         ::testing::Values(BedParam{"Memory", MakeMemoryEngineBed},
                                           BedParam{"Rocksdb", MakeRocksdbEngineBed}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace homeport
