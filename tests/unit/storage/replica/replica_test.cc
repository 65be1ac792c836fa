#include "storage/replica/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "common/session/session_token.h"
#include "common/status/error.h"
#include "common/time/simulated_clock.h"
#include "rocksdb/env.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/engine/rocksdb/testing/fault_file_system.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

std::shared_ptr<const Topology> MakeTopology() {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  for (const char* name : {"r0", "r1"}) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(name);
    region->set_country("DE");
    region->set_latitude(1);
    region->set_longitude(name[1] - '0');
    region->add_gateways(absl::StrCat("127.0.0.1:100", name + 1));
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:200", name + 1));
  }
  proto.add_namespaces()->set_name("all");
  internal::v1::Namespace* elsewhere = proto.add_namespaces();
  elsewhere->set_name("elsewhere");
  elsewhere->add_regions("r1");
  internal::v1::Namespace* brief = proto.add_namespaces();
  brief->set_name("brief");
  brief->mutable_ttl()->set_seconds(10);
  internal::v1::Namespace* counters = proto.add_namespaces();
  counters->set_name("counters");
  counters->set_item_type(internal::v1::ITEM_TYPE_COUNTER);
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

StoreRequest Put(const std::string& id, const std::string& value) {
  StoreRequest request;
  request.mutable_mutate()->set_namespace_("all");
  request.mutable_mutate()->set_id(id);
  request.mutable_mutate()->add_changes()->set_put(value);
  return request;
}

StoreRequest Get(const std::string& id, const std::string& token = "") {
  StoreRequest request;
  request.mutable_get()->set_namespace_("all");
  request.mutable_get()->set_id(id);
  request.mutable_get()->mutable_options()->set_session_token(token);
  return request;
}

// Passes through, and lets a test hold writes, count them, and take their syncs away.
class WatchedEngine final : public KvEngine {
 public:
  struct Watch {
    absl::Mutex mutex;
    bool hold ABSL_GUARDED_BY(mutex) = false;
    bool held ABSL_GUARDED_BY(mutex) = false;
    int synced ABSL_GUARDED_BY(mutex) = 0;
    bool never_sync = false;

    void Hold() {
      absl::MutexLock lock(&mutex);
      hold = true;
    }
    void AwaitHeld() {
      absl::MutexLock lock(&mutex);
      mutex.Await(absl::Condition(&held));
    }
    void Release() {
      absl::MutexLock lock(&mutex);
      hold = false;
    }
    int Synced() {
      absl::MutexLock lock(&mutex);
      return synced;
    }
  };

  WatchedEngine(std::unique_ptr<KvEngine> engine, std::shared_ptr<Watch> watch)
      : engine_(std::move(engine)), watch_(std::move(watch)) {}

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key,
                                                 const KvSnapshot* snapshot) override {
    return engine_->Get(table, key, snapshot);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot) override {
    return engine_->MultiGet(table, keys, snapshot);
  }
  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    {
      absl::MutexLock lock(&watch_->mutex);
      watch_->held = true;
      watch_->mutex.Await(absl::Condition(
          +[](Watch* w) ABSL_NO_THREAD_SAFETY_ANALYSIS { return !w->hold; }, watch_.get()));
      watch_->held = false;
      if (durability == Durability::kSynced) ++watch_->synced;
    }
    return engine_->Write(batch, watch_->never_sync ? Durability::kBuffered : durability);
  }
  std::unique_ptr<KvSnapshot> Snapshot() override { return engine_->Snapshot(); }
  std::unique_ptr<KvIterator> Iterate(Table table, absl::string_view end,
                                      const KvSnapshot* snapshot) override {
    return engine_->Iterate(table, end, snapshot);
  }
  absl::Status Checkpoint(const std::string& directory) override {
    return engine_->Checkpoint(directory);
  }
  uint64_t DiskBytes() const override { return engine_->DiskBytes(); }
  std::optional<uint64_t> DiskFreeBytes() const override { return engine_->DiskFreeBytes(); }

 private:
  const std::unique_ptr<KvEngine> engine_;
  const std::shared_ptr<Watch> watch_;
};

class ReplicaTest : public ::testing::Test {
 protected:
  ReplicaTest() { options_.name = ReplicaName("r0/a"), options_.data_path = "memory"; }

  void Open() {
    auto engine = MemoryEngine::Open(disk_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    auto replica =
        Replica::Open(options_, std::make_unique<WatchedEngine>(std::move(*engine), watch_),
                      &clock_, MakeTopology(), Origin(++origins_));
    ASSERT_TRUE(replica.ok()) << replica.status();
    replica_ = std::move(*replica);
  }
  absl::Status Call(const StoreRequest& request, StoreResponse& response,
                    const CallContext& context = {}) {
    absl::Notification done;
    absl::Status result;
    replica_->Execute(context, request, &response, [&](absl::Status status) {
      result = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }
  absl::Status Call(const StoreRequest& request) {
    StoreResponse response;
    return Call(request, response);
  }
  // Until the commit thread has gone round so often: the first may have begun before the call.
  void AwaitCommits(int count) {
    absl::BlockingCounter left(count);
    std::atomic<int> called = 0;
    const int listener = replica_->AddListener([&] {
      if (called.fetch_add(1) < count) left.DecrementCount();
    });
    left.Wait();
    replica_->RemoveListener(listener);
  }
  // A write that is on its way while the disk is held.
  struct Pending {
    StoreRequest request;
    StoreResponse response;
    absl::Notification done;
    absl::Status status;
  };
  std::unique_ptr<Pending> Start(StoreRequest request, const CallContext& context = {}) {
    auto pending = std::make_unique<Pending>();
    pending->request = std::move(request);
    replica_->Execute(context, pending->request, &pending->response,
                      [p = pending.get()](absl::Status status) {
                        p->status = std::move(status);
                        p->done.Notify();
                      });
    return pending;
  }
  // Holds the disk with one write before it.
  std::unique_ptr<Pending> HoldDisk() {
    watch_->Hold();
    auto first = Start(Put("hold", "0"));
    watch_->AwaitHeld();
    return first;
  }
  std::string TokenOf(Origin origin, uint64_t sequence) {
    SessionToken token;
    token.Advance(origin, Sequence(sequence));
    return token.Serialize(ClusterFingerprint("test"));
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::shared_ptr<WatchedEngine::Watch> watch_ = std::make_shared<WatchedEngine::Watch>();
  SimulatedClock clock_;
  ReplicaOptions options_;
  uint64_t origins_ = 0;
  std::shared_ptr<Replica> replica_;
};

TEST_F(ReplicaTest, WritesThatWaitForTheDiskShareOneSync) {
  Open();
  auto first = HoldDisk();
  const int before = watch_->Synced();
  std::vector<std::unique_ptr<Pending>> writes;
  for (int i = 0; i < 100; ++i) writes.push_back(Start(Put(absl::StrCat("k", i), "v")));
  watch_->Release();
  for (auto& write : writes) {
    write->done.WaitForNotification();
    EXPECT_TRUE(write->status.ok()) << write->status;
  }
  EXPECT_EQ(watch_->Synced() - before, 2);  // the held one's, and one for a hundred
}

TEST_F(ReplicaTest, TimesOnTheDiskThatAreFarAheadMakeTheClockSuspect) {
  clock_.JumpWall(absl::Hours(1));
  Open();
  ASSERT_TRUE(Call(Put("x", "1")).ok());
  replica_.reset();
  // The clock is put right.
  clock_.JumpWall(-absl::Hours(1));
  Open();
  const absl::Time right = clock_.WallNow();
  const absl::Time reading = replica_->ClockReading();
  EXPECT_GE(reading, right + absl::Minutes(59));
  replica_->ObservePeerClock(ReplicaName("r1/a"), BoundsOf(right, reading, reading));
  const absl::Status refused = Call(Put("x", "2"));
  EXPECT_EQ(ReasonOf(refused), reason::kClockSuspect) << refused;
  // Once the clock has got there, writes are named by times that others have too.
  clock_.Advance(absl::Hours(1));
  AwaitCommits(2);
  const absl::Time later = replica_->ClockReading();
  replica_->ObservePeerClock(ReplicaName("r1/a"), BoundsOf(clock_.WallNow(), later, later));
  EXPECT_TRUE(Call(Put("x", "2")).ok());
}

TEST_F(ReplicaTest, AnEarlierStartThatWroteByAWrongClockIsNoTwin) {
  clock_.JumpWall(absl::Hours(1));
  Open();
  ASSERT_TRUE(Call(Put("x", "1")).ok());
  replica_.reset();
  clock_.JumpWall(-absl::Hours(1));
  Open();
  AwaitCommits(2);
  EXPECT_TRUE(replica_->WriteState().ok()) << replica_->WriteState();
}

TEST_F(ReplicaTest, AReplicaThatHasJustStartedComparesItsClockBeforeItWrites) {
  options_.clock_hold = absl::Seconds(2);
  const auto refused = [this] { return ReasonOf(Call(Put("x", "1"))) == reason::kCatchingUp; };
  const ReplicaName peer("r1/a");
  Open();
  EXPECT_TRUE(refused());
  const absl::Time now = clock_.WallNow();
  replica_->ObservePeerClock(peer, BoundsOf(now - absl::Hours(1), now, now));
  EXPECT_EQ(ReasonOf(Call(Put("x", "1"))), reason::kClockSuspect);
  replica_.reset();
  Open();
  EXPECT_TRUE(refused());
  replica_->ObservePeerClock(peer, BoundsOf(now, now, now));
  EXPECT_TRUE(Call(Put("x", "1")).ok());
  replica_.reset();
  // Who can not be asked is not waited for, nor for long is anybody.
  Open();
  EXPECT_TRUE(refused());
  replica_->OnPeerUnreachable(peer);
  EXPECT_TRUE(Call(Put("x", "1")).ok());
  replica_.reset();
  Open();
  EXPECT_TRUE(refused());
  clock_.Advance(absl::Seconds(2));
  AwaitCommits(2);
  EXPECT_TRUE(Call(Put("x", "1")).ok());
}

TEST_F(ReplicaTest, NothingIsAnsweredBeforeItsSync) {
  Open();
  auto first = HoldDisk();
  EXPECT_FALSE(first->done.HasBeenNotified());
  StoreResponse response;
  ASSERT_TRUE(Call(Get("hold"), response).ok());
  EXPECT_FALSE(response.get().has_item());
  watch_->Release();
  first->done.WaitForNotification();
  EXPECT_TRUE(first->status.ok());
}

TEST_F(ReplicaTest, AValueLivesAsLongAsItsNamespaceSays) {
  Open();
  StoreRequest put = Put("x", "1");
  put.mutable_mutate()->set_namespace_("brief");
  ASSERT_TRUE(Call(put).ok());
  StoreRequest get = Get("x");
  get.mutable_get()->set_namespace_("brief");
  clock_.Advance(absl::Milliseconds(9900));
  StoreResponse response;
  ASSERT_TRUE(Call(get, response).ok());
  EXPECT_EQ(response.get().item().value(), "1");
  EXPECT_TRUE(response.get().item().has_expires());
  clock_.Advance(absl::Milliseconds(200));
  response.Clear();
  ASSERT_TRUE(Call(get, response).ok());
  EXPECT_FALSE(response.get().has_item());
}

TEST_F(ReplicaTest, AChangeThatDoesNotFitTheTypeIsRefusedWhoeverSendsIt) {
  Open();
  StoreRequest request = Put("x", "1");
  request.mutable_mutate()->set_namespace_("counters");
  const absl::Status wrong = Call(request);
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(wrong), reason::kItemTypeWrong);
  EXPECT_EQ(ErrorMetadataOf(wrong, "field"), "changes[0].put");
  request.mutable_mutate()->mutable_changes(0)->set_add(7);
  ASSERT_TRUE(Call(request).ok());
  StoreRequest get = Get("x");
  get.mutable_get()->set_namespace_("counters");
  StoreResponse response;
  ASSERT_TRUE(Call(get, response).ok());
  EXPECT_EQ(response.get().item().counter(), 7);
  request.mutable_mutate()->mutable_changes(0)->set_add(std::numeric_limits<int64_t>::max());
  const absl::Status full = Call(request);
  EXPECT_EQ(full.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(full), reason::kCounterOverflow);
}

TEST_F(ReplicaTest, AfterAFailedSyncNothingIsAcknowledgedAndReadsGoOn) {
  Open();
  ASSERT_TRUE(Call(Put("x", "1")).ok());
  disk_->FailNextWrite(absl::StatusCode::kUnavailable, MemoryDisk::Fate::kKept);
  const absl::Status failed = Call(Put("x", "2"));
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(failed), reason::kOutcomeUnknown);
  const absl::Status later = Call(Put("x", "3"));
  EXPECT_EQ(later.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(later), reason::kStorageFailed);
  StoreResponse response;
  ASSERT_TRUE(Call(Get("x"), response).ok());
  EXPECT_EQ(response.get().item().value(), "1");
}

TEST_F(ReplicaTest, StorageThatFailedOnAFullDiskMayBeReopenedOnceThereIsRoom) {
  Open();
  ASSERT_TRUE(Call(Put("x", "1")).ok());
  EXPECT_FALSE(replica_->MayBeReopened());
  disk_->FailNextWrite(absl::StatusCode::kResourceExhausted, MemoryDisk::Fate::kLost);
  EXPECT_EQ(ReasonOf(Call(Put("x", "2"))), reason::kOutcomeUnknown);
  EXPECT_EQ(Call(Put("x", "3")).code(), absl::StatusCode::kResourceExhausted);
  disk_->SetCapacity(options_.disk_reserve_bytes / 2);
  clock_.Advance(absl::Seconds(2));
  AwaitCommits(2);
  EXPECT_FALSE(replica_->MayBeReopened());
  disk_->SetCapacity(options_.disk_reserve_bytes * 4);
  clock_.Advance(absl::Seconds(2));
  AwaitCommits(2);
  EXPECT_TRUE(replica_->MayBeReopened());
  StoreResponse response;
  ASSERT_TRUE(Call(Get("x"), response).ok());
  EXPECT_EQ(response.get().item().value(), "1");
}

TEST_F(ReplicaTest, StorageThatFailedOtherwiseIsNotReopenedByItself) {
  Open();
  disk_->FailNextWrite(absl::StatusCode::kUnavailable, MemoryDisk::Fate::kLost);
  EXPECT_FALSE(Call(Put("x", "1")).ok());
  clock_.Advance(absl::Seconds(2));
  AwaitCommits(2);
  EXPECT_FALSE(replica_->MayBeReopened());
}

TEST_F(ReplicaTest, AFullDiskRefusesWritesUntilThereIsRoomAgain) {
  disk_->SetCapacity(options_.disk_reserve_bytes / 2);
  Open();
  absl::Status full;
  // The commit thread looks at the disk before its first commit.
  absl::Notification committed;
  const int listener = replica_->AddListener([&] {
    if (!committed.HasBeenNotified()) committed.Notify();
  });
  committed.WaitForNotification();
  replica_->RemoveListener(listener);
  full = Call(Put("x", "1"));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), reason::kDiskFull);
  disk_->SetCapacity(options_.disk_reserve_bytes * 4);
  clock_.Advance(absl::Seconds(2));
  absl::Notification recovered;
  const int again = replica_->AddListener([&] {
    if (replica_->WriteState().ok() && !recovered.HasBeenNotified()) recovered.Notify();
  });
  recovered.WaitForNotification();
  replica_->RemoveListener(again);
  EXPECT_TRUE(Call(Put("x", "1")).ok());
}

TEST_F(ReplicaTest, AReadWaitsForItsTokenAndThenAnswers) {
  Open();
  auto first = HoldDisk();
  const Origin self = replica_->view()->self;
  const uint64_t next = replica_->view()->AppliedOf(self).value() + 1;
  auto read = Start(Get("hold", TokenOf(self, next)));
  EXPECT_FALSE(read->done.HasBeenNotified());
  watch_->Release();
  read->done.WaitForNotification();
  EXPECT_TRUE(read->status.ok()) << read->status;
  EXPECT_EQ(read->response.get().item().value(), "0");
}

TEST_F(ReplicaTest, AWaitThatGivesUpSaysWhatIsMissing) {
  Open();
  CallContext context;
  context.deadline = clock_.SteadyNow() + absl::Seconds(1);
  auto read = Start(Get("x", TokenOf(Origin(999), 7)), context);
  EXPECT_FALSE(read->done.HasBeenNotified());
  clock_.Advance(absl::Milliseconds(960));  // before the deadline
  read->done.WaitForNotification();
  EXPECT_EQ(read->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(read->status), reason::kTokenAhead);
  EXPECT_EQ(ErrorMetadataOf(read->status, "want"), "7");
}

TEST_F(ReplicaTest, ACancelledWaitEnds) {
  Open();
  CallContext context;
  context.cancellation = std::make_shared<Cancellation>();
  auto read = Start(Get("x", TokenOf(Origin(999), 7)), context);
  context.cancellation->Cancel();
  read->done.WaitForNotification();
  EXPECT_EQ(read->status.code(), absl::StatusCode::kCancelled);
}

TEST_F(ReplicaTest, AForeignTokenIsRefusedAtOnce) {
  Open();
  SessionToken token;
  token.Advance(Origin(1), Sequence(1));
  const absl::Status status = Call(Get("x", token.Serialize(ClusterFingerprint("other"))));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), reason::kTokenForeign);
}

TEST_F(ReplicaTest, ANamespaceOfOtherRegionsIsRefused) {
  Open();
  StoreRequest request = Get("x");
  request.mutable_get()->set_namespace_("elsewhere");
  EXPECT_EQ(ReasonOf(Call(request)), reason::kNotHere);
  request.mutable_get()->set_namespace_("nowhere");
  EXPECT_EQ(ReasonOf(Call(request)), reason::kNamespaceUnknown);
}

// A region that joins; the file says so, or no more.
class JoiningTest : public ReplicaTest {
 protected:
  void OpenJoining(bool joining) {
    replica_.reset();
    internal::v1::Topology proto = MakeTopology()->proto();
    proto.mutable_regions(0)->set_joining(joining);
    auto topology = Topology::Create(proto);
    ASSERT_TRUE(topology.ok()) << topology.status();
    auto engine = MemoryEngine::Open(disk_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    auto replica =
        Replica::Open(options_, std::move(*engine), &clock_, *topology, Origin(++origins_));
    ASSERT_TRUE(replica.ok()) << replica.status();
    replica_ = std::move(*replica);
  }
};

TEST_F(JoiningTest, AnEmptyDiskOfAJoiningRegionRefusesReadsAndWritesAlsoAfterAnotherStart) {
  OpenJoining(true);
  EXPECT_EQ(ReasonOf(Call(Get("x"))), reason::kCatchingUp);
  EXPECT_EQ(ReasonOf(Call(Put("x", "1"))), reason::kCatchingUp);
  OpenJoining(false);
  EXPECT_EQ(ReasonOf(Call(Get("x"))), reason::kCatchingUp);
}

TEST_F(JoiningTest, ADiskThatServedBeforeServesOn) {
  OpenJoining(false);
  EXPECT_TRUE(Call(Put("x", "1")).ok());
  OpenJoining(true);
  EXPECT_TRUE(Call(Get("x")).ok());
}

TEST_F(ReplicaTest, MoreWritesThanTheQueueHoldsAreRefused) {
  options_.writes_queued_max = 3;
  Open();
  auto first = HoldDisk();
  std::vector<std::unique_ptr<Pending>> writes;
  for (int i = 0; i < 3; ++i) writes.push_back(Start(Put(absl::StrCat("k", i), "v")));
  const absl::Status refused = Call(Put("k", "v"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), reason::kOverloaded);
  watch_->Release();
  for (auto& write : writes) {
    write->done.WaitForNotification();
    EXPECT_TRUE(write->status.ok());
  }
}

TEST_F(ReplicaTest, MoreWaitsThanTheBoundAreRefused) {
  options_.waiting_max = 1;
  Open();
  auto waiting = Start(Get("x", TokenOf(Origin(999), 7)));
  EXPECT_EQ(ReasonOf(Call(Get("x", TokenOf(Origin(999), 7)))), reason::kOverloaded);
  replica_->Stop();
  waiting->done.WaitForNotification();
  EXPECT_EQ(ReasonOf(waiting->status), reason::kDraining);
}

TEST_F(ReplicaTest, AWriteWhoseDeadlinePassedInTheQueueIsNotDone) {
  Open();
  auto first = HoldDisk();
  CallContext context;
  context.deadline = clock_.SteadyNow() + absl::Milliseconds(10);
  auto late = Start(Put("late", "1"), context);
  clock_.Advance(absl::Milliseconds(20));
  watch_->Release();
  late->done.WaitForNotification();
  EXPECT_EQ(late->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ErrorMetadataOf(late->status, "waited_for"), "queue");
  StoreResponse response;
  ASSERT_TRUE(Call(Get("late"), response).ok());
  EXPECT_FALSE(response.get().has_item());
}

TEST_F(ReplicaTest, StopFinishesWhatIsQueuedAndRefusesTheRest) {
  Open();
  auto first = HoldDisk();
  std::vector<std::unique_ptr<Pending>> writes;
  for (int i = 0; i < 10; ++i) writes.push_back(Start(Put(absl::StrCat("k", i), "v")));
  std::thread stopper([this] { replica_->Stop(); });
  watch_->Release();
  stopper.join();
  for (auto& write : writes) {
    ASSERT_TRUE(write->done.HasBeenNotified());
    EXPECT_TRUE(write->status.ok()) << write->status;
  }
  EXPECT_EQ(ReasonOf(Call(Put("k", "v"))), reason::kDraining);
}

TEST_F(ReplicaTest, ARetriedWriteIsDoneOnceAlsoInOneGroup) {
  Open();
  auto first = HoldDisk();
  StoreRequest request = Put("x", "1");
  request.mutable_mutate()->mutable_options()->set_request_id("id-1");
  auto one = Start(request);
  auto two = Start(request);
  watch_->Release();
  one->done.WaitForNotification();
  two->done.WaitForNotification();
  ASSERT_TRUE(one->status.ok() && two->status.ok());
  EXPECT_EQ(one->response.mutate().version().hybrid_time(),
            two->response.mutate().version().hybrid_time());
}

// A write that asks for one other region; r1 is the only one there is.
StoreRequest PutAcked(const std::string& id, const std::string& request_id = "") {
  StoreRequest request = Put(id, "1");
  request.mutable_mutate()->mutable_options()->set_acknowledged_by_regions(1);
  request.mutable_mutate()->mutable_options()->set_request_id(request_id);
  return request;
}

class AckTest : public ReplicaTest {
 protected:
  AckTest() {
    Open();
    hello_.set_replica("r1/a");
    hello_.set_origin(99);
    hello_.set_topology_fingerprint(replica_->topology()->fingerprint());
    replica_->OnPeerHello(hello_);
  }
  void Acknowledge(uint64_t applied) {
    google::protobuf::RepeatedPtrField<internal::v1::OriginReport> reports;
    reports.Add()->set_origin(replica_->view()->self.value());
    reports[0].set_received(applied);
    reports[0].set_applied(applied);
    replica_->OnPeerAcknowledged(ReplicaName("r1/a"), reports);
  }
  uint64_t Last() { return replica_->view()->AppliedOf(replica_->view()->self).value(); }
  void AwaitCommitBeyond(uint64_t last) {
    absl::Notification committed;
    const int listener = replica_->AddListener([&] {
      if (Last() > last && !committed.HasBeenNotified()) committed.Notify();
    });
    committed.WaitForNotification();
    replica_->RemoveListener(listener);
  }
  internal::v1::Hello hello_;
};

TEST_F(AckTest, AWriteIsAnsweredOnceAsManyRegionsHaveAppliedItAsItAskedFor) {
  const uint64_t before = Last();
  auto write = Start(PutAcked("x"));
  AwaitCommitBeyond(before);
  EXPECT_TRUE(Call(Get("x")).ok());  // the write is done and visible here
  Acknowledge(before);
  EXPECT_FALSE(write->done.HasBeenNotified());
  Acknowledge(before + 1);
  write->done.WaitForNotification();
  EXPECT_TRUE(write->status.ok()) << write->status;
  EXPECT_EQ(write->response.mutate().acknowledged_by_regions(), 1u);
  EXPECT_FALSE(write->response.mutate().session_token().empty());
}

TEST_F(AckTest, AWriteThatOthersDoNotGetInTimeSaysHowManyHadIt) {
  CallContext context;
  context.deadline = clock_.SteadyNow() + absl::Seconds(1);
  const uint64_t before = Last();
  auto write = Start(PutAcked("x"), context);
  AwaitCommitBeyond(before);
  clock_.Advance(absl::Milliseconds(910));  // before the deadline
  write->done.WaitForNotification();
  EXPECT_EQ(write->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(write->status), reason::kNotYetReplicated);
  EXPECT_EQ(ErrorMetadataOf(write->status, "have"), "0");
  EXPECT_EQ(ErrorMetadataOf(write->status, "want"), "1");
  StoreResponse read;
  ASSERT_TRUE(Call(Get("x"), read).ok());  // it stands all the same
  EXPECT_EQ(ErrorMetadataOf(write->status, "version_time"),
            absl::StrCat(read.get().item().version().hybrid_time()));
}

TEST_F(AckTest, ARetryOfAWriteThatOthersHaveByNowIsAnsweredAtOnce) {
  CallContext context;
  context.deadline = clock_.SteadyNow() + absl::Seconds(1);
  const uint64_t before = Last();
  auto write = Start(PutAcked("x", "id"), context);
  AwaitCommitBeyond(before);
  clock_.Advance(absl::Seconds(1));
  write->done.WaitForNotification();
  ASSERT_EQ(ReasonOf(write->status), reason::kNotYetReplicated);
  Acknowledge(before + 1);
  StoreResponse response;
  const absl::Status again = Call(PutAcked("x", "id"), response);
  EXPECT_TRUE(again.ok()) << again;
  EXPECT_EQ(response.mutate().acknowledged_by_regions(), 1u);
  EXPECT_EQ(Last(), before + 1);
}

TEST_F(AckTest, MoreRegionsThanThereAreAreRefusedBeforeTheWrite) {
  const uint64_t before = Last();
  StoreRequest request = PutAcked("x");
  request.mutable_mutate()->mutable_options()->set_acknowledged_by_regions(2);
  const absl::Status status = Call(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorMetadataOf(status, "field"), "options.acknowledged_by_regions");
  EXPECT_EQ(ErrorMetadataOf(status, "limit"), "1");
  EXPECT_EQ(Last(), before);
}

TEST_F(AckTest, AReplicaThatStopsSaysThatTheWriteIsDone) {
  const uint64_t before = Last();
  auto write = Start(PutAcked("x"));
  AwaitCommitBeyond(before);
  replica_->Stop();
  write->done.WaitForNotification();
  EXPECT_EQ(write->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(write->status), reason::kNotYetReplicated);
}

TEST_F(AckTest, WritesThatWaitForRegionsAreBounded) {
  options_.waiting_max = 1;
  replica_.reset();
  Open();
  hello_.set_topology_fingerprint(replica_->topology()->fingerprint());
  replica_->OnPeerHello(hello_);
  const uint64_t before = Last();
  auto write = Start(PutAcked("x"));
  AwaitCommitBeyond(before);
  // The count is there once the commit's answers are.
  ASSERT_TRUE(Call(Put("y", "1")).ok());
  const absl::Status status = Call(PutAcked("z"));
  EXPECT_EQ(ReasonOf(status), reason::kOverloaded) << status;
  Acknowledge(before + 1);
  write->done.WaitForNotification();
  EXPECT_TRUE(write->status.ok()) << write->status;
}

// Several threads write; the power goes in the middle. Returns how many acknowledged writes the
// disk has lost.
int LostInAPowerCut(bool never_sync) {
  std::string pattern = ::testing::TempDir() + "replica-XXXXXX";
  const std::string root = mkdtemp(pattern.data());
  auto files = std::make_shared<FaultFileSystem>(rocksdb::FileSystem::Default());
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
  RocksdbOptions engine_options;
  engine_options.path = root + "/data";
  engine_options.env = env.get();
  SimulatedClock clock;
  auto watch = std::make_shared<WatchedEngine::Watch>();
  watch->never_sync = never_sync;
  ReplicaOptions options;
  options.name = ReplicaName("r0/a");
  options.data_path = engine_options.path;
  options.disk_reserve_bytes = 0;
  auto open = [&](uint64_t origin) {
    auto engine = OpenRocksdbEngine(engine_options);
    EXPECT_TRUE(engine.ok()) << engine.status();
    auto replica =
        Replica::Open(options, std::make_unique<WatchedEngine>(std::move(*engine), watch), &clock,
                      MakeTopology(), Origin(origin));
    EXPECT_TRUE(replica.ok()) << replica.status();
    return *replica;
  };

  constexpr int kThreads = 4;
  constexpr int kWrites = 50;
  std::vector<std::vector<std::string>> acknowledged(kThreads);
  {
    auto replica = open(1);
    // The identity is on the disk whatever is tested.
    std::vector<std::thread> threads;
    std::atomic<int> count = 0;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kWrites; ++i) {
          const std::string id = absl::StrCat(t, "-", i);
          const StoreRequest request = Put(id, "v");
          StoreResponse response;
          absl::Notification done;
          absl::Status status;
          replica->Execute({}, request, &response, [&](absl::Status s) {
            status = std::move(s);
            done.Notify();
          });
          done.WaitForNotification();
          if (status.ok()) acknowledged[t].push_back(id);
          if (++count == kThreads * kWrites / 2) files->CutPower();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    replica->Stop();
  }
  files->DropUnsynced();
  watch->never_sync = false;
  int lost = 0;
  {
    auto replica = open(2);
    for (const auto& ids : acknowledged) {
      for (const std::string& id : ids) {
        StoreResponse response;
        replica->Execute({}, Get(id), &response, [](absl::Status s) { EXPECT_TRUE(s.ok()) << s; });
        if (!response.get().has_item()) ++lost;
      }
    }
    replica->Stop();
  }
  std::filesystem::remove_all(root);
  return lost;
}

TEST(ReplicaPowerCutTest, AcknowledgedWritesSurvive) { EXPECT_EQ(LostInAPowerCut(false), 0); }

TEST(ReplicaPowerCutTest, TheCheckCatchesAnEngineThatDoesNotSync) {
  EXPECT_GT(LostInAPowerCut(true), 0);
}

}  // namespace
}  // namespace homeport
