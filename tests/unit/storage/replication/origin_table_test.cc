#include "storage/replication/origin_table.h"

#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

using internal::v1::OriginChain;
using internal::v1::Position;

const Origin kSelf(1);
const Origin kEarlier(2);
const Origin kOther(3);
const Origin kThird(4);

class OriginTableTest : public testing::Test {
 protected:
  OriginTableTest() : table_(ReplicaName("r0/a")) {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
    staging_ = std::make_unique<Staging>(engine_.get());
    for (const auto& [origin, replica] :
         {std::pair(kSelf, "r0/a"), {kEarlier, "r0/a"}, {kOther, "r1/a"}}) {
      table_.At(origin);
      table_.ObserveReplica(origin, ReplicaName(replica));
    }
  }
  // Received and applied up to `sequence`, at times 10 times the sequences.
  OriginState& Applied(Origin origin, uint64_t sequence) {
    OriginState& state = table_.At(origin);
    for (uint64_t i = state.applied.value() + 1; i <= sequence; ++i) {
      state.Receive(Sequence(i), HybridTime(10 * i), 1);
      state.Advance(Sequence(i), HybridTime(10 * i));
    }
    return state;
  }
  static std::vector<Position> At(Origin origin, uint64_t sequence) {
    Position position;
    position.set_origin(origin.value());
    position.set_sequence(sequence);
    return {position};
  }
  static Stamp StampAt(Origin origin, uint64_t sequence) {
    return {{HybridTime(sequence), origin}, Sequence(sequence)};
  }
  static SeededOrigin Seeded(Origin origin, uint64_t applied) {
    SeededOrigin seeded{origin, {}};
    seeded.position.set_applied(applied);
    seeded.position.set_applied_timestamp(10 * applied);
    seeded.position.set_first_timestamp(10);
    return seeded;
  }
  // What a start that finds this on its disk has.
  OriginTable Reloaded() {
    table_.StagePositions(HybridTime(1), 1000, *staging_);
    EXPECT_TRUE(staging_->Write().ok());
    HybridClock clock({}, absl::UnixEpoch(), absl::ZeroDuration(), HybridTime());
    OriginTable table(ReplicaName("r0/a"));
    const absl::Status status = table.Load(engine_.get(), clock);
    EXPECT_TRUE(status.ok()) << status;
    return table;
  }

  OriginTable table_;
  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<Staging> staging_;
};

TEST_F(OriginTableTest, WhatIsKnownOfAnOriginIsThereAfterARestart) {
  OriginState& state = Applied(kOther, 5);
  state.frozen = true;
  state.covered_by = kThird;
  state.covered_at = Sequence(2);
  state.covered_end = Sequence(4);
  table_.Learn(state, At(kSelf, 9));
  Applied(kEarlier, 7).closed_end = Sequence(7);
  OriginTable table = Reloaded();
  const OriginState* other = table.Find(kOther);
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->received, Sequence(5));
  EXPECT_EQ(other->applied, Sequence(5));
  EXPECT_EQ(other->applied_time, HybridTime(50));
  EXPECT_EQ(other->received_time, HybridTime(50));
  EXPECT_EQ(other->first_time, HybridTime(10));
  EXPECT_TRUE(other->frozen);
  EXPECT_EQ(other->covered_by, kThird);
  EXPECT_EQ(other->covered_at, Sequence(2));
  EXPECT_EQ(other->covered_end, Sequence(4));
  EXPECT_TRUE(table.KnewOwn(kOther, kSelf, Sequence(9)));
  EXPECT_EQ(other->log.bytes(), 5u);
  EXPECT_EQ(table.Find(kEarlier)->closed_end, Sequence(7));
  EXPECT_FALSE(table.Find(kOther)->closed_end.has_value());
}

TEST_F(OriginTableTest, TheTimeOfALaggingOriginsLastRecordIsReadFromTheLogAtAStart) {
  Applied(kOther, 5).Receive(Sequence(6), HybridTime(60), 1);
  internal::v1::Entry entry;
  entry.set_origin(kOther.value());
  entry.set_sequence(6);
  entry.set_timestamp(60);
  staging_->Put(Table::kLog, LogKey(kOther, Sequence(6)),
                MakeLogRecord(LogRecord::Kind::kEntry, entry.SerializeAsString()));
  EXPECT_EQ(Reloaded().Find(kOther)->received_time, HybridTime(60));
}

TEST_F(OriginTableTest, SizesAndSegmentsOfTheLogAreThereAfterARestart) {
  OriginState& state = table_.At(kOther);
  state.Receive(Sequence(1), HybridTime(10), 700);
  state.Receive(Sequence(2), HybridTime(20), 700);
  table_.StagePositions(HybridTime(77), 1000, *staging_);
  state.Receive(Sequence(3), HybridTime(30), 200);
  state.Advance(Sequence(3), HybridTime(30));
  const OriginTable table = Reloaded();
  const OriginLog& log = table.Find(kOther)->log;
  ASSERT_EQ(log.segments().size(), 1u);
  EXPECT_EQ(log.segments()[0].last, Sequence(2));
  EXPECT_EQ(log.segments()[0].bytes, 1400u);
  EXPECT_EQ(log.segments()[0].logged, HybridTime(77));
  EXPECT_EQ(log.open().last, Sequence(3));
  EXPECT_EQ(log.bytes(), 1600u);
}

TEST_F(OriginTableTest, TheNearestAndTheLatestWatermarkWaitAndCountWhenTheirPositionsAreApplied) {
  table_.ObserveWatermark(kOther, Sequence(50), HybridTime(5000));
  table_.ObserveWatermark(kOther, Sequence(20), HybridTime(2000));
  table_.ObserveWatermark(kOther, Sequence(30), HybridTime(3000));  // between: of no use
  table_.ObserveWatermark(kOther, Sequence(10), HybridTime(1000));
  table_.ObserveWatermark(kOther, Sequence(60), HybridTime(6000));
  const OriginState& state = Applied(kOther, 9);
  EXPECT_EQ(state.watermark, HybridTime(90));
  Applied(kOther, 10);
  EXPECT_EQ(state.watermark, HybridTime(1000));
  Applied(kOther, 59);
  EXPECT_EQ(state.watermark, HybridTime(1000));
  Applied(kOther, 60);
  EXPECT_EQ(state.watermark, HybridTime(6000));
  EXPECT_TRUE(state.waiting.empty());
}

TEST_F(OriginTableTest, AWatermarkOfAnAppliedPositionCountsAtOnceAndNeverGoesBack) {
  OriginState& state = Applied(kOther, 3);
  table_.ObserveWatermark(kOther, Sequence(3), HybridTime(500));
  table_.ObserveWatermark(kOther, Sequence(2), HybridTime(400));
  EXPECT_EQ(state.watermark, HybridTime(500));
}

TEST_F(OriginTableTest, AnOriginKnowsWhatItsEntriesDependOnAndNothingElse) {
  OriginState& other = table_.At(kOther);
  table_.Learn(other, At(kSelf, 5));
  table_.Learn(other, At(kThird, 5));
  EXPECT_TRUE(table_.KnewOwn(kOther, kSelf, Sequence(5)));
  EXPECT_FALSE(table_.KnewOwn(kOther, kSelf, Sequence(6)));
  EXPECT_FALSE(table_.KnewOwn(kThird, kSelf, Sequence(1)));
  EXPECT_EQ(*other.knows, (KnownPositions{{kSelf, Sequence(5)}, {kThird, Sequence(5)}}));
}

TEST_F(OriginTableTest, KnowingAChainEntryIsKnowingWhatItCoversAndTakesNoMorePlace) {
  OriginState& other = table_.At(kOther);
  table_.Learn(other, At(kEarlier, 8));
  table_.Cover(table_.At(kEarlier), StampAt(kSelf, 1), Sequence(20));
  table_.Learn(other, At(kSelf, 3));
  EXPECT_TRUE(table_.KnewOwn(kOther, kEarlier, Sequence(20)));
  EXPECT_FALSE(table_.KnewOwn(kOther, kEarlier, Sequence(21)));
  EXPECT_EQ(other.knows->size(), 1u);
}

TEST_F(OriginTableTest, WhoKnowsAStartInBetweenKnowsTheEarlierOnesAlsoOnceALaterOneCoversThem) {
  const Origin between(5);
  const Origin stranger(6);
  table_.At(between);
  table_.ObserveReplica(between, ReplicaName("r0/a"));
  table_.Cover(table_.At(kEarlier), StampAt(between, 1), Sequence(8));
  OriginState& other = table_.At(kOther);
  table_.Learn(other, At(kEarlier, 3));
  table_.Learn(other, At(between, 4));
  table_.Learn(table_.At(stranger), At(kThird, 4));
  table_.Cover(table_.At(kEarlier), StampAt(kSelf, 1), Sequence(8));
  table_.Cover(table_.At(between), StampAt(kSelf, 1), Sequence(9));
  for (int reload = 0; reload < 2; ++reload) {
    EXPECT_TRUE(table_.KnewOwn(kOther, kEarlier, Sequence(8)));
    EXPECT_FALSE(table_.KnewOwn(kOther, kEarlier, Sequence(9)));
    EXPECT_TRUE(table_.KnewOwn(kOther, between, Sequence(4)));
    EXPECT_FALSE(table_.KnewOwn(kOther, between, Sequence(5)));
    EXPECT_FALSE(table_.KnewOwn(stranger, kEarlier, Sequence(1)));
    for (auto& [origin, state] : table_.states()) state.dirty = true;
    table_ = Reloaded();
  }
}

TEST_F(OriginTableTest, WhatASeedingJumpsOverIsKnownAsIfItHadBeenApplied) {
  Applied(kOther, 3);
  table_.Learn(table_.At(kOther), At(kThird, 7));
  SeededOrigin seeded = Seeded(kOther, 6);
  for (const Position& known : {At(kSelf, 4)[0], At(kThird, 5)[0]}) {
    *seeded.position.add_knows() = known;
  }
  table_.TakeSeeded({seeded}, *staging_);
  EXPECT_EQ(*table_.At(kOther).knows,
            (KnownPositions{{kSelf, Sequence(4)}, {kThird, Sequence(7)}}));
  EXPECT_TRUE(table_.KnewOwn(kOther, kSelf, Sequence(4)));
  EXPECT_FALSE(table_.KnewOwn(kOther, kSelf, Sequence(5)));
  // A cut that is behind says nothing new, and one that is ahead of others' entries nothing of
  // these.
  seeded.position.mutable_knows(0)->set_sequence(9);
  table_.TakeSeeded({seeded}, *staging_);
  EXPECT_FALSE(table_.KnewOwn(kOther, kSelf, Sequence(5)));
}

TEST_F(OriginTableTest, DependenciesBeyondAClosedEndPass) {
  Applied(kOther, 5);
  auto missing = table_.FirstMissing(At(kOther, 9));
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(missing->sequence, Sequence(9));
  table_.At(kOther).closed_end = Sequence(7);
  missing = table_.FirstMissing(At(kOther, 9));
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(missing->sequence, Sequence(7));
  Applied(kOther, 7);
  EXPECT_FALSE(table_.FirstMissing(At(kOther, 9)).has_value());
}

TEST_F(OriginTableTest, AChainEntryFreezesAndClosesOriginsButNeverTheOneThatRunsHere) {
  OriginChain chain;
  chain.set_replica("r1/a");
  chain.add_closing(kThird.value());
  chain.add_closing(kSelf.value());
  table_.ApplyChain(chain, StampAt(kOther, 5), kSelf);
  EXPECT_TRUE(table_.Find(kThird)->frozen);
  EXPECT_FALSE(table_.Find(kSelf)->frozen);
  chain.clear_closing();
  *chain.add_closed() = At(kThird, 12)[0];
  *chain.add_closed() = At(kSelf, 0)[0];
  table_.ApplyChain(chain, StampAt(kOther, 6), kSelf);
  EXPECT_FALSE(table_.Find(kThird)->frozen);
  EXPECT_EQ(table_.Find(kThird)->closed_end, Sequence(12));
  EXPECT_FALSE(table_.Find(kSelf)->closed_end.has_value());
  // Twice is once, and an end that was given stays.
  chain.mutable_closed(0)->set_sequence(13);
  chain.add_closing(kThird.value());
  table_.ApplyChain(chain, StampAt(kOther, 7), kSelf);
  EXPECT_EQ(table_.Find(kThird)->closed_end, Sequence(12));
  EXPECT_FALSE(table_.Find(kThird)->frozen);
}

TEST_F(OriginTableTest, OfTwoEndsOfAnOriginTheLesserCountsInWhateverOrderTheyCome) {
  for (const auto& [first, second] : {std::pair(7, 9), std::pair(9, 7)}) {
    OriginTable table(ReplicaName("r0/a"));
    for (const int end : {first, second}) {
      OriginChain chain;
      *chain.add_closed() = At(kOther, end)[0];
      table.ApplyClosing(chain, kSelf);
    }
    EXPECT_EQ(table.Find(kOther)->closed_end, Sequence(7));
  }
}

TEST_F(OriginTableTest, ATokenBeyondAClosedEndIsNotHiddenByTheChainEntryThatCoversTheRest) {
  table_.Cover(table_.At(kOther), StampAt(kThird, 1), Sequence(9));
  OriginChain chain;
  *chain.add_closed() = At(kOther, 7)[0];
  table_.ApplyClosing(chain, kSelf);
  EXPECT_EQ(table_.Find(kOther)->covered_end, Sequence(7));
}

TEST_F(OriginTableTest, SeededPositionsAreTheGreaterOfBothOriginByOrigin) {
  Applied(kOther, 5);
  table_.TakeSeeded({Seeded(kOther, 3), Seeded(kThird, 8)}, *staging_);
  EXPECT_EQ(table_.Find(kOther)->applied, Sequence(5));
  EXPECT_EQ(table_.Find(kOther)->log.begin(), Sequence(1));
  const OriginState& third = *table_.Find(kThird);
  EXPECT_EQ(third.received, Sequence(8));
  EXPECT_EQ(third.applied, Sequence(8));
  EXPECT_EQ(third.applied_time, HybridTime(80));
  EXPECT_EQ(third.received_time, HybridTime(80));
  EXPECT_EQ(third.first_time, HybridTime(10));
  EXPECT_EQ(third.watermark, HybridTime(80));
  EXPECT_EQ(third.log.begin(), Sequence(9));
}

TEST_F(OriginTableTest, WhatWasReceivedBeyondTheCutStaysToBeApplied) {
  OriginState& state = Applied(kOther, 2);
  for (uint64_t i = 3; i <= 9; ++i) state.Receive(Sequence(i), HybridTime(10 * i), 1);
  state.block = OriginBlock{OriginBlock::Kind::kDependency, kThird, Sequence(1), HybridTime()};
  table_.TakeSeeded({Seeded(kOther, 6)}, *staging_);
  EXPECT_EQ(state.applied, Sequence(6));
  EXPECT_EQ(state.received, Sequence(9));
  EXPECT_EQ(state.received_time, HybridTime(90));
  EXPECT_EQ(state.log.begin(), Sequence(1));
  EXPECT_EQ(state.first_time, HybridTime(10));
  EXPECT_FALSE(state.block.has_value());
}

TEST_F(OriginTableTest, ALogThatEndsBeforeTheCutBeginsAnewBehindIt) {
  OriginState& state = Applied(kOther, 2);
  staging_->Put(Table::kLog, LogKey(kOther, Sequence(1)), "");
  staging_->Put(Table::kLog, LogKey(kOther, Sequence(2)), "");
  table_.StagePositions(HybridTime(1), 1, *staging_);
  ASSERT_TRUE(staging_->Write().ok());
  state.Receive(Sequence(3), HybridTime(30), 1);
  staging_->Put(Table::kLog, LogKey(kOther, Sequence(3)), "");
  table_.TakeSeeded({Seeded(kOther, 6)}, *staging_);
  const OriginTable table = Reloaded();
  EXPECT_EQ(table.Find(kOther)->received, Sequence(6));
  EXPECT_EQ(table.Find(kOther)->log.begin(), Sequence(7));
  EXPECT_EQ(table.Find(kOther)->log.bytes(), 0u);
  EXPECT_TRUE(table.Find(kOther)->log.segments().empty());
  auto it = engine_->Iterate(Table::kLog);
  it->Seek("");
  EXPECT_FALSE(it->Valid());
}

TEST_F(OriginTableTest, WhatChainEntriesWithinTheCutSayIsTakenOverAndNothingBeyondIt) {
  SeededOrigin covered = Seeded(kOther, 9);
  covered.position.set_replica("r1/a");
  covered.position.set_covered_by(kThird.value());
  covered.position.set_covered_at(2);
  covered.position.set_covered_end(9);
  table_.TakeSeeded({covered, Seeded(kThird, 1)}, *staging_);
  EXPECT_EQ(table_.Find(kOther)->covered_by, Origin(0));
  table_.TakeSeeded({covered, Seeded(kThird, 2)}, *staging_);
  EXPECT_EQ(table_.Find(kOther)->covered_by, kThird);
  EXPECT_EQ(table_.Find(kOther)->covered_at, Sequence(2));
  EXPECT_EQ(table_.Find(kOther)->covered_end, Sequence(9));
}

TEST_F(OriginTableTest, TheEndOfAnOriginIsTakenOver) {
  SeededOrigin closed = Seeded(kThird, 9);
  closed.position.set_replica("r2/a");
  closed.position.set_closed_end(9);
  SeededOrigin frozen = Seeded(kOther, 1);
  frozen.position.set_frozen(true);
  table_.TakeSeeded({closed, frozen}, *staging_);
  EXPECT_EQ(table_.Find(kThird)->closed_end, Sequence(9));
  EXPECT_EQ(*table_.Find(kThird)->replica, ReplicaName("r2/a"));
  EXPECT_TRUE(table_.Find(kOther)->frozen);
}

}  // namespace
}  // namespace homeport
