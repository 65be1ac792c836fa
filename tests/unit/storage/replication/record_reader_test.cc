#include "storage/replication/record_reader.h"

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/hybrid_time.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Origin kOrigin{7};

class RecordReaderTest : public testing::Test {
 protected:
  RecordReaderTest() {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
  }

  // Each write has a sequence of its own; returns it. nullopt: a tombstone.
  Sequence Store(const std::string& id, const std::string& key,
                 const std::optional<std::string>& value, const std::string& name_space = "n") {
    ++sequence_;
    internal::v1::StoredItem item;
    item.set_timestamp(1000 + sequence_);
    item.set_origin(kOrigin.value());
    item.set_sequence(sequence_);
    if (value) item.set_value(*value);
    WriteBatch batch;
    batch.Put(Table::kItems, ItemKey(name_space, id, key), item.SerializeAsString());
    EXPECT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
    return Sequence(sequence_);
  }

  void StoreItem(const std::string& id, const std::string& key,
                 const internal::v1::StoredItem& item) {
    WriteBatch batch;
    batch.Put(Table::kItems, ItemKey("n", id, key), item.SerializeAsString());
    EXPECT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  }

  struct Page {
    std::vector<std::string> names;
    std::string token;
    uint64_t version;
    Sequence seen;
  };
  Page Items(v1::ListItemsRequest request, const std::string& token = "") {
    request.set_namespace_("n");
    if (request.id().empty()) request.set_id("id");
    request.set_page_token(token);
    v1::ListItemsResponse response;
    SessionToken seen;
    const absl::Status status = ListItems(engine_.get(), request, now_, limits_, seen, response);
    EXPECT_TRUE(status.ok()) << status;
    Page page{
        {}, response.next_page_token(), response.version().hybrid_time(), seen.SequenceOf(kOrigin)};
    for (const v1::Item& item : response.items()) page.names.push_back(item.key());
    return page;
  }
  Page Records(v1::ListRecordsRequest request, const std::string& token = "") {
    request.set_namespace_("n");
    request.set_page_token(token);
    v1::ListRecordsResponse response;
    SessionToken seen;
    const absl::Status status = ListRecords(engine_.get(), request, now_, limits_, seen, response);
    EXPECT_TRUE(status.ok()) << status;
    return {{response.ids().begin(), response.ids().end()},
            response.next_page_token(),
            response.version().hybrid_time(),
            seen.SequenceOf(kOrigin)};
  }
  template <typename List>
  std::vector<std::string> AllPages(List list) {
    std::vector<std::string> names;
    std::string token;
    for (int pages = 0; pages < 10'000; ++pages) {
      Page page = list(token);
      for (std::string& name : page.names) names.push_back(std::move(name));
      token = std::move(page.token);
      if (token.empty()) return names;
    }
    ADD_FAILURE() << "the pages do not end";
    return names;
  }
  std::vector<std::string> AllItems(const v1::ListItemsRequest& request) {
    return AllPages([&](const std::string& token) { return Items(request, token); });
  }
  std::vector<std::string> AllRecords(const v1::ListRecordsRequest& request) {
    return AllPages([&](const std::string& token) { return Records(request, token); });
  }

  static v1::ListItemsRequest SizedItems(int page_size) {
    v1::ListItemsRequest request;
    request.set_page_size(page_size);
    return request;
  }
  static v1::ListRecordsRequest SizedRecords(int page_size) {
    v1::ListRecordsRequest request;
    request.set_page_size(page_size);
    return request;
  }
  static void ExpectBadToken(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(ReasonOf(status), reason::kPageTokenInvalid);
  }

  std::unique_ptr<KvEngine> engine_;
  ReadLimits limits_;
  HybridTime now_{5000};
  uint64_t sequence_ = 0;
};

TEST_F(RecordReaderTest, AnItemThatWasNeverWrittenHasNoValueAndVersionZero) {
  v1::GetRequest request;
  request.set_namespace_("n");
  request.set_id("id");
  v1::GetResponse response;
  SessionToken seen;
  ASSERT_TRUE(ReadItem(engine_.get(), request, now_, seen, response).ok());
  EXPECT_FALSE(response.has_item());
  EXPECT_TRUE(response.has_version());
  EXPECT_EQ(response.version().hybrid_time(), 0u);
  EXPECT_TRUE(seen.positions().empty());
}

TEST_F(RecordReaderTest, AReadOfADeletedItemRestsOnTheDelete) {
  const Sequence deleted = Store("id", "", std::nullopt);
  v1::GetRequest request;
  request.set_namespace_("n");
  request.set_id("id");
  v1::GetResponse response;
  SessionToken seen;
  ASSERT_TRUE(ReadItem(engine_.get(), request, now_, seen, response).ok());
  EXPECT_FALSE(response.has_item());
  EXPECT_EQ(response.version().hybrid_time(), 1000 + deleted.value());
  EXPECT_EQ(seen.SequenceOf(kOrigin), deleted);
}

TEST_F(RecordReaderTest, ABatchStopsAtItsBytesAndAnswersAPrefixOfTheNames) {
  limits_.page_bytes = 250;
  v1::BatchGetRequest request;
  request.set_namespace_("n");
  for (int i = 0; i < 5; ++i) {
    Store(absl::StrCat("k", i), "", std::string(100, 'v'));
    request.add_names()->set_id(absl::StrCat("k", i));
  }
  v1::BatchGetResponse response;
  SessionToken seen;
  ASSERT_TRUE(ReadItems(engine_.get(), request, now_, limits_, seen, response).ok());
  EXPECT_EQ(response.results_size(), 2);
  EXPECT_EQ(seen.SequenceOf(kOrigin), Sequence(2));
  // One result always, or a large value could never be read.
  limits_.page_bytes = 10;
  response.Clear();
  ASSERT_TRUE(ReadItems(engine_.get(), request, now_, limits_, seen, response).ok());
  EXPECT_EQ(response.results_size(), 1);
}

TEST_F(RecordReaderTest, ABatchLongerThanOnePieceAnswersEveryNameInOrder) {
  v1::BatchGetRequest request;
  request.set_namespace_("n");
  for (int i = 0; i < 200; ++i) {
    if (i % 3 != 0) Store(absl::StrCat("k", i), "", absl::StrCat(i));
    request.add_names()->set_id(absl::StrCat("k", i));
  }
  v1::BatchGetResponse response;
  SessionToken seen;
  ASSERT_TRUE(ReadItems(engine_.get(), request, now_, limits_, seen, response).ok());
  ASSERT_EQ(response.results_size(), 200);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(response.results(i).has_item(), i % 3 != 0) << i;
    if (i % 3 != 0) {
      EXPECT_EQ(response.results(i).item().value(), absl::StrCat(i));
    }
  }
}

TEST_F(RecordReaderTest, PagesHoldAsManyItemsAsAsked) {
  for (const char* key : {"a", "b", "c", "d", "e"}) Store("id", key, "v");
  Page page = Items(SizedItems(2));
  EXPECT_THAT(page.names, ElementsAre("a", "b"));
  page = Items(SizedItems(2), page.token);
  EXPECT_THAT(page.names, ElementsAre("c", "d"));
  page = Items(SizedItems(2), page.token);
  EXPECT_THAT(page.names, ElementsAre("e"));
  EXPECT_EQ(page.token, "");
  EXPECT_EQ(Items(SizedItems(5)).token, "");
}

TEST_F(RecordReaderTest, AnUnsetPageSizeIsTheDefault) {
  limits_.page_size_default = 3;
  for (const char* key : {"a", "b", "c", "d"}) Store("id", key, "v");
  EXPECT_THAT(Items({}).names, ElementsAre("a", "b", "c"));
}

TEST_F(RecordReaderTest, APageEndsAtItsBytesButNeverBeforeOneItem) {
  limits_.page_bytes = 250;
  for (const char* key : {"a", "b", "c"}) Store("id", key, std::string(100, 'v'));
  Store("id", "d", std::string(1000, 'v'));
  Page page = Items({});
  EXPECT_THAT(page.names, ElementsAre("a", "b"));
  page = Items({}, page.token);
  EXPECT_THAT(page.names, ElementsAre("c"));
  page = Items({}, page.token);
  EXPECT_THAT(page.names, ElementsAre("d"));
  EXPECT_EQ(page.token, "");
}

TEST_F(RecordReaderTest, AStretchOfDeletesGivesShortPagesWithATokenAndIsPassed) {
  limits_.scanned_max = 5;
  for (int i = 10; i < 30; ++i) Store("id", absl::StrCat(i), std::nullopt);
  const Sequence last = Store("id", "90", "v");
  Page page = Items({});
  EXPECT_THAT(page.names, IsEmpty());
  EXPECT_NE(page.token, "");
  EXPECT_EQ(page.seen, Sequence(5));  // only what this page looked at
  int pages = 1;
  while (page.names.empty()) {
    page = Items({}, page.token);
    ASSERT_LT(++pages, 10);
  }
  EXPECT_THAT(page.names, ElementsAre("90"));
  EXPECT_EQ(page.seen, last);
}

TEST_F(RecordReaderTest, AListRestsOnTheDeletesInItsRangeAndOnNoOthers) {
  Store("id", "a", "v");
  const Sequence inside = Store("id", "b", std::nullopt);
  Store("id", "z", std::nullopt);
  Store("other", "b", std::nullopt);
  v1::ListItemsRequest request;
  request.set_end_key("c");
  const Page page = Items(request);
  EXPECT_THAT(page.names, ElementsAre("a"));
  EXPECT_EQ(page.seen, inside);
  EXPECT_EQ(page.version, 1000 + inside.value());
}

TEST_F(RecordReaderTest, DeletedRecordsAreNotListedAndTheListRestsOnTheirDeletes) {
  Store("a", "", "v");
  const Sequence deleted = Store("b", "", std::nullopt);
  const Page page = Records({});
  EXPECT_THAT(page.names, ElementsAre("a"));
  EXPECT_EQ(page.seen, deleted);
}

TEST_F(RecordReaderTest, RecordsOfOtherNamespacesAreNotListed) {
  Store("a", "", "v");
  Store("b", "", "v", "m");
  Store("c", "", "v", "n-2");
  Store("d", "", "v", "nn");
  EXPECT_THAT(Records({}).names, ElementsAre("a"));
}

TEST_F(RecordReaderTest, APageOfRecordsMayBeginInsideOneAndListsItOnce) {
  limits_.scanned_max = 3;
  for (int i = 0; i < 7; ++i) Store("a", absl::StrCat(i), std::nullopt);
  Store("a", "8", "v");
  Store("a", "9", "v");
  Store("b", "", "v");
  EXPECT_THAT(Records({}).names, IsEmpty());
  EXPECT_THAT(AllRecords({}), ElementsAre("a", "b"));
  // A full page does not end inside the record that filled it.
  limits_.scanned_max = 100;
  const Page page = Records(SizedRecords(1));
  EXPECT_THAT(page.names, ElementsAre("a"));
  EXPECT_THAT(Records(SizedRecords(1), page.token).names, ElementsAre("b"));
}

TEST_F(RecordReaderTest, DamagedTokensAreRefused) {
  for (const char* id : {"a", "b", "c"}) {
    Store(id, "", "v");
    Store("id", id, "v");
  }
  v1::ListItemsRequest items = SizedItems(1);
  items.set_namespace_("n");
  items.set_id("id");
  v1::ListItemsResponse items_response;
  v1::ListRecordsRequest records = SizedRecords(1);
  records.set_namespace_("n");
  v1::ListRecordsResponse records_response;
  SessionToken seen;
  std::string damaged = Items(items).token;
  damaged[damaged.size() / 2] = damaged[damaged.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& token : {std::string("x"), damaged}) {
    items.set_page_token(token);
    ExpectBadToken(ListItems(engine_.get(), items, now_, limits_, seen, items_response));
    records.set_page_token(token);
    ExpectBadToken(ListRecords(engine_.get(), records, now_, limits_, seen, records_response));
  }
}

TEST_F(RecordReaderTest, ATokenServesOnlyTheRequestThatItCameFrom) {
  for (const char* id : {"a", "b", "c"}) {
    Store(id, "", "v");
    Store("id", id, "v");
  }
  v1::ListItemsRequest same = SizedItems(1);
  same.set_namespace_("n");
  same.set_id("id");
  same.set_page_token(Items(SizedItems(1)).token);
  v1::ListItemsResponse response;
  SessionToken seen;
  ASSERT_TRUE(ListItems(engine_.get(), same, now_, limits_, seen, response).ok());
  same.set_page_size(2);  // may change between pages
  ASSERT_TRUE(ListItems(engine_.get(), same, now_, limits_, seen, response).ok());
  std::vector<v1::ListItemsRequest> others(5, same);
  others[0].set_id("other");
  others[1].set_prefix("a");
  others[2].set_start_key("a");
  others[3].set_end_key("z");
  others[4].set_namespace_("m");
  for (const v1::ListItemsRequest& other : others) {
    ExpectBadToken(ListItems(engine_.get(), other, now_, limits_, seen, response));
  }
  v1::ListRecordsRequest records;
  records.set_namespace_("n");
  records.set_page_token(same.page_token());
  v1::ListRecordsResponse records_response;
  ExpectBadToken(ListRecords(engine_.get(), records, now_, limits_, seen, records_response));
  records.set_page_token(Records(SizedRecords(1)).token);
  ASSERT_TRUE(ListRecords(engine_.get(), records, now_, limits_, seen, records_response).ok());
  records.set_prefix("a");
  ExpectBadToken(ListRecords(engine_.get(), records, now_, limits_, seen, records_response));
}

// Short strings of few letters, the zero byte among them, so that many are prefixes of others.
std::string DrawName(std::mt19937_64& random, int size_max) {
  std::string name;
  for (uint64_t left = random() % (size_max + 1); left > 0; --left) {
    name.push_back("\0ab\x7f"[random() % 4]);
  }
  return name;
}

TEST_F(RecordReaderTest, EveryRangeOfItemsIsWhatTheModelSays) {
  std::mt19937_64 random(1);
  std::map<std::string, std::optional<std::string>> model;
  for (int i = 0; i < 150; ++i) {
    const std::string key = DrawName(random, 4);
    const std::optional<std::string> value =
        random() % 4 == 0 ? std::nullopt
                          : std::optional<std::string>(std::string(random() % 50, 'v'));
    model[key] = value;
    Store("id", key, value);
    // Neighbours, which must not show.
    Store(std::string("i", 1), key, "v");
    Store(std::string("id\0", 3), key, "v");
  }
  for (int run = 0; run < 1500; ++run) {
    v1::ListItemsRequest request;
    if (random() % 2 == 0) request.set_prefix(DrawName(random, 2));
    if (random() % 2 == 0) request.set_start_key(DrawName(random, 4));
    if (random() % 2 == 0) request.set_end_key(DrawName(random, 4));
    request.set_page_size(static_cast<int>(random() % 12));
    limits_.page_bytes = 50 + random() % 300;
    limits_.scanned_max = 1 + static_cast<int>(random() % 30);
    std::vector<std::string> wanted;
    for (const auto& [key, value] : model) {
      if (value && absl::StartsWith(key, request.prefix()) && key >= request.start_key() &&
          (request.end_key().empty() || key < request.end_key())) {
        wanted.push_back(key);
      }
    }
    ASSERT_EQ(AllItems(request), wanted) << request.ShortDebugString();
  }
}

TEST_F(RecordReaderTest, EveryPrefixOfRecordsIsWhatTheModelSays) {
  std::mt19937_64 random(2);
  std::map<std::string, std::map<std::string, bool>> model;
  for (int i = 0; i < 300; ++i) {
    const std::string id = absl::StrCat("k", DrawName(random, 3));
    const std::string key = DrawName(random, 2);
    const bool alive = random() % 3 != 0;
    model[id][key] = alive;
    Store(id, key, alive ? std::optional<std::string>("v") : std::nullopt);
  }
  for (int run = 0; run < 500; ++run) {
    v1::ListRecordsRequest request;
    if (random() % 4 != 0) request.set_prefix(absl::StrCat("k", DrawName(random, 2)));
    request.set_page_size(static_cast<int>(random() % 12));
    limits_.scanned_max = 1 + static_cast<int>(random() % 30);
    std::vector<std::string> wanted;
    for (const auto& [id, items] : model) {
      bool alive = false;
      for (const auto& [key, item_alive] : items) alive = alive || item_alive;
      if (alive && absl::StartsWith(id, request.prefix())) wanted.push_back(id);
    }
    ASSERT_EQ(AllRecords(request), wanted) << request.ShortDebugString();
  }
}

TEST_F(RecordReaderTest, AnExpiredItemIsAbsentAndItsVersionIsSeen) {
  internal::v1::ItemChange change;
  change.set_value("v");
  change.set_expires(FromWallTime(absl::FromUnixSeconds(100)).value());
  StoreItem("id", "a", ItemOf(change, {{HybridTime(10), kOrigin}, Sequence(5)}));
  v1::GetRequest get;
  get.set_namespace_("n");
  get.set_id("id");
  get.set_key("a");
  now_ = FromWallTime(absl::FromUnixSeconds(100) - absl::Microseconds(1));
  for (const bool expired : {false, true}) {
    v1::GetResponse response;
    SessionToken seen;
    ASSERT_TRUE(ReadItem(engine_.get(), get, now_, seen, response).ok());
    EXPECT_EQ(response.has_item(), !expired);
    EXPECT_EQ(response.version().hybrid_time(), 10u);
    EXPECT_EQ(seen.SequenceOf(kOrigin), Sequence(5));
    EXPECT_EQ(AllItems(SizedItems(0)).size(), expired ? 0u : 1u);
    EXPECT_EQ(AllRecords(SizedRecords(0)).size(), expired ? 0u : 1u);
    if (!expired) {
      EXPECT_EQ(response.item().expires().seconds(), 100);
      EXPECT_EQ(response.item().expires().nanos(), 0);
    }
    now_ = FromWallTime(absl::FromUnixSeconds(100));
  }
}

TEST_F(RecordReaderTest, ACounterIsANumberAndRestsOnEveryOriginThatChangedIt) {
  internal::v1::ItemChange add;
  add.mutable_share()->set_total(5);
  internal::v1::StoredItem item = ItemOf(add, {{HybridTime(10), Origin(1)}, Sequence(3)});
  ApplyChange(&item, add, {{HybridTime(9), Origin(2)}, Sequence(8)});
  StoreItem("id", "a", item);
  v1::GetRequest get;
  get.set_namespace_("n");
  get.set_id("id");
  get.set_key("a");
  v1::GetResponse response;
  SessionToken seen;
  ASSERT_TRUE(ReadItem(engine_.get(), get, now_, seen, response).ok());
  EXPECT_EQ(response.item().counter(), 10);
  EXPECT_EQ(seen.SequenceOf(Origin(1)), Sequence(3));
  EXPECT_EQ(seen.SequenceOf(Origin(2)), Sequence(8));
  // Deleted by a third; nothing is there, and the answer rests on the delete.
  internal::v1::ItemChange remove;
  *remove.mutable_removed_shares() = item.shares();
  ApplyChange(&item, remove, {{HybridTime(8), Origin(3)}, Sequence(2)});
  StoreItem("id", "a", item);
  response.Clear();
  ASSERT_TRUE(ReadItem(engine_.get(), get, now_, seen, response).ok());
  EXPECT_FALSE(response.has_item());
  EXPECT_EQ(seen.SequenceOf(Origin(3)), Sequence(2));
  EXPECT_THAT(AllRecords(SizedRecords(0)), IsEmpty());
}

TEST_F(RecordReaderTest, ASetHasTheElementsThatAreInIt) {
  internal::v1::ItemChange add;
  for (const char* name : {"b", "a", "c"}) {
    internal::v1::SetElement* element = add.add_elements();
    element->set_element(name);
    element->add_added();
  }
  internal::v1::StoredItem item = ItemOf(add, {{HybridTime(10), Origin(1)}, Sequence(3)});
  internal::v1::ItemChange remove;
  *remove.add_elements() = item.elements(0);
  remove.mutable_elements(0)->mutable_added()->Swap(remove.mutable_elements(0)->mutable_removed());
  ApplyChange(&item, remove, {{HybridTime(11), Origin(2)}, Sequence(1)});
  StoreItem("id", "s", item);
  v1::ListItemsRequest request;
  request.set_namespace_("n");
  request.set_id("id");
  v1::ListItemsResponse response;
  SessionToken seen;
  ASSERT_TRUE(ListItems(engine_.get(), request, now_, limits_, seen, response).ok());
  ASSERT_EQ(response.items_size(), 1);
  EXPECT_THAT(response.items(0).elements(), ElementsAre("b", "c"));
  EXPECT_FALSE(response.items(0).has_counter());
  EXPECT_EQ(seen.SequenceOf(Origin(1)), Sequence(3));
  EXPECT_EQ(seen.SequenceOf(Origin(2)), Sequence(1));
}

}  // namespace
}  // namespace homeport
