#include "storage/replica/conflict_calls.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "common/time/simulated_clock.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/journal_keys.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

constexpr uint64_t kFirst = 100;
const ReplicaName kHere("r0/a");

std::shared_ptr<const Topology> MakeTopology() {
  internal::v1::Topology proto;
  proto.set_cluster("test");
  internal::v1::Region* region = proto.add_regions();
  region->set_name("r0");
  region->set_country("DE");
  region->set_latitude(1);
  region->set_longitude(1);
  region->add_gateways("127.0.0.1:1001");
  region->add_replicas()->set_name("a");
  region->mutable_replicas(0)->set_address("127.0.0.1:2001");
  proto.add_namespaces()->set_name("n");
  proto.mutable_storage()->set_conflict_journal_bytes(1 << 20);
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

class ConflictCallsTest : public testing::Test {
 protected:
  ConflictCallsTest() : disk_(std::make_shared<MemoryDisk>()) {}
  ~ConflictCallsTest() override { Stop(); }

  std::unique_ptr<KvEngine> Engine() {
    auto engine = MemoryEngine::Open(disk_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return *std::move(engine);
  }
  // Puts a conflict on the disk of the replica, which is stopped. nullopt: a lost delete.
  std::string Lost(const std::optional<std::string>& value,
                   absl::Duration lives = absl::ZeroDuration(), const std::string& space = "n") {
    if (origin_ == 0) Start();  // the disk then is a replica's
    Stop();
    const ConflictNumber number(kFirst + conflicts_++);
    internal::v1::StoredConflict conflict;
    conflict.set_namespace_(space);
    conflict.set_record_id("id");
    conflict.set_key("key");
    conflict.mutable_lost()->set_timestamp(7);
    conflict.mutable_lost()->set_origin(8);
    conflict.mutable_lost()->set_sequence(9);
    if (value) conflict.mutable_lost()->set_value(*value);
    if (lives != absl::ZeroDuration()) {
      conflict.mutable_lost()->set_expires(FromWallTime(clock_.WallNow() + lives).value());
    }
    internal::v1::StoredJournal state;
    state.set_conflicts(conflicts_);
    state.set_bytes(1000 * conflicts_);
    state.set_last(number.value());
    WriteBatch batch;
    batch.Put(Table::kJournal, ConflictKey(number), conflict.SerializeAsString());
    batch.Put(Table::kJournal, ConflictIndexKey(RecordPrefix(space, "id"), number), "");
    batch.Put(Table::kJournal, std::string(kJournalStateKey), state.SerializeAsString());
    EXPECT_TRUE(Engine()->Write(batch, KvEngine::Durability::kSynced).ok());
    return "r0/a:00000000000000" + std::string(conflicts_ == 1 ? "64" : "65");
  }
  void Stop() {
    if (replica_ != nullptr) replica_->Stop();
    calls_.reset();
    replica_.reset();
  }
  void Start() {
    Stop();
    ReplicaOptions options;
    options.name = kHere;
    options.data_path = "memory";
    auto replica =
        Replica::Open(std::move(options), Engine(), &clock_, MakeTopology(), Origin(++origin_));
    ASSERT_TRUE(replica.ok()) << replica.status();
    replica_ = *std::move(replica);
    calls_ = std::make_unique<ConflictCalls>(replica_.get());
  }
  absl::StatusOr<v1::RestoreConflictResponse> Restore(const std::string& id,
                                                      const std::string& token = "") {
    v1::RestoreConflictRequest request;
    request.set_id(id);
    request.set_session_token(token);
    absl::StatusOr<v1::RestoreConflictResponse> result = absl::UnknownError("not called");
    absl::Notification done;
    calls_->Restore({}, request, [&](absl::StatusOr<v1::RestoreConflictResponse> answer) {
      result = std::move(answer);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }
  v1::GetResponse Read() {
    internal::v1::StoreRequest request;
    request.mutable_get()->set_namespace_("n");
    request.mutable_get()->set_id("id");
    request.mutable_get()->set_key("key");
    internal::v1::StoreResponse response;
    absl::Notification done;
    replica_->Execute({}, request, &response, [&](absl::Status status) {
      EXPECT_TRUE(status.ok()) << status;
      done.Notify();
    });
    done.WaitForNotification();
    return response.get();
  }
  v1::Conflict Show(const std::string& id) {
    v1::GetConflictRequest request;
    request.set_id(id);
    auto answer = calls_->Get(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->conflict() : v1::Conflict();
  }

  SimulatedClock clock_;
  std::shared_ptr<MemoryDisk> disk_;
  uint64_t conflicts_ = 0;
  uint64_t origin_ = 0;
  std::shared_ptr<Replica> replica_;
  std::unique_ptr<ConflictCalls> calls_;
};

TEST_F(ConflictCallsTest, ARestoreIsAWriteThatTheJournalNames) {
  const std::string id = Lost("value");
  Start();
  EXPECT_FALSE(Show(id).has_restored());
  const auto restored = Restore(id);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_FALSE(restored->repeated());
  EXPECT_NE(restored->session_token(), "");
  const v1::GetResponse read = Read();
  EXPECT_EQ(read.item().value(), "value");
  EXPECT_EQ(read.version().hybrid_time(), restored->version().hybrid_time());
  EXPECT_FALSE(read.item().has_expires());
  EXPECT_EQ(Show(id).restored().hybrid_time(), restored->version().hybrid_time());
}

TEST_F(ConflictCallsTest, ARestoreThatIsRepeatedAfterARestartChangesNothing) {
  const std::string id = Lost("value");
  Start();
  const auto restored = Restore(id);
  ASSERT_TRUE(restored.ok()) << restored.status();
  Start();
  const auto again = Restore(id, restored->session_token());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated());
  EXPECT_EQ(again->version().hybrid_time(), restored->version().hybrid_time());
  EXPECT_EQ(again->version().origin(), restored->version().origin());
  EXPECT_EQ(replica_->Stats().core.writes, 0u);
}

TEST_F(ConflictCallsTest, ALostDeleteIsRestoredByDeleting) {
  const std::string other = Lost("value");
  const std::string id = Lost(std::nullopt);
  Start();
  ASSERT_TRUE(Restore(other).ok());
  ASSERT_TRUE(Read().has_item());
  EXPECT_TRUE(Show(id).deleted());
  ASSERT_TRUE(Restore(id).ok());
  EXPECT_FALSE(Read().has_item());
}

TEST_F(ConflictCallsTest, AValueLivesOnAsLongAsItWouldHave) {
  const std::string id = Lost("value", absl::Hours(1));
  Start();
  const auto restored = Restore(id);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_NEAR(static_cast<double>(Read().item().expires().seconds()), 1'700'003'600.0, 1.0);
}

TEST_F(ConflictCallsTest, AValueThatHasExpiredIsRefused) {
  const std::string id = Lost("value", absl::Seconds(10));
  clock_.Advance(absl::Seconds(11));
  Start();
  const auto expired = Restore(id);
  EXPECT_EQ(expired.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(expired.status()), reason::kConflictExpired);
  EXPECT_FALSE(Read().has_item());
  EXPECT_FALSE(Show(id).has_restored());
}

TEST_F(ConflictCallsTest, WhatCanNotBeRestoredSaysWhy) {
  const std::string id = Lost("value", absl::ZeroDuration(), "gone");
  Start();
  EXPECT_EQ(ReasonOf(Restore(id).status()), reason::kNamespaceUnknown);
  EXPECT_EQ(ReasonOf(Restore("r0/a:0000000000000001").status()), reason::kConflictUnknown);
  EXPECT_EQ(ReasonOf(Restore("r1/a:0000000000000064").status()), reason::kReplicaNotHere);
  EXPECT_EQ(ReasonOf(Restore("what").status()), reason::kFieldInvalid);
  EXPECT_EQ(ReasonOf(Restore(id, "no token").status()), reason::kNamespaceUnknown);
}

TEST_F(ConflictCallsTest, TheStatusHasTheJournalAndItsLimit) {
  Lost("a");
  Lost("b");
  Start();
  const v1::ConflictJournalStatus journal = replica_->Status().conflict_journal();
  EXPECT_EQ(journal.conflicts(), 2u);
  EXPECT_EQ(journal.bytes(), 2000u);
  EXPECT_EQ(journal.bytes_max(), 1u << 20);
  v1::ListConflictsRequest request;
  const auto page = calls_->List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->conflicts_size(), 2);
  EXPECT_EQ(page->replica(), "r0/a");
}

}  // namespace
}  // namespace homeport
