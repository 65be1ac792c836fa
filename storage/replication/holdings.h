// Which namespaces are not whole here because this region did not always hold them.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "storage/replication/digest_sums.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/kept_items.h"
#include "storage/replication/member_table.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/seed_receiver.h"
#include "storage/replication/staging.h"

namespace homeport {

// A namespace that this region may not hold is left out. Given to the region later it is seeded;
// taken away, its items go once another member has all that they are the effect of. Until then they
// are kept, shown to nobody, and given to those that may hold them. Thread-compatible. The parts
// must outlive it.
class Holdings {
 public:
  Holdings(ReplicaName self, Staging* staging, const OriginTable* origins, DigestSums* digests,
           SeedReceiver* seeds)
      : self_(std::move(self)),
        staging_(staging),
        digests_(digests),
        seeds_(seeds),
        kept_(staging, origins) {}

  // Takes what the disk says. The engine's errors.
  absl::Status Load();
  // Entries of the namespace were left out.
  void LeaveOut(const std::string& name_space);
  // Entries of a namespace that this region may hold, up to `last`, were left out because a peer's
  // topology was another one.
  void Owe(const std::string& name_space, Origin origin, Sequence last, uint64_t entries);
  // Stages what a policy changes. A namespace that was left out and may be held now is to be
  // seeded, by a peer that has applied what was `received` here until now; unless no other region
  // holds it, as there is nothing to be had then. One that may not be held is left out from now on,
  // whether entries of it come or positions are raised past them; what was whole of it is kept,
  // what was not goes. DATA_LOSS if a stored key does not parse; otherwise the engine's errors. One
  // that is not whole here and that the topology does not know any more is left out too. `own`: how
  // far this start is. What it wrote of a namespace that was taken away and is given back went with
  // the items.
  absl::Status OnPolicy(const HoldingPolicy& policy,
                        const std::vector<std::pair<Origin, Sequence>>& received,
                        const std::pair<Origin, Sequence>& own);

  // Stages that what is kept goes, as far as another member has it. Items and request ids of a
  // namespace go with one operation each however many there are. To come before items are changed
  // in the same commit.
  void LetGo(const MemberTable& members);

  const std::set<std::string>& left_out() const { return left_out_; }
  const std::shared_ptr<const KeptView>& kept() const { return kept_.View(); }
  bool LeavesOut(const std::string& name_space) const { return left_out_.contains(name_space); }

 private:
  absl::Status DropForbidden(const HoldingPolicy& policy);
  void Drop(const std::string& name_space);

  ReplicaName self_;
  Staging* staging_;
  DigestSums* digests_;
  SeedReceiver* seeds_;
  KeptItems kept_;
  std::set<std::string> left_out_;
  // Namespaces of which items were deleted in this start.
  std::set<std::string> dropped_;
};

}  // namespace homeport
