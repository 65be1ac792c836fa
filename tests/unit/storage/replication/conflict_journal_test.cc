#include "storage/replication/conflict_journal.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"
#include "storage/replication/conflict_reader.h"

namespace homeport {
namespace {

using internal::v1::StoredItem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const ReplicaName kHere("here/a");
const Origin kOwn{1};
const Origin kOwnLater{2};
const Origin kOther{3};
const Origin kThird{4};

StoredItem Register(Origin origin, uint64_t sequence, const std::optional<std::string>& value) {
  StoredItem item;
  item.set_origin(origin.value());
  item.set_sequence(sequence);
  item.set_timestamp(1000 * origin.value() + sequence);
  if (value) item.set_value(*value);
  return item;
}

class ConflictJournalTest : public testing::Test {
 protected:
  ConflictJournalTest() : disk_(std::make_shared<MemoryDisk>()) { Open(1 << 20); }

  void Open(uint64_t bytes_max) {
    journal_.reset();
    staging_.reset();
    engine_.reset();
    auto engine = MemoryEngine::Open(disk_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
    for (Origin own : {kOwn, kOwnLater}) {
      origins_.At(own).replica = std::make_shared<const ReplicaName>(kHere);
    }
    for (Origin other : {kOther, kThird}) {
      origins_.At(other).replica = std::make_shared<const ReplicaName>("there/a");
    }
    journal_ = std::make_unique<ConflictJournal>(staging_.get(), &origins_, bytes_max);
    ASSERT_TRUE(journal_->Load().ok());
    journal_->SetTime(HybridTime(time_));
  }
  void Change(const std::string& id, const StoredItem& before, const StoredItem& after,
              ItemCause cause = ItemCause::kEntry, const std::string& name_space = "n") {
    journal_->OnItemChanged(ItemKey(name_space, id, "key"), &before, &after, cause);
  }
  // A value of `bytes` is overtaken.
  void Lose(const std::string& id, size_t bytes = 4, const std::string& name_space = "n") {
    ++sequence_;
    Change(id, Register(kOwn, sequence_, std::string(bytes, 'v')), Register(kOther, sequence_, "w"),
           ItemCause::kEntry, name_space);
  }
  void Commit() {
    ASSERT_TRUE(journal_->Prepare().ok());
    ASSERT_TRUE(staging_->Write().ok());
    journal_->OnCommitted();
  }
  std::vector<v1::Conflict> All(const std::string& name_space = "", const std::string& id = "") {
    v1::ListConflictsRequest request;
    request.set_namespace_(name_space);
    request.set_record_id(id);
    request.set_page_size(1000);
    auto page = ListConflicts(engine_.get(), kHere, request, ReadLimits());
    EXPECT_TRUE(page.ok()) << page.status();
    return {page->conflicts().begin(), page->conflicts().end()};
  }
  std::vector<std::string> Ids(const std::string& name_space = "", const std::string& id = "") {
    std::vector<std::string> ids;
    for (const v1::Conflict& conflict : All(name_space, id)) ids.push_back(conflict.record_id());
    return ids;
  }
  // What the table has but the journal's own state.
  uint64_t BytesOnDisk() {
    uint64_t bytes = 0;
    auto it = engine_->Iterate(Table::kJournal);
    for (it->Seek(""); it->Valid(); it->Next()) {
      if (it->key() != kJournalStateKey) bytes += it->key().size() + it->value().size();
    }
    return bytes;
  }

  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
  OriginTable origins_{kHere};
  std::unique_ptr<ConflictJournal> journal_;
  uint64_t time_ = 5'000'000;
  uint64_t sequence_ = 0;
};

TEST_F(ConflictJournalTest, AConflictSaysWhatLostAndWhatWon) {
  StoredItem lost = Register(kOwn, 5, "mine");
  lost.set_expires(FromWallTime(absl::FromUnixSeconds(77)).value());
  Change("id", lost, Register(kOther, 9, "theirs"));
  Commit();
  const std::vector<v1::Conflict> all = All();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id(), "here/a:00000000004c4b40");
  EXPECT_EQ(all[0].namespace_(), "n");
  EXPECT_EQ(all[0].record_id(), "id");
  EXPECT_EQ(all[0].key(), "key");
  EXPECT_EQ(all[0].value(), "mine");
  EXPECT_FALSE(all[0].deleted());
  EXPECT_EQ(all[0].version().origin(), kOwn.value());
  EXPECT_EQ(all[0].version().hybrid_time(), lost.timestamp());
  EXPECT_EQ(all[0].expires().seconds(), 77);
  EXPECT_EQ(all[0].winner().origin(), kOther.value());
  EXPECT_EQ(all[0].winner().hybrid_time(), Register(kOther, 9, "").timestamp());
  EXPECT_FALSE(all[0].by_snapshot());
  EXPECT_FALSE(all[0].has_restored());
  EXPECT_THAT(journal_->stats()->found, UnorderedElementsAre(Pair("n", 1u)));
}

TEST_F(ConflictJournalTest, ADeleteCanLoseAndWin) {
  Change("a", Register(kOwn, 1, std::nullopt), Register(kOther, 1, "theirs"));
  Change("b", Register(kOwn, 2, "mine"), Register(kOther, 2, std::nullopt));
  Commit();
  const std::vector<v1::Conflict> all = All();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].deleted());
  EXPECT_FALSE(all[1].deleted());
  EXPECT_EQ(all[1].value(), "mine");
}

TEST_F(ConflictJournalTest, ADeleteOvertakenByADeleteIsNoConflict) {
  Change("a", Register(kOwn, 1, std::nullopt), Register(kOther, 1, std::nullopt));
  // An empty set looks the same.
  Change("b", Register(kOwn, 2, std::nullopt), Register(kOther, 2, std::nullopt),
         ItemCause::kMerge);
  Commit();
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(ConflictJournalTest, WhatAnotherReplicaAcceptedIsNotJournaledHere) {
  Change("id", Register(kThird, 1, "a"), Register(kOther, 1, "b"));
  Commit();
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(ConflictJournalTest, AWriteOfThisReplicaReplacesWhatItFinds) {
  Change("id", Register(kOwn, 1, "a"), Register(kOwnLater, 1, "b"), ItemCause::kLocal);
  Change("id", Register(kOwnLater, 1, "b"), Register(kOwnLater, 2, "c"));
  Commit();
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(ConflictJournalTest, AWriteThatTheWinnersOriginKnewWasReplaced) {
  origins_.Learn(origins_.At(kOther), KnownPositions{{kOwn, Sequence(5)}});
  Change("known", Register(kOwn, 5, "a"), Register(kOther, 1, "b"));
  Change("unknown", Register(kOwn, 6, "a"), Register(kOther, 2, "b"));
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("unknown"));
}

TEST_F(ConflictJournalTest, AWriteOfAnEarlierStartIsOneOfThisReplica) {
  Change("id", Register(kOwn, 1, "a"), Register(kOther, 1, "b"));
  Change("id2", Register(kOwnLater, 1, "a"), Register(kOther, 2, "b"));
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("id", "id2"));
}

TEST_F(ConflictJournalTest, HistoryOfThisReplicaThatComesBackIsNoConflict) {
  origins_.At(kOwn).first_time = HybridTime(1);
  origins_.At(kOwnLater).first_time = HybridTime(2);
  Change("later start", Register(kOwn, 1, "a"), Register(kOwnLater, 2, "b"));
  Change("same start", Register(kOwn, 1, "a"), Register(kOwn, 2, "b"));
  Commit();
  EXPECT_THAT(All(), IsEmpty());
  // The earlier start's clock was ahead, and its disk was lost.
  Change("earlier start", Register(kOwnLater, 1, "a"), Register(kOwn, 3, "b"));
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("earlier start"));
}

TEST_F(ConflictJournalTest, ASnapshotIsNamedAsTheReason) {
  Change("id", Register(kOwn, 1, "a"), Register(kOther, 1, "b"), ItemCause::kMerge);
  Commit();
  ASSERT_EQ(All().size(), 1u);
  EXPECT_TRUE(All()[0].by_snapshot());
}

TEST_F(ConflictJournalTest, CountersSetsAndCleaningMakeNoConflicts) {
  StoredItem counter = Register(kOwn, 1, std::nullopt);
  counter.add_shares()->set_origin(kOwn.value());
  StoredItem set = Register(kOther, 1, std::nullopt);
  set.add_elements()->set_element("e");
  Change("a", counter, Register(kOther, 2, std::nullopt));
  Change("b", Register(kOwn, 2, std::nullopt), set);
  const StoredItem cleaned = Register(kOwn, 3, std::nullopt);
  journal_->OnItemChanged(ItemKey("n", "c", ""), &cleaned, nullptr, ItemCause::kClean);
  Commit();
  EXPECT_THAT(All(), IsEmpty());
}

TEST_F(ConflictJournalTest, ConflictsOfOneMomentKeepTheirOrderAlsoAfterARestartWithASlowerClock) {
  Lose("a");
  Lose("b");
  Commit();
  time_ -= 1000;
  Open(1 << 20);
  Lose("c");
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(journal_->stats()->conflicts, 3u);
}

TEST_F(ConflictJournalTest, WhatIsNotCommittedIsNotThereAfterACrash) {
  Lose("kept");
  Commit();
  Lose("lost");
  Open(1 << 20);
  EXPECT_THAT(Ids(), ElementsAre("kept"));
  EXPECT_EQ(journal_->stats()->conflicts, 1u);
  EXPECT_EQ(journal_->stats()->bytes, BytesOnDisk());
}

TEST_F(ConflictJournalTest, TheOldestGoFirstAndAreCounted) {
  Lose("a", 300);
  Commit();
  const uint64_t one = journal_->stats()->bytes;
  EXPECT_EQ(one, BytesOnDisk());
  Open(3 * one);
  for (const char* id : {"b", "c", "d", "e"}) {
    Lose(id, 300);
    Commit();
  }
  EXPECT_THAT(Ids(), ElementsAre("c", "d", "e"));
  EXPECT_THAT(Ids("n", "a"), IsEmpty());
  EXPECT_EQ(journal_->stats()->evicted, 2u);
  EXPECT_EQ(journal_->stats()->bytes, 3 * one);
  EXPECT_EQ(BytesOnDisk(), 3 * one);
  Open(3 * one);
  EXPECT_EQ(journal_->stats()->evicted, 2u);
}

TEST_F(ConflictJournalTest, ACommitThatIsLargerThanTheJournalLeavesTheNewest) {
  Lose("a", 300);
  Commit();
  const uint64_t one = journal_->stats()->bytes;
  Open(2 * one);
  for (const char* id : {"b", "c", "d", "e"}) Lose(id, 300);
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("d", "e"));
  EXPECT_EQ(BytesOnDisk(), 2 * one);
  Lose("huge", 10000);
  Commit();
  EXPECT_THAT(Ids(), IsEmpty());
  EXPECT_EQ(BytesOnDisk(), 0u);
  EXPECT_EQ(journal_->stats()->evicted, 6u);
  Lose("f", 300);
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("f"));
}

TEST_F(ConflictJournalTest, ASmallerLimitIsReachedByStepsOfBoundedSize) {
  Open(64 << 20);
  for (int i = 0; i < 2500; ++i) Lose(absl::StrCat("id", i));
  Commit();
  ASSERT_EQ(journal_->stats()->conflicts, 2500u);
  journal_->SetBytesMax(1000);
  Commit();
  EXPECT_EQ(journal_->stats()->conflicts, 1500u);
  Commit();
  EXPECT_EQ(journal_->stats()->conflicts, 500u);
  Commit();
  EXPECT_LE(journal_->stats()->bytes, 1000u);
  EXPECT_EQ(journal_->stats()->bytes, BytesOnDisk());
  EXPECT_GT(journal_->stats()->conflicts, 0u);
}

TEST_F(ConflictJournalTest, ARestoredConflictStaysAndSaysSo) {
  Lose("id");
  Commit();
  const ConflictNumber number(time_);
  auto conflict = journal_->Find(number);
  ASSERT_TRUE(conflict.ok()) << conflict.status();
  journal_->Settle(number, *conflict, {{HybridTime(42), kOwnLater}, Sequence(7)});
  Commit();
  ASSERT_EQ(All().size(), 1u);
  EXPECT_EQ(All()[0].restored().hybrid_time(), 42u);
  EXPECT_EQ(All()[0].restored().origin(), kOwnLater.value());
  EXPECT_EQ(journal_->stats()->bytes, BytesOnDisk());
}

TEST_F(ConflictJournalTest, AConflictThatIsGoneIsUnknown) {
  const auto missing = journal_->Find(ConflictNumber(17));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(missing.status()), reason::kConflictUnknown);
}

TEST_F(ConflictJournalTest, ANamespaceThatIsTakenAwayIsForgottenByPieces) {
  Open(64 << 20);
  for (int i = 0; i < 1500; ++i) Lose(absl::StrCat("id", i));
  Lose("other", 4, "n2");
  Commit();
  journal_->SetForgotten({"empty", "n"});
  Commit();  // of "empty" there is nothing
  EXPECT_EQ(journal_->stats()->conflicts, 1501u);
  Commit();
  EXPECT_EQ(journal_->stats()->conflicts, 501u);
  Commit();
  EXPECT_THAT(Ids(), ElementsAre("other"));
  EXPECT_EQ(journal_->stats()->bytes, BytesOnDisk());
  EXPECT_EQ(journal_->stats()->evicted, 0u);
}

TEST_F(ConflictJournalTest, APageEndsWhereTheNextBegins) {
  for (int i = 0; i < 7; ++i) Lose(i % 2 == 0 ? "even" : "odd");
  Commit();
  for (const std::string& record : {std::string(), std::string("even")}) {
    std::vector<std::string> seen;
    v1::ListConflictsRequest request;
    request.set_namespace_("n");
    request.set_record_id(record);
    request.set_page_size(2);
    do {
      auto page = ListConflicts(engine_.get(), kHere, request, ReadLimits());
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_EQ(page->replica(), "here/a");
      for (const v1::Conflict& conflict : page->conflicts()) seen.push_back(conflict.id());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    std::vector<std::string> all;
    for (const v1::Conflict& conflict : All("n", record)) all.push_back(conflict.id());
    EXPECT_EQ(seen, all);
    EXPECT_EQ(seen.size(), record.empty() ? 7u : 4u);
  }
}

TEST_F(ConflictJournalTest, APageIsShortWhereLittleFits) {
  for (int i = 0; i < 5; ++i) Lose(absl::StrCat("id", i), 100);
  Lose("wanted", 4, "n2");
  Commit();
  v1::ListConflictsRequest request;
  ReadLimits limits;
  limits.page_bytes = 10;
  auto page = ListConflicts(engine_.get(), kHere, request, limits);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->conflicts_size(), 1);
  EXPECT_NE(page->next_page_token(), "");
  // Looking for what is rare does not take for ever.
  limits = ReadLimits();
  limits.scanned_max = 4;
  request.set_namespace_("n2");
  page = ListConflicts(engine_.get(), kHere, request, limits);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->conflicts_size(), 0);
  request.set_page_token(page->next_page_token());
  page = ListConflicts(engine_.get(), kHere, request, limits);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->conflicts_size(), 1);
  EXPECT_EQ(page->next_page_token(), "");
}

TEST_F(ConflictJournalTest, ATimeRangeIncludesItsBeginningAndNotItsEnd) {
  for (int second : {10, 20, 30}) {
    journal_->SetTime(FromWallTime(absl::FromUnixSeconds(second)));
    Lose(absl::StrCat("at", second));
  }
  Commit();
  v1::ListConflictsRequest request;
  request.mutable_from()->set_seconds(20);
  request.mutable_to()->set_seconds(30);
  auto page = ListConflicts(engine_.get(), kHere, request, ReadLimits());
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->conflicts_size(), 1);
  EXPECT_EQ(page->conflicts(0).record_id(), "at20");
  EXPECT_EQ(page->conflicts(0).overtaken().seconds(), 20);
  request.set_namespace_("n");
  request.set_record_id("at30");
  page = ListConflicts(engine_.get(), kHere, request, ReadLimits());
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->conflicts_size(), 0);
}

TEST_F(ConflictJournalTest, WhatCanNotBeListedIsNamed) {
  auto reason = [this](const v1::ListConflictsRequest& request) {
    return ReasonOf(ListConflicts(engine_.get(), kHere, request, ReadLimits()).status());
  };
  v1::ListConflictsRequest request;
  request.set_replica("there/a");
  EXPECT_EQ(reason(request), reason::kReplicaNotHere);
  request.set_replica("here/a");
  EXPECT_EQ(reason(request), "");
  request.set_record_id("id");
  EXPECT_EQ(reason(request), reason::kFieldInvalid);
  request.set_namespace_("n");
  request.set_page_size(-1);
  EXPECT_EQ(reason(request), reason::kFieldInvalid);
  request.set_page_size(0);
  request.mutable_from()->set_seconds(20);
  request.mutable_to()->set_seconds(19);
  EXPECT_EQ(reason(request), reason::kFieldInvalid);
  request.mutable_to()->set_nanos(-1);
  EXPECT_EQ(reason(request), reason::kFieldInvalid);
  request.clear_to();
  request.set_page_token("what?");
  EXPECT_EQ(reason(request), reason::kPageTokenInvalid);
}

TEST_F(ConflictJournalTest, AnIdNamesTheReplicaThatHasTheConflict) {
  EXPECT_EQ(*ParseConflictId(ConflictId(kHere, ConflictNumber(0xabc)), kHere),
            ConflictNumber(0xabc));
  const auto elsewhere = ParseConflictId("there/a:0000000000000abc", kHere);
  EXPECT_EQ(elsewhere.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(elsewhere.status()), reason::kReplicaNotHere);
  EXPECT_EQ(ErrorMetadataOf(elsewhere.status(), "here"), "here/a");
  for (const char* id : {"", "here/a", "here/a:", "here/a:abc", ":0000000000000abc",
                         "here/a:000000000000zabc", "here/a:0x00000000000abc"}) {
    EXPECT_EQ(ReasonOf(ParseConflictId(id, kHere).status()), reason::kFieldInvalid) << id;
  }
}

}  // namespace
}  // namespace homeport
