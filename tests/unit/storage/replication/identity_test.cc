#include "storage/replication/identity.h"

#include <memory>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

const ReplicaName kSelf("eu-west/a");

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() { Open(); }
  void Open() {
    engine_.reset();
    auto engine = MemoryEngine::Open(disk_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = std::move(*engine);
  }
  void Store(Table table, absl::string_view key, const std::string& value) {
    WriteBatch batch;
    batch.Put(table, std::string(key), value);
    ASSERT_TRUE(engine_->Write(batch, KvEngine::Durability::kSynced).ok());
  }
  void ExpectRefused(const std::string& cluster, const ReplicaName& replica, absl::StatusCode code,
                     std::initializer_list<absl::string_view> named) {
    const absl::Status status = ClaimIdentity(engine_.get(), cluster, replica);
    EXPECT_EQ(status.code(), code) << status;
    for (absl::string_view name : named) {
      EXPECT_TRUE(absl::StrContains(status.message(), name)) << status << " lacks " << name;
    }
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<KvEngine> engine_;
};

TEST_F(IdentityTest, AnEmptyDirectoryIsClaimedForGoodAlsoOverAPowerCut) {
  ASSERT_TRUE(ClaimIdentity(engine_.get(), "prod", kSelf).ok());
  engine_.reset();
  disk_->CrashLosingUnsynced();
  Open();
  EXPECT_TRUE(ClaimIdentity(engine_.get(), "prod", kSelf).ok());
  ExpectRefused("prod", ReplicaName("us-east/a"), absl::StatusCode::kFailedPrecondition,
                {"eu-west/a", "us-east/a"});
}

TEST_F(IdentityTest, AnotherReplicasDataIsRefusedAndBothAreNamed) {
  ASSERT_TRUE(ClaimIdentity(engine_.get(), "prod", ReplicaName("us-east/a")).ok());
  ExpectRefused("prod", kSelf, absl::StatusCode::kFailedPrecondition, {"us-east/a", "eu-west/a"});
}

TEST_F(IdentityTest, AnotherClustersDataIsRefusedAndBothAreNamed) {
  ASSERT_TRUE(ClaimIdentity(engine_.get(), "staging", kSelf).ok());
  ExpectRefused("prod", kSelf, absl::StatusCode::kFailedPrecondition, {"staging", "prod"});
}

TEST_F(IdentityTest, AFormatThatIsNotKnownIsRefusedAndBothAreNamed) {
  internal::v1::StoredIdentity identity;
  identity.set_cluster("prod");
  identity.set_replica(kSelf.value());
  identity.set_format(9);
  Store(Table::kMeta, kIdentityKey, identity.SerializeAsString());
  ExpectRefused("prod", kSelf, absl::StatusCode::kFailedPrecondition,
                {"format 9", "this version knows 1"});
}

TEST_F(IdentityTest, DataWithoutAnIdentityIsNotTakenForAnEmptyDirectory) {
  for (Table table : {Table::kMeta, Table::kItems, Table::kLog, Table::kRequests}) {
    disk_ = std::make_shared<MemoryDisk>();
    Open();
    Store(table, "key", "value");
    ExpectRefused("prod", kSelf, absl::StatusCode::kDataLoss, {"no identity"});
    auto identity = engine_->Get(Table::kMeta, kIdentityKey);
    ASSERT_TRUE(identity.ok());
    EXPECT_FALSE(identity->has_value());
  }
}

TEST_F(IdentityTest, ADamagedIdentityIsRefused) {
  Store(Table::kMeta, kIdentityKey, "\xff\xff");
  ExpectRefused("prod", kSelf, absl::StatusCode::kDataLoss, {"does not parse"});
}

}  // namespace
}  // namespace homeport
