#include "storage/replication/identity.h"

#include "absl/strings/str_cat.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

constexpr uint32_t kFormat = 1;

}  // namespace

absl::Status ClaimIdentity(KvEngine* engine, const std::string& cluster, const ReplicaName& replica,
                           WriteBatch first) {
  auto bytes = engine->Get(Table::kMeta, kIdentityKey);
  if (!bytes.ok()) return bytes.status();
  internal::v1::StoredIdentity identity;
  if (!bytes->has_value()) {
    // Data without an identity is not empty: claiming it would hide that its owner was lost.
    for (int table = 0; table < kTableCount; ++table) {
      std::unique_ptr<KvIterator> it = engine->Iterate(static_cast<Table>(table));
      it->Seek({});
      if (!it->status().ok()) return it->status();
      if (it->Valid()) return absl::DataLossError("the data directory has data but no identity");
    }
    identity.set_cluster(cluster);
    identity.set_replica(replica.value());
    identity.set_format(kFormat);
    first.Put(Table::kMeta, std::string(kIdentityKey), identity.SerializeAsString());
    return engine->Write(first, KvEngine::Durability::kSynced);
  }
  if (!identity.ParseFromString(**bytes)) {
    return absl::DataLossError("the data directory's identity does not parse");
  }
  if (identity.format() != kFormat) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the data directory has format ", identity.format(), ", this version knows ", kFormat));
  }
  if (identity.cluster() != cluster || identity.replica() != replica.value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the data directory belongs to replica ", identity.replica(), " of cluster ",
                     identity.cluster(), ", not to ", replica.value(), " of ", cluster));
  }
  return absl::OkStatus();
}

}  // namespace homeport
