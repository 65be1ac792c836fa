// What a replica keeps of namespaces that it does not hold whole any more, so that nothing is lost
// with them: their items as they were when it last held them whole. It goes once some member that
// holds the namespace whole is known to have applied all of it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "storage/replication/member_table.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/seed_cut.h"
#include "storage/replication/staging.h"

namespace homeport {

// Immutable, shared between threads.
struct KeptView {
  // By namespace, what the items that are kept are the effect of.
  std::map<std::string, SeedCut, std::less<>> cuts;
  // By namespace, why it is still kept, for people.
  std::map<std::string, std::string, std::less<>> waits;
};

// Null if nothing is kept of the namespace.
const SeedCut* KeptCutOf(const ReplicaView& view, absl::string_view name_space);

// Thread-compatible. Staging and origins must outlive it.
class KeptItems {
 public:
  KeptItems(Staging* staging, const OriginTable* origins) : staging_(staging), origins_(origins) {}

  // Takes what the disk says. DATA_LOSS if it does not parse; otherwise the engine's errors.
  absl::Status Load();
  // The namespace was whole here until now. If it is kept already, that goes on.
  void Keep(const std::string& name_space);
  // What is kept is whole again, or somebody else's.
  void Forget(const std::string& name_space);
  bool Keeps(absl::string_view name_space) const {
    return kept_->cuts.find(name_space) != kept_->cuts.end();
  }
  // Looks whether what is kept of the namespace is still needed: false once some other member holds
  // the namespace whole and has applied all that is kept.
  bool Look(const std::string& name_space, const ReplicaName& self, const MemberTable& members);
  // Never null.
  const std::shared_ptr<const KeptView>& View() const { return kept_; }

 private:
  Staging* staging_;
  const OriginTable* origins_;
  std::shared_ptr<const KeptView> kept_ = std::make_shared<const KeptView>();
};

}  // namespace homeport
