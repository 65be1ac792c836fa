#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/compare_initiator.h"
#include "storage/replication/compare_responder.h"
#include "tests/unit/storage/replication/compare_bed.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using internal::v1::CompareRequest;
using internal::v1::CompareResponse;
using internal::v1::StoredItem;
using testing::HasSubstr;

StoredItem ItemAt(Mesh& mesh, int at, const std::string& key) {
  auto bytes = mesh.engine(at).Get(Table::kItems, key);
  StoredItem item;
  EXPECT_TRUE(bytes.ok() && bytes->has_value() && item.ParseFromString(**bytes));
  return item;
}

// Two replicas with the same records.
class CompareTest : public testing::Test {
 protected:
  CompareTest() : mesh_(2) {
    mesh_.ConnectAll();
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(mesh_.Put(i % 2, "all", absl::StrCat("id", i), absl::StrCat("value", i)).ok());
    }
    Settle();
  }
  void Settle() {
    mesh_.ConnectAll();
    EXPECT_TRUE(mesh_.Settle());
  }
  void ExpectAgreed() {
    for (int asking = 0; asking < 2; ++asking) {
      const Compared compared = Compare(mesh_, asking, 1 - asking, "all");
      EXPECT_EQ(compared.result.records_differ, 0u);
      EXPECT_EQ(compared.result.put_off, "");
      EXPECT_EQ(compared.result.verified, mesh_.Now(asking).wall);
    }
  }
  // Each side compares, and takes what it finds.
  void RepairBothWays() {
    for (int asking = 0; asking < 2; ++asking) {
      Take(mesh_, asking, Compare(mesh_, asking, 1 - asking, "all").repairs);
    }
  }

  Mesh mesh_;
};

TEST_F(CompareTest, ReplicasThatAgreeExchangeDigestsOnly) {
  const Compared compared = Compare(mesh_, 0, 1, "all");
  EXPECT_EQ(compared.steps, 2);
  EXPECT_EQ(compared.result.records_differ, 0u);
  EXPECT_TRUE(compared.repairs.empty());
  ExpectAgreed();
}

TEST_F(CompareTest, AnItemThatOneSideLostIsTakenFromTheOther) {
  const std::string key = ItemKey("all", "id3", "");
  const StoredItem item = ItemAt(mesh_, 0, key);
  TamperRemove(mesh_, 1, key);
  Settle();

  const Compared there = Compare(mesh_, 0, 1, "all");
  EXPECT_EQ(there.result.records_differ, 1u);
  EXPECT_TRUE(there.repairs.empty()) << "the other side has nothing to give";

  const Compared here = Compare(mesh_, 1, 0, "all");
  EXPECT_EQ(here.result.records_differ, 1u);
  ASSERT_EQ(here.repairs.size(), 1u);
  EXPECT_EQ(here.repairs[0].item_key, key);
  Take(mesh_, 1, here.repairs);
  EXPECT_EQ(mesh_.core(1).counters().items_repaired, 1u);
  EXPECT_EQ(ItemAt(mesh_, 1, key).SerializeAsString(), item.SerializeAsString());
  ExpectAgreed();
}

TEST_F(CompareTest, OfTwoValuesTheGreaterVersionIsTakenByBoth) {
  const std::string key = ItemKey("all", "id4", "");
  const StoredItem newer = ItemAt(mesh_, 0, key);
  StoredItem older = newer;
  older.set_timestamp(newer.timestamp() - 1);
  older.set_value("old");
  TamperPut(mesh_, 1, key, older);
  Settle();
  EXPECT_TRUE(Compare(mesh_, 0, 1, "all").repairs.empty());
  RepairBothWays();
  EXPECT_EQ(ItemAt(mesh_, 1, key).value(), newer.value());
  EXPECT_EQ(ItemAt(mesh_, 0, key).value(), newer.value());
  ExpectAgreed();
}

TEST_F(CompareTest, ADeleteThatOneSideMissedIsTakenThere) {
  const std::string key = ItemKey("all", "id5", "");
  const StoredItem value = ItemAt(mesh_, 0, key);
  ASSERT_TRUE(mesh_.Delete(0, "all", "id5").ok());
  Settle();
  TamperPut(mesh_, 1, key, value);
  Settle();
  EXPECT_EQ(Compare(mesh_, 0, 1, "all").result.records_differ, 1u);
  RepairBothWays();
  EXPECT_EQ(mesh_.Get(1, "all", "id5"), std::nullopt);
  EXPECT_EQ(mesh_.Get(0, "all", "id5"), std::nullopt);
  ExpectAgreed();
}

TEST_F(CompareTest, WhatBothSidesLostOfACounterIsThereAfterBothHaveRepaired) {
  const std::string key = ItemKey("all", "count", "");
  v1::MutateRequest add;
  add.set_namespace_("all");
  add.set_id("count");
  add.add_changes()->set_add(3);
  ASSERT_TRUE(mesh_.Mutate(0, add, SessionToken()).ok());
  add.mutable_changes(0)->set_add(4);
  ASSERT_TRUE(mesh_.Mutate(1, add, SessionToken()).ok());
  Settle();
  const StoredItem whole = ItemAt(mesh_, 0, key);
  ASSERT_EQ(CounterValue(whole), 7);
  for (int at = 0; at < 2; ++at) {
    StoredItem half = whole;
    half.mutable_shares()->DeleteSubrange(at, 1);
    TamperPut(mesh_, at, key, half);
  }
  Settle();
  RepairBothWays();
  EXPECT_EQ(CounterValue(ItemAt(mesh_, 0, key)), 7);
  EXPECT_EQ(CounterValue(ItemAt(mesh_, 1, key)), 7);
  ExpectAgreed();
}

TEST_F(CompareTest, ItemsOfOneRecordThatDifferAreOneRecord) {
  v1::MutateRequest put;
  put.set_namespace_("all");
  put.set_id("many");
  for (int i = 0; i < 5; ++i) {
    v1::Change* change = put.add_changes();
    change->set_key(absl::StrCat("k", i));
    change->set_put("v");
  }
  ASSERT_TRUE(mesh_.Mutate(0, put, SessionToken()).ok());
  Settle();
  Tamper(mesh_, 1, [](ItemWriter& items) {
    for (int i = 0; i < 4; ++i) {
      auto item = items.Load(ItemKey("all", "many", absl::StrCat("k", i)));
      ASSERT_TRUE(item.ok());
      items.Remove(*std::move(item), ItemCause::kClean);
    }
  });
  Settle();
  const Compared compared = Compare(mesh_, 1, 0, "all");
  EXPECT_EQ(compared.result.records_differ, 1u);
  EXPECT_EQ(compared.repairs.size(), 4u);
}

TEST_F(CompareTest, WhatIsBeyondTheCutIsNoDifference) {
  // As while a snapshot is taken in: an item is newer than what is applied.
  const std::string key = ItemKey("all", "id6", "");
  StoredItem ahead = ItemAt(mesh_, 0, key);
  const Origin origin = mesh_.core(0).self();
  ahead.set_origin(origin.value());
  ahead.set_sequence(mesh_.core(0).view()->AppliedOf(origin).value() + 5);
  ahead.set_timestamp(ahead.timestamp() + 1);
  ahead.set_value("ahead");
  TamperPut(mesh_, 1, key, ahead);
  Settle();
  ExpectAgreed();
  EXPECT_EQ(ItemAt(mesh_, 1, key).value(), "ahead");
}

TEST_F(CompareTest, WhatASeedingBroughtOfALostEntryComesToEverybody) {
  mesh_.EnableUpkeep();
  const std::string key = ItemKey("all", "id6", "");
  const Origin lost = mesh_.core(1).self();
  const Sequence end = mesh_.core(0).view()->AppliedOf(lost);
  StoredItem ahead = ItemAt(mesh_, 0, key);
  ahead.set_origin(lost.value());
  ahead.set_sequence(end.value() + 5);
  ahead.set_timestamp(ahead.timestamp() + 1);
  ahead.set_value("ahead");
  TamperPut(mesh_, 0, key, ahead);
  // The entry itself goes with the disk of its writer.
  mesh_.Crash(1, true);
  mesh_.WipeDisk(1);
  mesh_.Start(1);
  for (int i = 0; i < 4; ++i) Settle();
  ASSERT_THAT(mesh_.core(0).view()->Find(lost)->closed_end, testing::Optional(end));
  ASSERT_NE(ItemAt(mesh_, 1, key).value(), "ahead");

  RepairBothWays();
  ExpectAgreed();
  EXPECT_EQ(ItemAt(mesh_, 0, key).value(), "ahead");
  EXPECT_EQ(ItemAt(mesh_, 1, key).value(), "ahead");
}

TEST_F(CompareTest, WhatASeedingBroughtFromBeyondTheEndOfAnOldDiskComesToEverybody) {
  const std::string key = ItemKey("all", "id6", "");
  const Origin origin = mesh_.core(1).self();
  mesh_.Crash(1);
  mesh_.Start(1);
  Settle();
  ASSERT_NE(mesh_.core(0).view()->Find(origin)->covered_by, Origin(0));
  // Of the earlier start: a copy of its disk that has less is all that there is of it.
  StoredItem ahead = ItemAt(mesh_, 0, key);
  ahead.set_origin(origin.value());
  ahead.set_sequence(mesh_.core(0).view()->AppliedOf(origin).value() + 5);
  ahead.set_timestamp(ahead.timestamp() + 1);
  ahead.set_value("ahead");
  TamperPut(mesh_, 0, key, ahead);

  RepairBothWays();
  ExpectAgreed();
  EXPECT_EQ(ItemAt(mesh_, 1, key).value(), "ahead");
  // Nobody will ever have what it rests on, so a write over it waits for nothing.
  Settle();
  for (int at = 0; at < 2; ++at) {
    const auto name = mesh_.Put(at, "all", "id6", "over");
    EXPECT_TRUE(name.ok()) << name.status();
  }
  Settle();
  for (int at = 0; at < 2; ++at) EXPECT_EQ(mesh_.Get(at, "all", "id6"), "over");
}

TEST_F(CompareTest, MoreThanOneComparisonNamesIsRepairedByTheNext) {
  for (int i = 0; i < 120; ++i) {
    ASSERT_TRUE(mesh_.Put(0, "all", absl::StrCat("more", i), "value").ok());
  }
  Settle();
  Tamper(mesh_, 1, [](ItemWriter& items) {
    for (int i = 0; i < 120; ++i) {
      auto item = items.Load(ItemKey("all", absl::StrCat("more", i), ""));
      ASSERT_TRUE(item.ok());
      items.Remove(*std::move(item), ItemCause::kClean);
    }
  });
  Settle();
  CompareInitiator::Options options;
  options.differing_max = 50;
  size_t repaired = 0;
  for (const bool more : {true, true, false}) {
    const Compared compared = Compare(mesh_, 1, 0, "all", options);
    EXPECT_EQ(compared.result.more_differ, more);
    EXPECT_EQ(compared.result.records_differ, more ? 50u : 20u);
    repaired += compared.repairs.size();
    Take(mesh_, 1, compared.repairs);
  }
  EXPECT_EQ(repaired, 120u);
  ExpectAgreed();
}

TEST_F(CompareTest, ANamespaceThatDiffersWhollyIsComparedByPages) {
  const std::string pad(400, 'x');
  Tamper(mesh_, 0, [&pad](ItemWriter& items) {
    StoredItem item;
    item.set_timestamp(1);
    item.set_origin(1);
    item.set_value("v");
    for (int i = 0; i < 3000; ++i) {
      auto loaded = items.Load(ItemKey("all", absl::StrCat(pad, i), ""));
      ASSERT_TRUE(loaded.ok());
      items.Replace(*std::move(loaded), item, ItemCause::kMerge);
    }
  });
  Settle();
  const Compared compared = Compare(mesh_, 1, 0, "all");
  EXPECT_EQ(compared.result.records_differ, 3000u);
  EXPECT_EQ(compared.repairs.size(), 3000u);
  Take(mesh_, 1, compared.repairs);
  ExpectAgreed();
}

TEST(CompareHistoryTest, EntriesInFlightAreNoDifference) {
  int in_flight = 0;
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    Mesh mesh(3);
    mesh.ConnectAll();
    for (int step = 0; step < 120; ++step) {
      MutateAtRandom(mesh, static_cast<int>(random() % 3), random, 9);
      const int from = static_cast<int>(random() % 3);
      mesh.Step(from, (from + 1 + static_cast<int>(random() % 2)) % 3, random() % 2 == 0);
      if (step % 20 != 19) continue;
      for (int asking = 0; asking < 3; ++asking) {
        const int answering = (asking + 1) % 3;
        if (mesh.Items(asking) != mesh.Items(answering)) ++in_flight;
        const Compared compared = Compare(mesh, asking, answering, "all");
        EXPECT_EQ(compared.result.records_differ, 0u) << "seed " << seed << " step " << step;
        EXPECT_EQ(compared.result.put_off, "") << "seed " << seed << " step " << step;
        EXPECT_EQ(compared.steps, 2) << "seed " << seed << " step " << step;
      }
    }
  }
  EXPECT_GT(in_flight, 100);
}

TEST_F(CompareTest, WhatIsNoLongerInTheLogPutsItOff) {
  mesh_.Cut(0, 1);
  mesh_.Cut(1, 0);
  ASSERT_TRUE(mesh_.Put(0, "all", "id1", "later").ok());
  const Origin origin = mesh_.core(0).self();
  auto bytes = mesh_.engine(0).Get(Table::kMeta, PositionKey(origin));
  ASSERT_TRUE(bytes.ok() && bytes->has_value());
  internal::v1::StoredPosition position;
  ASSERT_TRUE(position.ParseFromString(**bytes));
  position.set_log_begin(position.applied() + 1);
  WriteBatch batch;
  batch.Put(Table::kMeta, PositionKey(origin), position.SerializeAsString());
  ASSERT_TRUE(mesh_.engine(0).Write(batch, KvEngine::Durability::kSynced).ok());
  for (int asking = 0; asking < 2; ++asking) {
    const Compared compared = Compare(mesh_, asking, 1 - asking, "all");
    EXPECT_THAT(compared.result.put_off, HasSubstr("the log no longer has entry"));
    EXPECT_EQ(compared.result.verified, absl::InfinitePast());
  }
}

TEST_F(CompareTest, LinksCompareByThemselvesAndRepairBothSides) {
  for (int at = 0; at < 2; ++at) {
    TamperRemove(mesh_, at, ItemKey("all", absl::StrCat("id", at), ""));
  }
  EXPECT_EQ(mesh_.Get(0, "all", "id0"), std::nullopt);
  mesh_.EnableComparisons();
  Settle();
  for (int at = 0; at < 2; ++at) {
    EXPECT_EQ(mesh_.Get(at, "all", "id0"), "value0");
    EXPECT_EQ(mesh_.Get(at, "all", "id1"), "value1");
    const v1::LinkStatus status = mesh_.LinkStatusOf(1 - at, at);
    EXPECT_EQ(status.records_repaired(), 1u);
    EXPECT_EQ(status.compare_put_off(), "");
  }
  EXPECT_EQ(mesh_.Items(0), mesh_.Items(1));
  mesh_.Advance(absl::Seconds(10));
  EXPECT_TRUE(mesh_.Settle());
  for (int at = 0; at < 2; ++at) {
    const v1::LinkStatus status = mesh_.LinkStatusOf(1 - at, at);
    EXPECT_EQ(status.records_differ(), 0u);
    EXPECT_TRUE(status.has_verified_age());
  }
}

TEST(CompareMeshTest, ALinkComparesOnlyWhatBothRegionsHold) {
  Mesh mesh(3);
  mesh.EnableComparisons();
  mesh.ConnectAll();
  ASSERT_TRUE(mesh.Put(0, "some", "id", "value").ok());
  ASSERT_TRUE(mesh.Put(0, "all", "id", "value").ok());
  ASSERT_TRUE(mesh.Settle());
  for (int from = 0; from < 3; ++from) {
    for (int to = 0; to < 3; ++to) {
      if (from == to) continue;
      const v1::LinkStatus status = mesh.LinkStatusOf(from, to);
      EXPECT_EQ(status.records_differ(), 0u);
      EXPECT_EQ(status.compare_put_off(), "");
      EXPECT_TRUE(status.has_verified_age()) << from << " to " << to;
    }
  }
}

// The asking side alone: a test answers in place of the peer.
class CompareInitiatorTest : public CompareTest {
 protected:
  CompareInitiatorTest() : initiator_(&mesh_.engine(0), {}), responder_(&mesh_.engine(1)) {
    initiator_.SetNamespaces({"all"});
  }
  std::optional<CompareRequest> Ask() {
    return initiator_.Next(mesh_.Now(0).steady, mesh_.Now(0).wall, nullptr);
  }
  CompareResponse Answer(const CompareRequest& request) {
    responder_.OnRequest(request, "");
    auto response = responder_.Work(mesh_.Now(1).steady);
    EXPECT_TRUE(response.has_value());
    return *response;
  }
  // Asks and is answered until a step of this kind was asked; its true answer.
  CompareResponse AnswerTo(CompareRequest::StepCase step) {
    for (int i = 0; i < 10; ++i) {
      auto request = Ask();
      if (!request) continue;
      CompareResponse response = Answer(*request);
      if (request->step_case() == step) return response;
      EXPECT_TRUE(initiator_.OnResponse(response).ok());
    }
    ADD_FAILURE() << "the step was not asked for";
    return CompareResponse();
  }
  absl::StatusCode Take(const CompareResponse& response) {
    return initiator_.OnResponse(response).code();
  }
  void LoseAtPeer(const std::string& key) {
    TamperRemove(mesh_, 1, key);
    Settle();
    responder_ = CompareResponder(&mesh_.engine(1));
  }

  CompareInitiator initiator_;
  CompareResponder responder_;
};

TEST_F(CompareInitiatorTest, AnAnswerThatWasNotAskedForIsRefused) {
  CompareResponse response;
  response.set_number(1);
  response.mutable_begun();
  EXPECT_EQ(Take(response), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(Ask().has_value());
  response.mutable_digests();
  EXPECT_EQ(Take(response), absl::StatusCode::kDataLoss);
}

TEST_F(CompareInitiatorTest, DigestsThatLackRangesAreRefused) {
  CompareResponse response = AnswerTo(CompareRequest::kTouched);
  response.mutable_digests()->mutable_sums2()->RemoveLast();
  EXPECT_EQ(Take(response), absl::StatusCode::kDataLoss);
}

TEST_F(CompareInitiatorTest, MoreTouchedItemsThanAnySideMayNameAreRefused) {
  CompareResponse response = AnswerTo(CompareRequest::kBegin);
  response.mutable_begun()->add_touched(std::string(kTouchedBytesMax + 1, 'x'));
  EXPECT_EQ(Take(response), absl::StatusCode::kDataLoss);
}

TEST_F(CompareInitiatorTest, APageThatDoesNotGoOnOrNamesWhatWasNotAskedForIsRefused) {
  LoseAtPeer(ItemKey("all", "id3", ""));
  const CompareResponse page = AnswerTo(CompareRequest::kList);
  const std::string prefix = NamespacePrefix("all");
  const std::string lost = ItemKey("all", "id3", "").substr(prefix.size());
  CompareResponse twice = page;
  twice.mutable_listed()->clear_items();
  for (int i = 0; i < 2; ++i) twice.mutable_listed()->add_items()->set_key(lost);
  EXPECT_EQ(Take(twice), absl::StatusCode::kDataLoss);
  CompareResponse beyond = page;
  beyond.mutable_listed()->set_to_key("a");
  beyond.mutable_listed()->add_items()->set_key(lost);
  EXPECT_EQ(Take(beyond), absl::StatusCode::kDataLoss);
  CompareResponse other_range = page;
  other_range.mutable_listed()->clear_items();
  for (int i = 0;; ++i) {
    const std::string key = ItemKey("all", absl::StrCat("x", i), "");
    if (DigestRangeOf(key) == DigestRangeOf(ItemKey("all", "id3", ""))) continue;
    other_range.mutable_listed()->add_items()->set_key(key.substr(prefix.size()));
    break;
  }
  EXPECT_EQ(Take(other_range), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Take(page), absl::StatusCode::kOk);
}

TEST_F(CompareInitiatorTest, FetchedItemsThatWereNotAskedForOrAreTooNewAreRefused) {
  const std::string key = ItemKey("all", "id3", "");
  StoredItem item = ItemAt(mesh_, 1, key);
  item.set_timestamp(item.timestamp() + 1);
  item.set_value("other");
  TamperPut(mesh_, 1, key, item);
  Settle();
  responder_ = CompareResponder(&mesh_.engine(1));
  const CompareResponse fetched = AnswerTo(CompareRequest::kFetch);
  ASSERT_EQ(fetched.fetched().items_size(), 1);
  CompareResponse other = fetched;
  other.mutable_fetched()->mutable_items(0)->set_key("id4");
  EXPECT_EQ(Take(other), absl::StatusCode::kDataLoss);
  CompareResponse none = fetched;
  none.mutable_fetched()->clear_items();
  EXPECT_EQ(Take(none), absl::StatusCode::kDataLoss);
  CompareResponse garbled = fetched;
  garbled.mutable_fetched()->mutable_items(0)->set_item("\xff");
  EXPECT_EQ(Take(garbled), absl::StatusCode::kDataLoss);
  CompareResponse ahead = fetched;
  item.set_origin(mesh_.core(1).self().value());
  item.set_sequence(1'000'000);
  ahead.mutable_fetched()->mutable_items(0)->set_item(item.SerializeAsString());
  EXPECT_EQ(Take(ahead), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(initiator_.TakeRepairs().empty());
  EXPECT_EQ(Take(fetched), absl::StatusCode::kOk);
  EXPECT_EQ(initiator_.TakeRepairs().size(), 1u);
  EXPECT_EQ(initiator_.peer().records_repaired, 1u);
}

TEST_F(CompareInitiatorTest, APeerThatDeclinesOrSaysNothingPutsItOff) {
  auto request = Ask();
  ASSERT_TRUE(request.has_value());
  responder_.OnRequest(*request, "it is being seeded");
  auto declined = responder_.Work(mesh_.Now(1).steady);
  ASSERT_TRUE(declined.has_value());
  ASSERT_TRUE(initiator_.OnResponse(*declined).ok());
  EXPECT_EQ(initiator_.peer().put_off, "all: the peer declined: it is being seeded");

  EXPECT_FALSE(Ask().has_value()) << "its turn comes after the interval";
  mesh_.Advance(absl::Seconds(10));
  ASSERT_TRUE(Ask().has_value());
  mesh_.Advance(absl::Seconds(31));
  EXPECT_FALSE(Ask().has_value());
  EXPECT_THAT(initiator_.peer().put_off, HasSubstr("no answer came"));

  // The answer that comes late changes nothing, and the next turn is as good as any.
  CompareResponse late;
  late.set_number(2);
  late.mutable_begun();
  EXPECT_TRUE(initiator_.OnResponse(late).ok());
  CompareResponse digests = AnswerTo(CompareRequest::kTouched);
  ASSERT_TRUE(initiator_.OnResponse(digests).ok());
  EXPECT_FALSE(Ask().has_value());
  EXPECT_EQ(initiator_.peer().put_off, "");
  EXPECT_EQ(initiator_.peer().verified, mesh_.Now(0).wall);
}

TEST_F(CompareInitiatorTest, NamespacesAreComparedInTurn) {
  CompareInitiator::Options options;
  options.namespaces_max = 2;
  CompareInitiator initiator(&mesh_.engine(0), options);
  initiator.SetNamespaces({"a", "b", "c"});
  std::vector<std::string> asked;
  for (int round = 0; round < 3; ++round) {
    mesh_.Advance(absl::Seconds(10));
    for (int i = 0; i < 5; ++i) {
      auto request = initiator.Next(mesh_.Now(0).steady, mesh_.Now(0).wall, nullptr);
      if (!request) continue;
      asked.push_back(request->namespace_());
      CompareResponse declined;
      declined.set_number(request->number());
      declined.set_declined("not now");
      ASSERT_TRUE(initiator.OnResponse(declined).ok());
    }
  }
  EXPECT_THAT(asked, testing::ElementsAre("a", "b", "c", "a", "b", "c"));
  EXPECT_EQ(initiator.peer().verified, absl::InfinitePast());
}

TEST_F(CompareInitiatorTest, AnEndedStreamLeavesNothingUnderWay) {
  ASSERT_TRUE(Ask().has_value());
  initiator_.Reset();
  CompareResponse response;
  response.set_number(1);
  response.mutable_begun();
  EXPECT_TRUE(initiator_.OnResponse(response).ok()) << "of a comparison that was given up";
  mesh_.Advance(absl::Seconds(10));
  EXPECT_TRUE(Ask().has_value());
}

TEST_F(CompareInitiatorTest, StepsThatDoNotFollowAreDeclined) {
  for (const auto step :
       {CompareRequest::kTouched, CompareRequest::kList, CompareRequest::kFetch}) {
    CompareRequest request;
    request.set_number(7);
    request.set_namespace_("all");
    responder_ = CompareResponder(&mesh_.engine(1));
    if (step == CompareRequest::kTouched) request.mutable_touched();
    if (step == CompareRequest::kList) request.mutable_list();
    if (step == CompareRequest::kFetch) request.mutable_fetch();
    EXPECT_THAT(Answer(request).declined(), HasSubstr("has to begin anew"));
    CompareRequest begin;
    begin.set_number(7);
    begin.set_namespace_("all");
    begin.mutable_begin();
    EXPECT_TRUE(Answer(begin).has_begun());
    if (step == CompareRequest::kTouched) continue;
    EXPECT_THAT(Answer(request).declined(), HasSubstr("does not follow"));
  }
}

TEST_F(CompareInitiatorTest, ASnapshotThatNobodyAsksAboutIsGivenUp) {
  auto request = Ask();
  ASSERT_TRUE(request.has_value());
  ASSERT_TRUE(Answer(*request).has_begun());
  mesh_.Advance(kCompareIdleMax + absl::Seconds(1));
  EXPECT_FALSE(responder_.Work(mesh_.Now(1).steady).has_value());
  CompareRequest touched;
  touched.set_number(request->number());
  touched.set_namespace_("all");
  touched.mutable_touched();
  EXPECT_THAT(Answer(touched).declined(), HasSubstr("has to begin anew"));
}

}  // namespace
}  // namespace homeport
