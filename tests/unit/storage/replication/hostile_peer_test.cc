// What a peer may send that it should not, and what comes of it.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/replica_core.h"
#include "tests/unit/storage/replication/core_fixture.h"

namespace homeport {
namespace {

using internal::v1::Entry;
using internal::v1::Skip;

const Origin kSelf{1};
const Origin kVictim{2};
const Origin kHostile{3};

class HostilePeerTest : public CoreFixture {
 protected:
  static void AddEnd(Entry& entry, Origin origin, uint64_t sequence) {
    internal::v1::Position* end = entry.mutable_chain()->add_ends();
    end->set_origin(origin.value());
    end->set_sequence(sequence);
  }
  Skip SkipOf(Origin origin, uint64_t first, uint64_t last, const std::string& name_space) {
    Skip skip;
    skip.set_origin(origin.value());
    skip.set_first(first);
    skip.set_last(last);
    skip.set_timestamp(FromWallTime(now_.wall).value() + last);
    if (!name_space.empty()) {
      skip.add_classes()->set_namespace_(name_space);
      skip.mutable_classes(0)->set_kind(internal::v1::CLASS_KIND_GENERAL);
    }
    return skip;
  }
};

TEST_F(HostilePeerTest, ASkipOfWhatThisRegionHoldsIsRefused) {
  Take(Chain(kVictim, "r1/a"));
  const absl::Status status = core_->StageSkip(SkipOf(kVictim, 2, 9, "all"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "'all'")) << status;
  EXPECT_EQ(core_->StageSkip(SkipOf(kVictim, 2, 9, "unheard-of")).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(core_->StageSkip(SkipOf(kVictim, 2, 9, "")).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(core_->HasStaged());
  ASSERT_TRUE(core_->StageSkip(SkipOf(kVictim, 2, 9, "elsewhere")).ok());
  ASSERT_TRUE(core_->Commit(now_).ok());
  EXPECT_EQ(core_->view()->AppliedOf(kVictim), Sequence(9));
}

TEST_F(HostilePeerTest, AnOriginCanNotBeginWithASkip) {
  EXPECT_EQ(core_->StageSkip(SkipOf(kVictim, 1, 9, "elsewhere")).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(core_->view()->Find(kVictim), nullptr);
}

TEST_F(HostilePeerTest, AChainEntryCoversOnlyOriginsOfItsOwnReplica) {
  Take(Chain(kVictim, "r1/a"));
  Entry lie = Chain(kHostile, "r2/a");
  AddEnd(lie, kVictim, 1);
  AddEnd(lie, kSelf, 1);
  Take(lie);
  EXPECT_EQ(core_->view()->AppliedOf(kHostile), Sequence(1));
  EXPECT_EQ(core_->view()->Find(kVictim)->covered_by, Origin(0));
  EXPECT_EQ(core_->view()->Find(kSelf)->covered_by, Origin(0));
}

TEST_F(HostilePeerTest, AStrangerWithThisReplicasNameDoesNotCoverTheRunningOrigin) {
  Entry lie = Chain(kHostile, "r0/a");
  AddEnd(lie, kSelf, 1);
  Take(lie);
  EXPECT_EQ(core_->view()->Find(kSelf)->covered_by, Origin(0));
}

TEST_F(HostilePeerTest, EndsOfOriginsThatNobodyHasAreNotKept) {
  Entry lie = Chain(kHostile, "r2/a");
  for (uint64_t i = 0; i < 100; ++i) AddEnd(lie, Origin(1000 + i), 0);
  Take(lie);
  EXPECT_EQ(core_->view()->origins.size(), 2u);
}

TEST_F(HostilePeerTest, NamesOfOriginsThatNobodyHasAreNotKept) {
  for (uint64_t i = 0; i < 100; ++i) core_->ObserveReplica(Origin(1000 + i), ReplicaName("r2/a"));
  ASSERT_TRUE(core_->Commit(now_).ok());
  EXPECT_EQ(core_->view()->origins.size(), 1u);
}

TEST_F(HostilePeerTest, AnOriginsChainEntryOverrulesWhatOthersSaidOfIt) {
  Entry waits = Chain(kVictim, "r1/a");
  internal::v1::Position* dependency = waits.add_dependencies();
  dependency->set_origin(kHostile.value());
  dependency->set_sequence(1);
  Take(waits);
  core_->ObserveReplica(kVictim, ReplicaName("r2/a"));
  Take(Chain(kHostile, "r2/a"));
  ASSERT_EQ(core_->view()->AppliedOf(kVictim), Sequence(1));
  EXPECT_EQ(*core_->view()->Find(kVictim)->replica, ReplicaName("r1/a"));
}

TEST_F(HostilePeerTest, OneOriginTooManyIsRefused) {
  for (uint64_t i = 1; i < kOriginsMax; ++i) {
    ASSERT_TRUE(core_->StageEntry(Chain(Origin(1000 + i), "r2/a").SerializeAsString()).ok());
  }
  EXPECT_EQ(core_->StageEntry(Chain(kHostile, "r2/a").SerializeAsString()).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(HostilePeerTest, AReceiverKeepsABoundedNumberOfReports) {
  LinkReceiver receiver({"core", ReplicaName("r0/a"), ReplicaName("r2/a")});
  internal::v1::PullResponse response;
  response.mutable_hello()->set_cluster("core");
  response.mutable_hello()->set_replica("r2/a");
  for (uint64_t i = 1; i <= kOriginsMax + 10; ++i) {
    response.mutable_hello()->add_origins()->set_origin(i);
  }
  ASSERT_TRUE(receiver.OnResponse(response, absl::ZeroDuration()).ok());
  EXPECT_EQ(receiver.peer_origins().size(), kOriginsMax);
}

}  // namespace
}  // namespace homeport
