// What a replica says that does not hold yet what it is asked for.
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "common/time/simulated_clock.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/entry_codec.h"
#include "storage/replica/replica.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

const Origin kPeerOrigin{7};

// "all" is held everywhere, "given" in r1, and in r0 too if that is said.
std::shared_ptr<const Topology> MakeTopology(bool given, bool joining = false) {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  for (int i = 0; i < 2; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(1);
    region->set_longitude(i);
    region->set_joining(joining && i == 0);
    region->add_gateways(absl::StrCat("127.0.0.1:", 1000 + i));
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:", 2000 + i));
  }
  proto.add_namespaces()->set_name("all");
  internal::v1::Namespace* elsewhere = proto.add_namespaces();
  elsewhere->set_name("given");
  elsewhere->add_regions("r1");
  if (given) elsewhere->add_regions("r0");
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

class CatchingUpTest : public testing::Test {
 protected:
  void Open(std::shared_ptr<const Topology> topology) {
    auto engine = MemoryEngine::Open(disk_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    ReplicaOptions options;
    options.name = ReplicaName("r0/a");
    options.data_path = "memory";
    auto replica =
        Replica::Open(options, *std::move(engine), &clock_, std::move(topology), Origin(++starts_));
    ASSERT_TRUE(replica.ok()) << replica.status();
    replica_ = *std::move(replica);
  }
  absl::Status Call(const StoreRequest& request) {
    StoreResponse response;
    absl::Notification done;
    absl::Status result;
    replica_->Execute(CallContext(), request, &response, [&](absl::Status status) {
      result = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }
  absl::Status Get(const std::string& name_space) {
    StoreRequest request;
    request.mutable_get()->set_namespace_(name_space);
    request.mutable_get()->set_id("id");
    return Call(request);
  }
  absl::Status Put(const std::string& name_space) {
    StoreRequest request;
    request.mutable_mutate()->set_namespace_(name_space);
    request.mutable_mutate()->set_id("id");
    request.mutable_mutate()->add_changes()->set_put("value");
    return Call(request);
  }
  // The peer's first entry, and the note that its second was left out: it wrote "given".
  void TakeASkip() {
    PeerBatch batch;
    batch.peer = ReplicaName("r1/a");
    internal::v1::Entry chain;
    chain.set_origin(kPeerOrigin.value());
    chain.set_sequence(1);
    chain.set_timestamp(FromWallTime(clock_.WallNow()).value());
    chain.mutable_chain()->set_replica("r1/a");
    batch.block.add_entries(chain.SerializeAsString());
    internal::v1::Skip& skip = batch.skips.emplace_back();
    skip.set_origin(kPeerOrigin.value());
    skip.set_first(2);
    skip.set_last(2);
    skip.set_timestamp(chain.timestamp() + 1);
    skip.add_classes()->set_namespace_("given");
    skip.mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
    absl::Notification done;
    replica_->SubmitFromPeer(std::move(batch), [&](Taken taken) {
      EXPECT_TRUE(taken.status.ok()) << taken.status;
      EXPECT_TRUE(taken.refused.empty());
      done.Notify();
    });
    done.WaitForNotification();
  }
  // Until what was set before is published: the first commit may have begun before.
  void AwaitTwoCommits() {
    absl::BlockingCounter left(2);
    std::atomic<int> called = 0;
    const int listener = replica_->AddListener([&] {
      if (called.fetch_add(1) < 2) left.DecrementCount();
    });
    left.Wait();
    replica_->RemoveListener(listener);
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  SimulatedClock clock_;
  uint64_t starts_ = 0;
  std::shared_ptr<Replica> replica_;
};

TEST_F(CatchingUpTest, ANewReplicaOfAJoiningRegionRefusesReadsAndWrites) {
  Open(MakeTopology(/*given=*/false, /*joining=*/true));
  for (const absl::Status& status : {Get("all"), Put("all")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(ReasonOf(status), reason::kCatchingUp);
    EXPECT_EQ(ErrorMetadataOf(status, "replica"), "r0/a");
    EXPECT_TRUE(absl::StrContains(status.message(), "has not caught up")) << status;
  }
}

TEST_F(CatchingUpTest, OneThatOpensOnItsOldDiskServesWhateverTheTopologySays) {
  Open(MakeTopology(/*given=*/false));
  ASSERT_TRUE(Put("all").ok());
  replica_.reset();
  Open(MakeTopology(/*given=*/false, /*joining=*/true));
  EXPECT_TRUE(Get("all").ok());
}

TEST_F(CatchingUpTest, ANamespaceThatIsNotWholeYetIsNeitherReadNorWrittenAndTheOthersAre) {
  Open(MakeTopology(/*given=*/false));
  TakeASkip();
  EXPECT_EQ(ReasonOf(Get("given")), reason::kNotHere);
  replica_->SetTopology(MakeTopology(/*given=*/true));
  AwaitTwoCommits();
  for (const absl::Status& status : {Get("given"), Put("given")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(ReasonOf(status), reason::kCatchingUp);
    EXPECT_EQ(ErrorMetadataOf(status, "replica"), "r0/a");
    EXPECT_EQ(ErrorMetadataOf(status, "progress"), "0 of 0 items");
  }
  EXPECT_TRUE(Get("all").ok());
  EXPECT_TRUE(Put("all").ok());
}

}  // namespace
}  // namespace homeport
