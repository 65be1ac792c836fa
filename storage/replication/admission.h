// Which of a peer's entries and skips may enter the change log.
#pragma once

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/origin_table.h"

namespace homeport {

// Decides for one start of a replica. Thread-compatible. The table must outlive it.
class Admission {
 public:
  enum class Answer { kTake, kDuplicate };

  Admission(Origin self, const OriginTable* origins) : self_(self), origins_(origins) {}
  // What this region may hold. Without a policy nothing is taken but chain entries.
  void SetPolicy(HoldingPolicy policy) { policy_.emplace(std::move(policy)); }
  // True if the replica is in a region that may not hold the namespace.
  bool NeverWrites(absl::string_view replica, absl::string_view name_space) const {
    return policy_ && policy_->NeverWrites(replica, name_space);
  }

  // FAILED_PRECONDITION if what comes before it is not here, the origin is closed or about to be,
  // or it lacks what this region may hold; DATA_LOSS if it contradicts what came before it;
  // PERMISSION_DENIED if this region may not hold what it changes; RESOURCE_EXHAUSTED if it would
  // begin one origin too many.
  absl::StatusOr<Answer> CheckEntry(const internal::v1::Entry& entry) const;
  // The same for a note that entries were left out.
  absl::StatusOr<Answer> CheckSkip(const internal::v1::Skip& skip) const;
  // A note that entries were left out by another topology: may name what this region may hold.
  absl::StatusOr<Answer> CheckOwed(const internal::v1::Skip& skip) const;
  // True if this region may hold items of the namespace, and another one may too.
  bool Misses(absl::string_view name_space) const {
    return policy_ && policy_->AskItems(name_space) == HoldingPolicy::Answer::kHolds &&
           policy_->HeldElsewhere(name_space);
  }
  // What CheckEntry() and CheckSkip() say of the content, wherever it stands in its origin.
  absl::Status CheckContent(const internal::v1::Entry& entry) const;
  absl::Status CheckContent(const internal::v1::Skip& skip) const;
  // PERMISSION_DENIED if this region may not hold the namespace's items.
  absl::Status CheckHolds(absl::string_view name_space) const;

 private:
  // Sequences `first` to `last`, with the timestamp of the last.
  absl::StatusOr<Answer> CheckPlace(Origin origin, Sequence first, Sequence last,
                                    HybridTime time) const;
  absl::Status CheckHolds(const internal::v1::ChangeClass& change_class) const;
  // A class that a peer left out may be missing only if this region may not hold it: what is left
  // out is never sent again.
  absl::Status CheckLacks(const internal::v1::ChangeClass& change_class) const;

  Origin self_;
  const OriginTable* origins_;
  std::optional<HoldingPolicy> policy_;
};

}  // namespace homeport
