#include "storage/replication/replica_core.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/record_reader.h"
#include "tests/unit/storage/replication/core_fixture.h"

namespace homeport {
namespace {

using internal::v1::Entry;

const Origin kSelf(1);
const Origin kPeer(2);
const Origin kThird(3);

class ReplicaCoreTest : public CoreFixture {
 protected:
  static Entry After(Entry entry, Origin origin, uint64_t sequence) {
    internal::v1::Position* dependency = entry.add_dependencies();
    dependency->set_origin(origin.value());
    dependency->set_sequence(sequence);
    return entry;
  }
  void Put(const std::string& id, const std::string& value) {
    v1::MutateRequest mutation;
    mutation.set_namespace_("all");
    mutation.set_id(id);
    mutation.add_changes()->set_put(value);
    SessionToken token;
    auto name = core_->StageWrite({&mutation, &token}, now_);
    ASSERT_TRUE(name.ok()) << name.status();
    Commit();
  }
  SeededOrigin Seeded(Origin origin, uint64_t applied) const {
    SeededOrigin seeded{origin, {}};
    seeded.position.set_applied(applied);
    seeded.position.set_applied_timestamp(Ticks(applied));
    return seeded;
  }
  int LogRecords(Origin origin) {
    int records = 0;
    auto it = engine_->Iterate(Table::kLog, PrefixEnd(LogKey(origin, Sequence(~uint64_t{0}))));
    for (it->Seek(LogKey(origin, Sequence(0))); it->Valid(); it->Next()) ++records;
    return records;
  }
  const OriginView& View(Origin origin) { return *core_->view()->Find(origin); }
};

TEST_F(ReplicaCoreTest, AnEntryThatIsNotLaterThanTheOneBeforeItIsDamaged) {
  Take(Chain(kPeer, "r1/a"));
  Entry entry = Write(kPeer, 2);
  entry.set_timestamp(Ticks(1));
  EXPECT_EQ(Stage(entry).code(), absl::StatusCode::kDataLoss);
  internal::v1::Skip skip;
  skip.set_origin(kPeer.value());
  skip.set_first(2);
  skip.set_last(2);
  skip.set_timestamp(Ticks(1));
  skip.add_classes()->set_namespace_("elsewhere");
  skip.mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
  EXPECT_EQ(core_->StageSkip(skip).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(core_->HasStaged());
}

TEST_F(ReplicaCoreTest, TimesAreComparedWithWhatWasReceivedAndIsNotAppliedYetAlsoAfterARestart) {
  Take(Chain(kPeer, "r1/a"));
  Take(After(Write(kPeer, 2), kThird, 1));
  ASSERT_EQ(View(kPeer).applied, Sequence(1));
  Open(Origin(9));
  Entry entry = Write(kPeer, 3);
  entry.set_timestamp(Ticks(2));
  EXPECT_EQ(Stage(entry).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Stage(Write(kPeer, 3)).ok());
}

TEST_F(ReplicaCoreTest, WhoeverFailedHasNothingLeftThatOthersWouldWaitFor) {
  Take(Chain(kPeer, "r1/a"));
  Take(Write(kPeer, 2));
  WriteBatch damage;
  damage.Put(Table::kItems, ItemKey("all", "id", ""), "no item");
  ASSERT_TRUE(engine_->Write(damage, KvEngine::Durability::kSynced).ok());
  ASSERT_TRUE(Stage(Write(kPeer, 3)).ok());
  ASSERT_FALSE(core_->Commit(now_).ok());
  EXPECT_FALSE(core_->HasBacklog());
}

TEST_F(ReplicaCoreTest, AnEntryThatLacksWhatThisRegionMayHoldIsRefused) {
  Take(Chain(kPeer, "r1/a"));
  Entry entry = Write(kPeer, 2);
  entry.add_withheld()->set_namespace_("all");
  entry.mutable_withheld(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
  entry.add_part_checksums(0);
  EXPECT_EQ(Stage(entry).code(), absl::StatusCode::kFailedPrecondition);
  entry.mutable_withheld(0)->set_namespace_("elsewhere");
  const absl::Status status = Stage(entry);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(core_->left_out(), std::set<std::string>{"elsewhere"});
}

TEST_F(ReplicaCoreTest, OfAnOriginThatIsAboutToBeClosedNothingMoreIsTakenUntilItIsClosed) {
  Take(Chain(kPeer, "r1/a"));
  Take(Chain(kThird, "r2/a"));
  Entry closing = Chain(kThird, "r2/a", 2);
  closing.mutable_chain()->add_closing(kPeer.value());
  Take(closing);
  EXPECT_TRUE(View(kPeer).frozen);
  EXPECT_EQ(Stage(Write(kPeer, 2)).code(), absl::StatusCode::kFailedPrecondition);
  Entry closed = Chain(kThird, "r2/a", 3);
  internal::v1::Position* end = closed.mutable_chain()->add_closed();
  end->set_origin(kPeer.value());
  end->set_sequence(2);
  Take(closed);
  EXPECT_FALSE(View(kPeer).frozen);
  EXPECT_EQ(View(kPeer).closed_end, Sequence(2));
  Take(Write(kPeer, 2));
  EXPECT_EQ(Stage(Write(kPeer, 3)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(View(kPeer).applied, Sequence(2));
}

TEST_F(ReplicaCoreTest, AnEntryThatWaitsForWhatIsLostGoesOnWhenItsOriginIsClosed) {
  Take(Chain(kPeer, "r1/a"));
  Take(Chain(kThird, "r2/a"));
  Take(After(Write(kThird, 2), kPeer, 5));
  ASSERT_EQ(View(kThird).applied, Sequence(1));
  ASSERT_TRUE(core_->StageClosing({}, {{kPeer, Sequence(1)}}, now_).ok());
  Commit();
  Commit();
  EXPECT_EQ(View(kThird).applied, Sequence(2));
  EXPECT_EQ(View(kPeer).closed_end, Sequence(1));
}

TEST_F(ReplicaCoreTest, AClosingIsAChainEntryOfThisReplicaThatHoldsForItselfToo) {
  Take(Chain(kPeer, "r1/a"));
  ASSERT_TRUE(core_->StageClosing({kPeer}, {}, now_).ok());
  Commit();
  EXPECT_TRUE(View(kPeer).frozen);
  auto record = LogReader(engine_.get()).Read(kSelf, View(kSelf).received);
  ASSERT_TRUE(record.ok()) << record.status();
  ASSERT_EQ(record->entry->chain().closing_size(), 1);
  EXPECT_EQ(record->entry->chain().closing(0), kPeer.value());
}

TEST_F(ReplicaCoreTest, AfterSeedingPositionsAreThoseOfTheCutAndEntriesGoOnBehindIt) {
  ASSERT_TRUE(core_->StageSeeded({Seeded(kPeer, 7), Seeded(kThird, 3)}, now_).ok());
  EXPECT_EQ(core_->view()->AppliedOf(kPeer), Sequence(0));
  Commit();
  EXPECT_EQ(View(kPeer).received, Sequence(7));
  EXPECT_EQ(View(kPeer).applied, Sequence(7));
  EXPECT_EQ(View(kPeer).log_begin, Sequence(8));
  Take(After(Write(kPeer, 8, "new"), kThird, 3));
  EXPECT_EQ(View(kPeer).applied, Sequence(8));
  EXPECT_EQ(Stage(Write(kPeer, 10)).code(), absl::StatusCode::kFailedPrecondition);
  Open(Origin(9));
  EXPECT_EQ(View(kPeer).applied, Sequence(8));
  EXPECT_EQ(View(kPeer).log_begin, Sequence(8));
}

TEST_F(ReplicaCoreTest, WhatWaitedInTheLogIsAppliedFromTheCutOn) {
  Take(Chain(kPeer, "r1/a"));
  for (uint64_t i = 2; i <= 5; ++i) {
    Take(After(Write(kPeer, i, absl::StrCat(i)), kThird, i));
  }
  ASSERT_EQ(View(kPeer).applied, Sequence(1));
  ASSERT_TRUE(core_->StageSeeded({Seeded(kPeer, 3), Seeded(kThird, 4)}, now_).ok());
  Commit();
  EXPECT_EQ(View(kPeer).applied, Sequence(4));
  EXPECT_EQ(View(kPeer).received, Sequence(5));
  EXPECT_EQ(View(kPeer).log_begin, Sequence(1));
  ASSERT_TRUE(core_->StageSeeded({Seeded(kThird, 5)}, now_).ok());
  Commit();
  EXPECT_EQ(View(kPeer).applied, Sequence(5));
}

TEST_F(ReplicaCoreTest, ACutMayLieWithinSkippedSequences) {
  Take(Chain(kPeer, "r1/a"));
  internal::v1::Skip skip;
  skip.set_origin(kPeer.value());
  skip.set_first(2);
  skip.set_last(9);
  skip.set_timestamp(Ticks(9));
  skip.add_classes()->set_namespace_("elsewhere");
  skip.mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
  internal::v1::Position* dependency = skip.add_dependencies();
  dependency->set_origin(kThird.value());
  dependency->set_sequence(1);
  ASSERT_TRUE(core_->StageSkip(skip).ok());
  Commit();
  ASSERT_TRUE(core_->StageSeeded({Seeded(kPeer, 5), Seeded(kThird, 1)}, now_).ok());
  Commit();
  EXPECT_EQ(View(kPeer).applied, Sequence(9));
}

TEST_F(ReplicaCoreTest, ACutThatHasMoreOfThisStartThanThereIsIsRefused) {
  EXPECT_EQ(core_->StageSeeded({Seeded(kSelf, 1)}, now_).code(), absl::StatusCode::kOk);
  EXPECT_EQ(core_->StageSeeded({Seeded(kThird, 1), Seeded(kSelf, 2)}, now_).code(),
            absl::StatusCode::kFailedPrecondition);
  Commit();
  EXPECT_EQ(core_->view()->Find(kThird), nullptr);
}

TEST_F(ReplicaCoreTest, ACutFromTheFutureIsRefusedUntilItsTimeHasCome) {
  SeededOrigin future = Seeded(kPeer, 2);
  future.position.set_applied_timestamp(FromWallTime(now_.wall + absl::Seconds(10)).value());
  EXPECT_EQ(core_->StageSeeded({future}, now_).code(), absl::StatusCode::kFailedPrecondition);
  Advance(absl::Seconds(10));
  EXPECT_TRUE(core_->StageSeeded({future}, now_).ok());
}

TEST_F(ReplicaCoreTest, AnEarlierStartThatWasSeededIsCoveredByAChainEntry) {
  SeededOrigin earlier = Seeded(kPeer, 7);
  earlier.position.set_replica("r0/a");
  ASSERT_TRUE(core_->StageSeeded({earlier}, now_).ok());
  Commit();
  EXPECT_EQ(View(kPeer).covered_by, kSelf);
  EXPECT_EQ(View(kPeer).covered_end, Sequence(7));
}

TEST_F(ReplicaCoreTest, WhatEveryMemberHasAppliedLeavesTheLogOneOriginACommit) {
  Take(Chain(kPeer, "r1/a"));
  Take(Write(kPeer, 2));
  core_->PlanTruncation([](Origin) { return Sequence(100); }, now_);
  EXPECT_TRUE(core_->HasStaged());
  Commit();
  EXPECT_EQ(View(kSelf).log_begin, Sequence(2));
  EXPECT_EQ(View(kPeer).log_begin, Sequence(1));
  Commit();
  EXPECT_EQ(View(kPeer).log_begin, Sequence(3));
  EXPECT_EQ(LogRecords(kPeer), 0);
  EXPECT_EQ(core_->counters().truncated_applied_by_all, 2u);
  EXPECT_FALSE(core_->HasStaged());
  Take(Write(kPeer, 3));
  Put("id", "value");
  Open(Origin(9));
  EXPECT_EQ(View(kPeer).log_begin, Sequence(3));
  EXPECT_EQ(View(kPeer).applied, Sequence(3));
}

TEST_F(ReplicaCoreTest, ALogOverItsBytesLosesItsOldestSegmentsAndSaysWhereItBegins) {
  limits_.log_bytes_max = 20'000;
  core_->SetRetention(limits_);
  for (int i = 0; i < 10; ++i) Put("id", std::string(4'000, 'x'));
  core_->PlanTruncation([](Origin) { return Sequence(0); }, now_);
  Commit();
  const OriginView& self = View(kSelf);
  EXPECT_LE(self.log_bytes, 20'000u);
  EXPECT_GT(self.log_bytes, 12'000u);
  EXPECT_GT(self.log_begin, Sequence(5));
  EXPECT_EQ(LogRecords(kSelf),
            static_cast<int>(self.received.value() - self.log_begin.value() + 1));
  EXPECT_EQ(core_->counters().truncated_for_bytes, 1u);
  LogReader log(engine_.get());
  EXPECT_EQ(log.Read(kSelf, Sequence(1)).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(log.Read(kSelf, self.log_begin).ok());
}

TEST_F(ReplicaCoreTest, AgeCountsFromWhenARecordCameHere) {
  limits_.log_age_max = absl::Hours(1);
  core_->SetRetention(limits_);
  const Entry chain = Chain(kPeer, "r1/a");
  Advance(absl::Hours(2));
  Take(chain);
  core_->PlanTruncation([](Origin) { return Sequence(0); }, now_);
  Commit();
  EXPECT_EQ(View(kSelf).log_begin, Sequence(2));
  EXPECT_EQ(View(kPeer).log_begin, Sequence(1));
  Advance(absl::Hours(2));
  core_->PlanTruncation([](Origin) { return Sequence(0); }, now_);
  Commit();
  EXPECT_EQ(View(kPeer).log_begin, Sequence(2));
  EXPECT_EQ(core_->counters().truncated_for_age, 2u);
}

TEST_F(ReplicaCoreTest, ARequestIdOfAReplicaWithASlowClockIsRememberedAsLongAsAnyOther) {
  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  mutation.set_id("id");
  mutation.add_changes()->set_put("v");
  mutation.mutable_options()->set_request_id("retried");
  Entry entry = Write(kPeer, 2);
  entry.set_request_id("retried");
  Entry chain = Chain(kPeer, "r1/a");
  Advance(absl::Hours(1));  // as far as the peer's clock is behind
  Take(chain);
  Take(entry);
  SessionToken token;
  for (const absl::Duration after : {absl::Seconds(2), absl::Minutes(9)}) {
    Advance(after);
    Commit();
    auto name = core_->StageWrite({&mutation, &token}, now_);
    ASSERT_TRUE(name.ok()) << name.status();
    EXPECT_TRUE(name->repeated) << after;
    EXPECT_EQ(name->version.origin, kPeer);
  }
  Advance(absl::Minutes(1));
  Commit();
  auto name = core_->StageWrite({&mutation, &token}, now_);
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_FALSE(name->repeated);
}

TEST_F(ReplicaCoreTest, AnEntryThatDependsOnAnOwnWriteSaysThatItsOriginKnewIt) {
  Put("id", "mine");
  const Sequence mine = View(kSelf).received;
  Take(Chain(kPeer, "r1/a"));
  EXPECT_FALSE(core_->origins().KnewOwn(kPeer, kSelf, mine));
  Take(After(Write(kPeer, 2), kSelf, mine.value()));
  EXPECT_TRUE(core_->origins().KnewOwn(kPeer, kSelf, mine));
  Open(Origin(9));
  EXPECT_TRUE(core_->origins().KnewOwn(kPeer, kSelf, mine));
}

}  // namespace
}  // namespace homeport
