// Reads that say how old their answer may be, at one replica with one peer.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "common/time/simulated_clock.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/entry_codec.h"
#include "storage/replica/replica.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

const Origin kPeerOrigin{7};

// "all" is held by r0 and r1, "own" by r0 alone.
std::shared_ptr<const Topology> MakeTopology() {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  for (int i = 0; i < 2; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(1);
    region->set_longitude(i);
    region->add_gateways(absl::StrCat("127.0.0.1:", 1000 + i));
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:", 2000 + i));
  }
  proto.add_namespaces()->set_name("all");
  internal::v1::Namespace* own = proto.add_namespaces();
  own->set_name("own");
  own->add_regions("r0");
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

class BoundedReadTest : public testing::Test {
 protected:
  // A read, answered or not.
  struct Read {
    StoreRequest request;
    StoreResponse response;
    absl::Notification done;
    absl::Status status;

    const v1::Provenance& provenance() const { return response.get().provenance(); }
    std::string Metadata(absl::string_view name) const {
      return ErrorMetadataOf(status, name).value_or("none");
    }
  };

  void SetUp() override {
    auto engine = MemoryEngine::Open(disk_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    ReplicaOptions options;
    options.name = ReplicaName("r0/a");
    options.data_path = "memory";
    auto replica = Replica::Open(options, *std::move(engine), &clock_, MakeTopology(), Origin(1));
    ASSERT_TRUE(replica.ok()) << replica.status();
    replica_ = *std::move(replica);
  }
  std::unique_ptr<Read> Start(int64_t max_staleness_ms, const CallContext& context = {},
                              const std::string& name_space = "all") {
    auto read = std::make_unique<Read>();
    v1::GetRequest& get = *read->request.mutable_get();
    get.set_namespace_(name_space);
    get.set_id("id");
    get.mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_BOUNDED);
    get.mutable_options()->mutable_max_staleness()->set_seconds(max_staleness_ms / 1000);
    get.mutable_options()->mutable_max_staleness()->set_nanos(
        static_cast<int32_t>(max_staleness_ms % 1000 * 1'000'000));
    replica_->Execute(context, read->request, &read->response,
                      [r = read.get()](absl::Status status) {
                        r->status = std::move(status);
                        r->done.Notify();
                      });
    return read;
  }
  std::unique_ptr<Read> Finish(int64_t max_staleness_ms, const CallContext& context = {},
                               const std::string& name_space = "all") {
    std::unique_ptr<Read> read = Start(max_staleness_ms, context, name_space);
    read->done.WaitForNotification();
    return read;
  }
  void Take(PeerBatch batch) {
    batch.peer = ReplicaName("r1/a");
    absl::Notification done;
    replica_->SubmitFromPeer(std::move(batch), [&](Taken taken) {
      EXPECT_TRUE(taken.status.ok()) << taken.status;
      done.Notify();
    });
    done.WaitForNotification();
  }
  // The peer started just now.
  void PeerStarts() {
    PeerBatch batch;
    internal::v1::Entry chain;
    chain.set_origin(kPeerOrigin.value());
    chain.set_sequence(1);
    chain.set_timestamp(FromWallTime(clock_.WallNow()).value());
    chain.mutable_chain()->set_replica("r1/a");
    batch.block.add_entries(chain.SerializeAsString());
    Take(std::move(batch));
  }
  // The peer has written nothing until now.
  void PeerIsIdle() {
    PeerBatch batch;
    internal::v1::Watermark* mark = batch.heartbeat.add_watermarks();
    mark->set_origin(kPeerOrigin.value());
    mark->set_sequence(1);
    mark->set_timestamp(FromWallTime(clock_.WallNow()).value());
    Take(std::move(batch));
  }
  CallContext Within(absl::Duration time) {
    CallContext context;
    context.deadline = clock_.SteadyNow() + time;
    return context;
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  SimulatedClock clock_;
  std::shared_ptr<Replica> replica_;
};

TEST_F(BoundedReadTest, OneWithinTheBoundIsServedAndSaysHowOldItMayBe) {
  PeerStarts();
  PeerIsIdle();
  clock_.Advance(absl::Milliseconds(300));
  std::unique_ptr<Read> read = Finish(300);
  ASSERT_TRUE(read->status.ok()) << read->status;
  EXPECT_EQ(read->provenance().level_met(), v1::CONSISTENCY_LEVEL_BOUNDED);
  EXPECT_EQ(read->provenance().age().seconds(), 0);
  EXPECT_EQ(read->provenance().age().nanos(), 300'000'000);
  EXPECT_EQ(read->provenance().age_source(), v1::AGE_SOURCE_WATERMARK);
  EXPECT_EQ(read->provenance().age_of(), "r1/a");
}

TEST_F(BoundedReadTest, AJumpOfTheWallClockMakesNothingYounger) {
  PeerStarts();
  PeerIsIdle();
  clock_.Advance(absl::Seconds(5));
  clock_.JumpWall(-absl::Seconds(5));
  EXPECT_EQ(ReasonOf(Finish(4000)->status), reason::kStaleLimit);
}

TEST_F(BoundedReadTest, WhatASilentWriterLeavesTooOldIsRefusedAtOnceNamingIt) {
  PeerStarts();
  clock_.Advance(absl::Milliseconds(3500));
  std::unique_ptr<Read> read = Finish(3000);
  EXPECT_EQ(read->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(read->status), reason::kStaleLimit);
  EXPECT_EQ(read->Metadata("field"), "options.max_staleness");
  EXPECT_EQ(read->Metadata("max_staleness_ms"), "3000");
  EXPECT_EQ(read->Metadata("age_ms"), "3500");
  EXPECT_EQ(read->Metadata("behind"), "r1/a");
  EXPECT_EQ(read->Metadata("replica"), "r0/a");
  EXPECT_TRUE(Finish(3500)->status.ok());
}

TEST_F(BoundedReadTest, AWriterThatWasNeverHeardOfHasNoAge) {
  std::unique_ptr<Read> read = Finish(86'400'000);
  EXPECT_EQ(ReasonOf(read->status), reason::kStaleLimit);
  EXPECT_EQ(read->Metadata("age_ms"), "none");
  EXPECT_EQ(read->Metadata("behind"), "r1/a");
}

TEST_F(BoundedReadTest, OneThatIsBeyondTheBoundWaitsForTheNextWatermark) {
  PeerStarts();
  clock_.Advance(absl::Milliseconds(400));
  std::unique_ptr<Read> read = Start(100, Within(absl::Seconds(10)));
  EXPECT_FALSE(read->done.HasBeenNotified());
  clock_.Advance(absl::Milliseconds(100));
  PeerIsIdle();
  read->done.WaitForNotification();
  EXPECT_TRUE(read->status.ok()) << read->status;
  EXPECT_LE(read->provenance().age().nanos(), 100'000'000);
}

TEST_F(BoundedReadTest, AWaitEndsWhenTheWriterFallsSilent) {
  PeerStarts();
  clock_.Advance(absl::Milliseconds(400));
  std::unique_ptr<Read> read = Start(100, Within(absl::Seconds(60)));
  EXPECT_FALSE(read->done.HasBeenNotified());
  clock_.Advance(absl::Seconds(2));
  read->done.WaitForNotification();
  EXPECT_EQ(ReasonOf(read->status), reason::kStaleLimit);
  EXPECT_EQ(read->Metadata("age_ms"), "2400");
}

TEST_F(BoundedReadTest, AWaitBeyondTheDeadlineIsNotBegun) {
  PeerStarts();
  clock_.Advance(absl::Milliseconds(400));
  std::unique_ptr<Read> read = Finish(100, Within(absl::Milliseconds(80)));
  EXPECT_EQ(ReasonOf(read->status), reason::kStaleLimit);
  EXPECT_EQ(read->Metadata("age_ms"), "400");
}

TEST_F(BoundedReadTest, ACancelledWaitEnds) {
  PeerStarts();
  clock_.Advance(absl::Milliseconds(400));
  CallContext context;
  context.cancellation = std::make_shared<Cancellation>();
  std::unique_ptr<Read> read = Start(100, context);
  context.cancellation->Cancel();
  read->done.WaitForNotification();
  EXPECT_EQ(read->status.code(), absl::StatusCode::kCancelled);
}

TEST_F(BoundedReadTest, WhatNobodyElseWritesIsNeverOld) {
  clock_.Advance(absl::Seconds(60));
  std::unique_ptr<Read> read = Finish(1, {}, "own");
  ASSERT_TRUE(read->status.ok()) << read->status;
  EXPECT_TRUE(read->provenance().has_age());
  EXPECT_EQ(read->provenance().age().seconds(), 0);
  EXPECT_EQ(read->provenance().age_source(), v1::AGE_SOURCE_ONLY_WRITER);
  EXPECT_EQ(read->provenance().age_of(), "");
}

}  // namespace
}  // namespace homeport
