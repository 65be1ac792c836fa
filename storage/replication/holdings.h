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
#include "storage/replication/seed_receiver.h"
#include "storage/replication/staging.h"

namespace homeport {

// A namespace that this region may not hold is left out. Given to the region later it is seeded;
// taken away, its items go. Thread-compatible. The parts must outlive it.
class Holdings {
 public:
  Holdings(Staging* staging, DigestSums* digests, SeedReceiver* seeds)
      : staging_(staging), digests_(digests), seeds_(seeds) {}

  // Takes what the disk says. The engine's errors.
  absl::Status Load();
  // Entries of the namespace were left out.
  void LeaveOut(const std::string& name_space);
  // Stages what a policy changes. A namespace that was left out and may be held now is to be
  // seeded, by a peer that has applied what was `received` here until now; unless no other region
  // holds it, as there is nothing to be had then. One that may not be held is left out from now on,
  // whether entries of it come or positions are raised past them; its items and request ids are
  // deleted, each with one operation however many there are. DATA_LOSS if a stored key does not
  // parse; otherwise the engine's errors. One that is not whole here and that the topology does not
  // know any more is left out too.
  // `own`: how far this start is. What it wrote of a namespace that was taken away and is given
  // back went with the items.
  absl::Status OnPolicy(const HoldingPolicy& policy,
                        const std::vector<std::pair<Origin, Sequence>>& received,
                        const std::pair<Origin, Sequence>& own);

  const std::set<std::string>& left_out() const { return left_out_; }
  bool LeavesOut(const std::string& name_space) const { return left_out_.contains(name_space); }

 private:
  absl::Status DropForbidden(const HoldingPolicy& policy);

  Staging* staging_;
  DigestSums* digests_;
  SeedReceiver* seeds_;
  std::set<std::string> left_out_;
  // Namespaces of which items were deleted in this start.
  std::set<std::string> dropped_;
};

}  // namespace homeport
