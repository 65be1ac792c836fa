// The parts of seeding by themselves: what a sender sends, what a receiver refuses, whom a planner
// asks.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/seed_chunk.h"
#include "storage/replication/seed_cut.h"
#include "storage/replication/seed_planner.h"
#include "storage/replication/seed_receiver.h"
#include "storage/replication/seed_sender.h"
#include "tests/unit/storage/replication/mesh.h"

namespace homeport {
namespace {

using internal::v1::SeedBlock;
using internal::v1::SeedChunk;
using internal::v1::SeedRequest;
using internal::v1::StoredItem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Origin kPeerOrigin(77);

StoredItem ItemBy(Origin origin, uint64_t sequence, const std::string& value) {
  StoredItem item;
  item.set_timestamp(sequence);
  item.set_origin(origin.value());
  item.set_sequence(sequence);
  item.set_value(value);
  return item;
}

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& what) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

class SeedSenderTest : public testing::Test {
 protected:
  SeedSenderTest() : engine_(*MemoryEngine::Open(std::make_shared<MemoryDisk>())) {
    view_.origins.push_back({});
    view_.origins.back().origin = kPeerOrigin;
    view_.origins.back().received = Sequence(100);
    view_.origins.back().applied = Sequence(90);
  }

  void Store(const std::string& id, const std::string& value) {
    WriteBatch batch;
    batch.Put(Table::kItems, ItemKey("all", id, ""),
              ItemBy(kPeerOrigin, 1, value).SerializeAsString());
    ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  void Remember(const std::string& id) {
    internal::v1::StoredRequest request;
    request.set_origin(kPeerOrigin.value());
    WriteBatch batch;
    batch.Put(Table::kRequests, RequestKey("all", id), request.SerializeAsString());
    ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  static SeedRequest Ask() {
    SeedRequest request;
    request.set_number(3);
    request.set_namespace_("all");
    return request;
  }
  // Everything that is to be had at once.
  std::vector<SeedChunk> Drain(SeedSender& sender) {
    std::vector<SeedChunk> chunks;
    while (true) {
      auto chunk = sender.Next(view_, now_);
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok() || !chunk->has_value()) return chunks;
      chunks.push_back(**chunk);
    }
  }
  static std::vector<std::string> Ids(const std::vector<SeedChunk>& chunks) {
    std::vector<std::string> ids;
    for (const SeedChunk& chunk : chunks) {
      auto block = UnpackSeedBlock(chunk);
      EXPECT_TRUE(block.ok()) << block.status();
      for (const auto& item : block->items()) ids.push_back(ParseItemKey(item.key())->record_id);
      for (const auto& id : block->request_ids()) ids.push_back(id.key().substr(5));
    }
    return ids;
  }

  std::unique_ptr<KvEngine> engine_;
  ReplicaView view_;
  SteadyTime now_ = absl::Hours(1);
};

TEST_F(SeedSenderTest, SendsItemsThenRequestIdsInRangesThatFollowEachOther) {
  for (const char* id : {"a", "b", "c"}) Store(id, std::string(100, *id));
  Remember("r1");
  Remember("r2");
  SeedSender sender({.chunk_bytes = 300, .chunk_items = 1000}, engine_.get());
  sender.OnRequest(Ask(), absl::OkStatus());
  const std::vector<SeedChunk> chunks = Drain(sender);
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_THAT(Ids(chunks), ElementsAre("a", "b", "c", "r1", "r2"));
  SeedPlace place;
  for (const SeedChunk& chunk : chunks) {
    EXPECT_EQ(chunk.number(), 3u);
    auto range = RangeOf(chunk);
    ASSERT_TRUE(range.ok()) << range.status();
    EXPECT_TRUE(range->from == place);
    place = range->to;
  }
  EXPECT_TRUE(place == SeedEnd());
  EXPECT_FALSE(sender.active());
  EXPECT_TRUE(chunks[0].first());
  ASSERT_EQ(chunks[0].cut_size(), 1);
  EXPECT_EQ(chunks[0].cut(0).sequence(), 90u);
  EXPECT_EQ(chunks[1].cut_size(), 0);
}

TEST_F(SeedSenderTest, ShowsOneStateHoweverLongItTakes) {
  for (const char* id : {"a", "b"}) Store(id, std::string(100, *id));
  SeedSender sender({.chunk_bytes = 10}, engine_.get());
  sender.OnRequest(Ask(), absl::OkStatus());
  auto first = sender.Next(view_, now_);
  ASSERT_TRUE(first.ok() && first->has_value());
  Store("c", "later");
  EXPECT_THAT(Ids(Drain(sender)), ElementsAre("b"));
}

TEST_F(SeedSenderTest, GoesOnAfterAKey) {
  for (const char* id : {"a", "b", "c"}) Store(id, id);
  SeedSender sender({}, engine_.get());
  SeedRequest request = Ask();
  request.set_after_key(ItemKey("all", "a", ""));
  sender.OnRequest(request, absl::OkStatus());
  EXPECT_THAT(Ids(Drain(sender)), ElementsAre("b", "c"));
}

TEST_F(SeedSenderTest, WaitsUntilItHasAppliedWhatTheReceiverNeeds) {
  Store("a", "1");
  SeedSender sender({}, engine_.get());
  SeedRequest request = Ask();
  internal::v1::Position* needed = request.add_at_least();
  needed->set_origin(kPeerOrigin.value());
  needed->set_sequence(91);
  sender.OnRequest(request, absl::OkStatus());
  EXPECT_TRUE(Drain(sender).empty());
  EXPECT_TRUE(sender.active());
  view_.origins[0].applied = Sequence(91);
  EXPECT_THAT(Ids(Drain(sender)), ElementsAre("a"));
}

TEST_F(SeedSenderTest, KeepsToItsSpeed) {
  // Values that do not compress.
  for (int i = 0; i < 40; ++i) {
    std::string value;
    uint64_t x = i + 1;
    for (int k = 0; k < 1000; ++k) {
      x = x * 6364136223846793005ull + 1442695040888963407ull;
      value.push_back(static_cast<char>(x >> 56));
    }
    Store(absl::StrCat("id", i), value);
  }
  SeedSender sender({.chunk_bytes = 1000, .bytes_per_second = 10'000}, engine_.get());
  sender.OnRequest(Ask(), absl::OkStatus());
  const size_t burst = Drain(sender).size();
  EXPECT_GE(burst, 9u);
  EXPECT_LE(burst, 11u);
  // The last chunk went beyond what may be sent; that is made up for first.
  EXPECT_TRUE(Drain(sender).empty());
  now_ += absl::Seconds(1);
  const size_t second = Drain(sender).size();
  EXPECT_GE(second, 9u);
  EXPECT_LE(second, 11u);
}

TEST_F(SeedSenderTest, DeclinesWithTheReason) {
  SeedSender sender({}, engine_.get());
  sender.OnRequest(Ask(), absl::FailedPreconditionError("not whole"));
  const std::vector<SeedChunk> chunks = Drain(sender);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].declined(), "not whole");
  EXPECT_FALSE(sender.active());
}

TEST_F(SeedSenderTest, NumberZeroEndsIt) {
  Store("a", "1");
  SeedSender sender({}, engine_.get());
  sender.OnRequest(Ask(), absl::OkStatus());
  sender.OnRequest(SeedRequest(), absl::OkStatus());
  EXPECT_TRUE(Drain(sender).empty());
}

// Chunks for replica 1 of a mesh, which seeds itself whole.
class HostileChunkTest : public testing::Test {
 protected:
  HostileChunkTest() : mesh_(2) {
    mesh_.core(1).StageSeedAll({"all"});
    EXPECT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  }

  static SeedChunk Chunk(const SeedBlock& block) {
    SeedChunk chunk;
    chunk.set_number(1);
    chunk.set_namespace_("all");
    chunk.set_first(true);
    PackSeedBlock(block, chunk);
    return chunk;
  }
  static SeedBlock Block(const std::vector<std::string>& ids) {
    SeedBlock block;
    for (const std::string& id : ids) {
      internal::v1::SeedItem* item = block.add_items();
      item->set_key(ItemKey("all", id, ""));
      item->set_item(ItemBy(kPeerOrigin, 1, id).SerializeAsString());
    }
    return block;
  }
  absl::Status Stage(const SeedChunk& chunk, const std::string& peer = "r0/a") {
    return mesh_.core(1).StageSeedChunk(ReplicaName(peer), chunk, mesh_.Now(1));
  }
  // True if nothing of what came is here.
  bool Untouched() {
    EXPECT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
    return mesh_.Items(1).empty() &&
           mesh_.core(1).view()->seeding->Find("all")->place == SeedPlace();
  }

  Mesh mesh_;
};

TEST_F(HostileChunkTest, ANamespaceThatTheRegionMayNotHoldIsDenied) {
  Mesh mesh(3);
  SeedChunk chunk = Chunk(SeedBlock());
  chunk.set_namespace_("some");
  ExpectError(mesh.core(2).StageSeedChunk(ReplicaName("r0/a"), chunk, mesh.Now(2)),
              absl::StatusCode::kPermissionDenied, "some");
  chunk.set_namespace_("unheard of");
  ExpectError(mesh.core(2).StageSeedChunk(ReplicaName("r0/a"), chunk, mesh.Now(2)),
              absl::StatusCode::kPermissionDenied, "unheard of");
}

TEST_F(HostileChunkTest, WhatNobodyAskedForIsDropped) {
  SeedChunk chunk = Chunk(Block({"a"}));
  chunk.set_first(false);
  EXPECT_EQ(Stage(chunk), absl::OkStatus());
  Mesh idle(2);
  EXPECT_EQ(idle.core(1).StageSeedChunk(ReplicaName("r0/a"), Chunk(Block({"a"})), idle.Now(1)),
            absl::OkStatus());
  EXPECT_FALSE(idle.core(1).HasBacklog());
  EXPECT_TRUE(Untouched());
}

TEST_F(HostileChunkTest, DamageIsFound) {
  SeedChunk chunk = Chunk(Block({"a"}));
  chunk.set_checksum(chunk.checksum() + 1);
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "is damaged");
  chunk = Chunk(Block({std::string(1000, 'a')}));
  ASSERT_NE(chunk.uncompressed_bytes(), 0u);
  chunk.mutable_block()->resize(chunk.block().size() / 2);
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "does not decompress");
  SeedBlock block = Block({"a"});
  block.mutable_items(0)->set_item("no item");
  ExpectError(Stage(Chunk(block)), absl::StatusCode::kDataLoss, "an item of a seeding");
  EXPECT_TRUE(Untouched());
}

TEST_F(HostileChunkTest, AChunkOverTheLimitIsRefusedBeforeItIsUnpacked) {
  SeedChunk chunk = Chunk(Block({"a"}));
  chunk.set_uncompressed_bytes(kBlockBytesMax + 1);
  ExpectError(Stage(chunk), absl::StatusCode::kInvalidArgument, "over the limit");
}

TEST_F(HostileChunkTest, KeysAreInOrderAndInsideTheRangeAndTheNamespace) {
  ExpectError(Stage(Chunk(Block({"b", "a"}))), absl::StatusCode::kDataLoss, "in order");
  ExpectError(Stage(Chunk(Block({"a", "a"}))), absl::StatusCode::kDataLoss, "in order");
  SeedChunk chunk = Chunk(Block({"a", "c"}));
  chunk.set_to_key(ItemKey("all", "b", ""));
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "range does not cover");
  SeedBlock block = Block({"a"});
  block.mutable_items(0)->set_key(ItemKey("some", "a", ""));
  ExpectError(Stage(Chunk(block)), absl::StatusCode::kDataLoss, "range does not cover");
  block.mutable_items(0)->set_key("all");
  ExpectError(Stage(Chunk(block)), absl::StatusCode::kDataLoss, "range does not cover");
  EXPECT_TRUE(Untouched());
}

TEST_F(HostileChunkTest, RangesThatContradictThemselvesAreRefused) {
  SeedChunk chunk = Chunk(SeedBlock());
  chunk.set_last(true);  // with request ids to come
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "covers no range");
  chunk = Chunk(SeedBlock());
  chunk.set_after_key(ItemKey("all", "b", ""));
  chunk.set_to_key(ItemKey("all", "a", ""));
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "covers no range");
  chunk.set_to_key(ItemKey("some", "z", ""));
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "covers no range");
}

TEST_F(HostileChunkTest, NoRangeIsLeftOut) {
  SeedChunk chunk = Chunk(Block({"c"}));
  chunk.set_after_key(ItemKey("all", "b", ""));
  ExpectError(Stage(chunk), absl::StatusCode::kFailedPrecondition, "beyond what was asked for");
  chunk = Chunk(Block({"a"}));
  chunk.set_to_key(ItemKey("all", "b", ""));
  EXPECT_EQ(Stage(chunk), absl::OkStatus());
  chunk = Chunk(Block({"d"}));
  chunk.set_first(false);
  chunk.set_after_key(ItemKey("all", "c", ""));
  ExpectError(Stage(chunk), absl::StatusCode::kFailedPrecondition, "do not follow each other");
}

TEST_F(HostileChunkTest, ACutCanNotNameEntriesThatThisStartNeverMade) {
  SeedChunk chunk = Chunk(SeedBlock());
  internal::v1::SeedPosition* position = chunk.add_cut();
  position->set_origin(mesh_.core(1).self().value());
  position->set_sequence(1000);
  ExpectError(Stage(chunk), absl::StatusCode::kFailedPrecondition, "own origin");
  *chunk.add_cut() = chunk.cut(0);
  ExpectError(Stage(chunk), absl::StatusCode::kDataLoss, "names an origin twice");
}

TEST_F(HostileChunkTest, TimesTooFarAheadAreRefusedUntilTheClockIsThere) {
  SeedBlock block = Block({"a"});
  StoredItem item = ItemBy(kPeerOrigin, 1, "a");
  item.set_timestamp(FromWallTime(mesh_.Now(1).wall + absl::Minutes(5)).value());
  block.mutable_items(0)->set_item(item.SerializeAsString());
  ExpectError(Stage(Chunk(block)), absl::StatusCode::kFailedPrecondition, "too far ahead");
  EXPECT_TRUE(Untouched());
  mesh_.Advance(absl::Minutes(5));
  EXPECT_EQ(Stage(Chunk(block)), absl::OkStatus());
}

TEST_F(HostileChunkTest, AWriteAfterASeededValueIsLaterThanIt) {
  SeedBlock block = Block({"a"});
  StoredItem item = ItemBy(kPeerOrigin, 1, "seeded");
  item.set_timestamp(FromWallTime(mesh_.Now(1).wall + absl::Milliseconds(200)).value());
  block.mutable_items(0)->set_item(item.SerializeAsString());
  ASSERT_EQ(Stage(Chunk(block)), absl::OkStatus());
  ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  auto name = mesh_.Put(1, "all", "b", "written after");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_GT(name->version.time, HybridTime(item.timestamp()));
}

// The writer's own entry is applied at once, so it may rest on nothing that is not.
TEST_F(HostileChunkTest, AWriteOverASeededValueIsRefusedUntilThatIsApplied) {
  ASSERT_EQ(Stage(Chunk(Block({"a"}))), absl::OkStatus());
  ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  const Sequence before = mesh_.core(1).view()->ReceivedOf(mesh_.core(1).self());
  for (const absl::Status& status :
       {mesh_.Put(1, "all", "a", "over").status(), mesh_.Delete(1, "all", "a").status()}) {
    ExpectError(status, absl::StatusCode::kUnavailable, "changes[0] would replace entry 1 of");
    EXPECT_EQ(ReasonOf(status), reason::kCatchingUp);
    EXPECT_EQ(ErrorMetadataOf(status, "replica"), "r1/a");
  }
  EXPECT_EQ(mesh_.core(1).view()->ReceivedOf(mesh_.core(1).self()), before);
  EXPECT_EQ(mesh_.Get(1, "all", "a"), "a");

  internal::v1::Entry chain;
  chain.set_origin(kPeerOrigin.value());
  chain.set_sequence(1);
  chain.set_timestamp(FromWallTime(mesh_.Now(1).wall).value());
  chain.mutable_chain()->set_replica("r0/a");
  ASSERT_EQ(mesh_.core(1).StageEntry(chain.SerializeAsString()), absl::OkStatus());
  ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  const auto name = mesh_.Put(1, "all", "a", "over");
  EXPECT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(mesh_.Get(1, "all", "a"), "over");
}

// An old disk may name entries that everybody has applied and forgotten.
TEST_F(HostileChunkTest, WhatThisReplicaHasAppliedAndNotKeptDoesNotComeBack) {
  internal::v1::Entry chain;
  chain.set_origin(kPeerOrigin.value());
  chain.set_sequence(1);
  chain.set_timestamp(FromWallTime(mesh_.Now(1).wall).value());
  chain.mutable_chain()->set_replica("r0/a");
  ASSERT_EQ(mesh_.core(1).StageEntry(chain.SerializeAsString()), absl::OkStatus());
  ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());

  SeedBlock block = Block({"a", "b"});
  block.mutable_items(1)->set_item(ItemBy(kPeerOrigin, 2, "newer").SerializeAsString());
  ASSERT_EQ(Stage(Chunk(block)), absl::OkStatus());
  ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  EXPECT_EQ(mesh_.Get(1, "all", "a"), std::nullopt);
  EXPECT_EQ(mesh_.Get(1, "all", "b"), "newer");
}

// Two namespaces of a whole seeding of r1, from r0. r2 writes in "all" only.
class LeastCutTest : public testing::Test {
 protected:
  LeastCutTest() : mesh_(3) {
    mesh_.core(1).StageSeedAll({"all", "some"});
    EXPECT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  }
  static void Cover(SeedChunk& chunk, Origin origin, const std::string& replica, uint64_t to,
                    const std::map<std::string, uint64_t>& changes = {}) {
    internal::v1::SeedPosition* position = chunk.add_cut();
    position->set_origin(origin.value());
    position->set_sequence(to);
    position->set_applied_timestamp(to);
    position->set_first_timestamp(1);
    position->set_replica(replica);
    position->set_changes_known(!changes.empty());
    for (const auto& [name, sequence] : changes) {
      internal::v1::LastChange* change = position->add_changes();
      change->set_namespace_(name);
      change->set_sequence(sequence);
    }
  }
  // Takes a namespace in which there is nothing, by the cut in `chunk`.
  void Seed(const std::string& name, SeedChunk chunk) {
    chunk.set_number(++asked_);
    chunk.set_namespace_(name);
    chunk.set_first(true);
    Take(chunk);
    SeedChunk ids;
    ids.set_number(asked_);
    ids.set_namespace_(name);
    ids.set_after_request_key(RequestIdsOf(name).key);
    ids.set_last(true);
    Take(ids);
  }
  void Take(SeedChunk chunk) {
    PackSeedBlock(SeedBlock(), chunk);
    const absl::Status status =
        mesh_.core(1).StageSeedChunk(ReplicaName("r0/a"), chunk, mesh_.Now(1));
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  }
  Sequence Applied(Origin origin) { return mesh_.core(1).view()->AppliedOf(origin); }

  const Origin of_r0_{70};
  const Origin of_r2_{72};
  Mesh mesh_;
  SeedChunk all_;
  SeedChunk some_;
  uint64_t asked_ = 0;
};

TEST_F(LeastCutTest, ANamespaceDoesNotLimitAnOriginThatNeverWritesIt) {
  for (SeedChunk* chunk : {&all_, &some_}) Cover(*chunk, of_r0_, "r0/a", 9);
  Cover(all_, of_r2_, "r2/a", 5);
  Cover(some_, of_r2_, "r2/a", 2);
  Seed("all", all_);
  Seed("some", some_);
  EXPECT_EQ(mesh_.core(1).view()->seeding, nullptr);
  EXPECT_EQ(Applied(of_r0_), Sequence(9));
  EXPECT_EQ(Applied(of_r2_), Sequence(5));
}

TEST_F(LeastCutTest, NorDoesOneWhoseHoldersHaveNothingOfThatOrigin) {
  for (SeedChunk* chunk : {&all_, &some_}) Cover(*chunk, of_r0_, "r0/a", 9);
  Cover(all_, of_r2_, "r2/a", 5);
  Seed("all", all_);
  Seed("some", some_);
  EXPECT_EQ(mesh_.core(1).view()->seeding, nullptr);
  EXPECT_EQ(Applied(of_r0_), Sequence(9));
  EXPECT_EQ(Applied(of_r2_), Sequence(5));
}

TEST_F(LeastCutTest, NorAnOriginWhoseEntriesThatItLacksHaveNotChangedIt) {
  Cover(all_, of_r0_, "r0/a", 9, {{"all", 9}, {"some", 6}});
  Cover(some_, of_r0_, "r0/a", 6, {{"all", 5}, {"some", 6}});
  Seed("all", all_);
  Seed("some", some_);
  EXPECT_EQ(Applied(of_r0_), Sequence(9));
}

// Its region may have held the namespace then.
TEST_F(LeastCutTest, ItDoesIfThatOriginChangedItThoughItMayNotAnyMore) {
  Cover(all_, of_r2_, "r2/a", 5, {{"all", 5}, {"some", 3}});
  Cover(some_, of_r2_, "r2/a", 2, {{"some", 2}});
  Seed("all", all_);
  Seed("some", some_);
  EXPECT_EQ(Applied(of_r2_), Sequence(2));
}

TEST_F(LeastCutTest, ItDoesIfItLacksWhatThatOriginMayRestOn) {
  Cover(all_, of_r0_, "r0/a", 9);
  Cover(some_, of_r0_, "r0/a", 8);
  Cover(all_, of_r2_, "r2/a", 5);
  Cover(some_, of_r2_, "r2/a", 2);
  Seed("all", all_);
  Seed("some", some_);
  EXPECT_EQ(mesh_.core(1).view()->seeding, nullptr);
  EXPECT_EQ(Applied(of_r0_), Sequence(8));
  EXPECT_EQ(Applied(of_r2_), Sequence(2));
}

TEST_F(HostileChunkTest, ChunksOfAnEarlierRequestDoNotMixWithAnother) {
  SeedChunk first = Chunk(Block({"a"}));
  first.set_to_key(ItemKey("all", "b", ""));
  ASSERT_EQ(Stage(first), absl::OkStatus());
  SeedChunk other = Chunk(Block({"c"}));
  other.set_first(false);
  other.set_number(2);
  other.set_after_key(first.to_key());
  EXPECT_EQ(Stage(other), absl::OkStatus());
  other.set_number(1);
  EXPECT_EQ(Stage(other, "r7/a"), absl::OkStatus());
  ASSERT_TRUE(mesh_.core(1).Commit(mesh_.Now(1)).ok());
  EXPECT_EQ(mesh_.Items(1).size(), 1u);
  EXPECT_EQ(mesh_.core(1).view()->seeding->Find("all")->place.key, first.to_key());
}

TEST_F(HostileChunkTest, ACommitLooksAtABoundedNumberOfItems) {
  Mesh mesh(2);
  SeedReceiver::Options few;
  few.step_items = 10;
  mesh.SetSeeding(few, {});
  mesh.Crash(1);
  mesh.Start(1);
  for (int i = 0; i < 95; ++i) ASSERT_TRUE(mesh.Put(1, "all", absl::StrCat("m", i), "1").ok());
  mesh.core(1).StageSeedAll({"all"});
  ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
  // The peer has nothing, so every item here is looked at, and kept.
  ASSERT_EQ(mesh.core(1).StageSeedChunk(ReplicaName("r0/a"), Chunk(SeedBlock()), mesh.Now(1)),
            absl::OkStatus());
  int commits = 0;
  while (mesh.core(1).HasBacklog()) {
    ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
    ASSERT_LT(++commits, 20);
  }
  EXPECT_EQ(commits, 10);
  EXPECT_EQ(mesh.Items(1).size(), 95u);
}

TEST_F(HostileChunkTest, ChunksBeyondTheQueueAreDroppedAndAskedForAgain) {
  Mesh mesh(2);
  SeedReceiver::Options small;
  small.queue_bytes = 10;
  mesh.SetSeeding(small, {});
  mesh.Crash(1);
  mesh.Start(1);
  mesh.core(1).StageSeedAll({"all"});
  ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
  const uint64_t generation = mesh.core(1).view()->seeding->generation;
  SeedChunk first = Chunk(Block({"a"}));
  first.set_to_key(ItemKey("all", "b", ""));
  SeedChunk second = Chunk(Block({"c"}));
  second.set_first(false);
  second.set_after_key(first.to_key());
  ASSERT_EQ(mesh.core(1).StageSeedChunk(ReplicaName("r0/a"), first, mesh.Now(1)), absl::OkStatus());
  ASSERT_EQ(mesh.core(1).StageSeedChunk(ReplicaName("r0/a"), second, mesh.Now(1)),
            absl::OkStatus());
  ASSERT_TRUE(mesh.core(1).Commit(mesh.Now(1)).ok());
  EXPECT_GT(mesh.core(1).view()->seeding->generation, generation);
}

TEST(SeedCutTest, TheLesserOfTwoCutsIsTheLesserOfEachOrigin) {
  SeedCut a;
  SeedCut b;
  a[Origin(1)].sequence = Sequence(10);
  b[Origin(1)].sequence = Sequence(5);
  b[Origin(1)].replica = "r0/a";
  a[Origin(2)].sequence = Sequence(3);
  b[Origin(3)].sequence = Sequence(3);
  const SeedCut least = LesserCut(a, b);
  ASSERT_EQ(least.size(), 1u);
  EXPECT_EQ(least.at(Origin(1)).sequence, Sequence(5));
  EXPECT_EQ(least.at(Origin(1)).replica, "r0/a");
  EXPECT_EQ(SequenceIn(least, Origin(2)), Sequence(0));
}

TEST(SeedCutTest, AnOriginThatIsBeingClosedIsNamedThoughNothingOfItIsThere) {
  ReplicaView view;
  for (const uint64_t origin : {1, 2, 3}) {
    OriginView one;
    one.origin = Origin(origin);
    view.origins.push_back(one);
  }
  view.origins[0].frozen = true;
  view.origins[1].closed_end = Sequence(0);
  internal::v1::SeedChunk chunk;
  AddCut(CutOf(view), chunk.mutable_cut());
  const auto cut = ParseCut(chunk.cut());
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->size(), 2u);
  EXPECT_TRUE(cut->at(Origin(1)).frozen);
  EXPECT_EQ(cut->at(Origin(2)).closed_end, Sequence(0));
}

TEST(SeedCutTest, AChainEntryCountsOnlyWhereTheLesserCutHasIt) {
  SeedCut a;
  a[Origin(1)].sequence = Sequence(10);
  a[Origin(1)].covered_by = Origin(2);
  a[Origin(1)].covered_at = Sequence(1);
  a[Origin(1)].covered_end = Sequence(10);
  a[Origin(2)].sequence = Sequence(4);
  SeedCut b = a;
  EXPECT_EQ(LesserCut(a, b).at(Origin(1)).covered_by, Origin(2));
  b.erase(Origin(2));
  b[Origin(1)].covered_by = Origin(0);
  EXPECT_EQ(LesserCut(a, b).at(Origin(1)).covered_by, Origin(0));
  EXPECT_EQ(LesserCut(b, a).at(Origin(1)).covered_by, Origin(0));
}

// The planner sees links that tests move by hand.
class SeedPlannerTest : public testing::Test {
 protected:
  SeedPlannerTest() : mesh_(4) {
    view_.self = Origin(1000);
    for (int i = 1; i < 4; ++i) {
      receivers_.push_back(std::make_unique<LinkReceiver>(
          LinkReceiver::Options{"mesh", Mesh::NameOf(0), Mesh::NameOf(i), 4000}));
    }
  }

  // The link from `peer` is up, and the peer has `applied` of origin 5.
  void Connect(int peer, uint64_t applied, const std::vector<std::string>& partial = {}) {
    LinkReceiver& receiver = *receivers_[peer - 1];
    receiver.OnConnected("fingerprint", view_, absl::UnixEpoch());
    internal::v1::PullResponse hello;
    hello.mutable_hello()->set_cluster("mesh");
    hello.mutable_hello()->set_replica(Mesh::NameOf(peer).value());
    internal::v1::OriginReport* report = hello.mutable_hello()->add_origins();
    report->set_origin(5);
    report->set_replica("r3/a");
    report->set_received(applied);
    report->set_applied(applied);
    for (const std::string& name : partial) hello.mutable_hello()->add_partial_namespaces(name);
    ASSERT_TRUE(receiver.OnResponse(hello, now_).ok());
  }
  void Truncate(int peer, uint64_t end) {
    internal::v1::PullResponse response;
    internal::v1::Position* truncated = response.add_truncated();
    truncated->set_origin(5);
    truncated->set_sequence(end);
    ASSERT_TRUE(receivers_[peer - 1]->OnResponse(response, now_).ok());
  }
  SeedPlan Plan(bool down = true) {
    std::vector<RelayCandidate> candidates;
    for (int i = 1; i < 4; ++i) {
      const LinkReceiver* receiver = receivers_[i - 1].get();
      candidates.push_back(
          {Mesh::NameOf(i), receiver->established(), !receiver->established() && down, receiver});
    }
    return PlanSeeding(view_, Mesh::NameOf(0), *mesh_.topology(), candidates);
  }
  void Seeding(bool whole, const std::vector<std::string>& names) {
    auto seeding = std::make_shared<SeedView>();
    seeding->whole_replica = whole;
    for (const std::string& name : names) {
      seeding->namespaces.emplace_back();
      seeding->namespaces.back().name = name;
    }
    view_.seeding = std::move(seeding);
  }

  Mesh mesh_;
  ReplicaView view_;
  std::vector<std::unique_ptr<LinkReceiver>> receivers_;
  SteadyTime now_ = absl::Hours(1);
};

TEST_F(SeedPlannerTest, BeginsOnlyWhenNoLogHasWhatIsMissing) {
  Connect(1, 100);
  Connect(2, 100);
  EXPECT_FALSE(Plan().seed_all.has_value());
  Truncate(1, 50);
  EXPECT_FALSE(Plan().seed_all.has_value());
  Truncate(2, 60);
  ASSERT_TRUE(Plan().seed_all.has_value());
  EXPECT_THAT(*Plan().seed_all, ElementsAre("all", "some"));
}

TEST_F(SeedPlannerTest, WaitsForLinksThatMayComeUp) {
  Connect(1, 100);
  Connect(2, 100);
  Truncate(1, 50);
  Truncate(2, 60);
  EXPECT_FALSE(Plan(/*down=*/false).seed_all.has_value());
  EXPECT_TRUE(Plan(/*down=*/true).seed_all.has_value());
}

TEST_F(SeedPlannerTest, DoesNotBeginAnewWhatIsUnderWay) {
  Connect(1, 100);
  Truncate(1, 50);
  Seeding(true, {"all"});
  EXPECT_FALSE(Plan().seed_all.has_value());
  Seeding(false, {"some"});
  EXPECT_TRUE(Plan().seed_all.has_value());
}

TEST_F(SeedPlannerTest, AsksOneThatHasAppliedWhatIsMissingAndTheMostThenByName) {
  Seeding(true, {"all"});
  Connect(1, 40);
  Connect(2, 100);
  Connect(3, 100);
  Truncate(1, 50);
  Truncate(2, 50);
  Truncate(3, 50);
  ASSERT_TRUE(Plan().ask.has_value());
  EXPECT_EQ(Plan().ask->candidate, 1u);  // r2/a
  EXPECT_EQ(Plan().ask->name_space, "all");
}

TEST_F(SeedPlannerTest, StaysWithThePeerThatIsAsked) {
  Seeding(true, {"all"});
  Connect(1, 40);
  Connect(2, 100);
  receivers_[0]->seeds().Want("all");
  EXPECT_EQ(Plan().ask->candidate, 0u);
}

TEST_F(SeedPlannerTest, PassesBySomeoneWhoMayNotHoldItOrNotWhole) {
  Seeding(false, {"some"});
  Connect(2, 100);  // "some" is held by r0 and r1
  EXPECT_FALSE(Plan().ask.has_value());
  Connect(1, 100, {"some"});
  EXPECT_FALSE(Plan().ask.has_value());
  Connect(1, 100);
  ASSERT_TRUE(Plan().ask.has_value());
  EXPECT_EQ(Plan().ask->candidate, 0u);
}

TEST_F(SeedPlannerTest, AsksOneThatDeclinedAgainLater) {
  Seeding(false, {"some"});
  Connect(1, 100);
  receivers_[0]->seeds().Want("some");
  ASSERT_TRUE(receivers_[0]->NextRequest(view_).has_value());
  internal::v1::PullResponse declined;
  declined.mutable_seed_chunk()->set_number(1);
  declined.mutable_seed_chunk()->set_declined("not now");
  ASSERT_TRUE(receivers_[0]->OnResponse(declined, now_).ok());
  EXPECT_FALSE(Plan().ask.has_value());
  ASSERT_TRUE(
      receivers_[0]->OnResponse(internal::v1::PullResponse(), now_ + SeedLink::kRetry).ok());
  EXPECT_TRUE(Plan().ask.has_value());
}

TEST_F(SeedPlannerTest, AsksNobodyBeforeTheyHaveAppliedWhatIsNeeded) {
  Seeding(false, {"some"});
  auto seeding = std::make_shared<SeedView>(*view_.seeding);
  seeding->namespaces[0].at_least.emplace_back(Origin(5), Sequence(101));
  view_.seeding = seeding;
  Connect(1, 100);
  EXPECT_FALSE(Plan().ask.has_value());
  Connect(1, 101);
  EXPECT_TRUE(Plan().ask.has_value());
}

}  // namespace
}  // namespace homeport
