// Which part of the change log can go. Pure.
//
// An entry stays until every member has applied it, for as long as the log is within its bytes and
// hours. Only what is applied here leaves, whatever the bounds say.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/origin_table.h"

namespace homeport {

struct RetentionLimits {
  uint64_t log_bytes_max = uint64_t{8} * 1024 * 1024 * 1024;
  // Since a record was logged here.
  absl::Duration log_age_max = absl::Hours(72);
};

// An origin's log can begin at `begin`.
struct Truncation {
  enum class Reason { kAppliedByAll, kBytes, kAge };
  Origin origin;
  Sequence begin;
  // Why its last segment goes; after kBytes and kAge some member may have to be seeded.
  Reason reason;
};

// What can go by now, in ascending order of the origin; whole segments only. `applied_by_members`:
// what of an origin every other member is known to have applied; 0 while anybody's is not known.
std::vector<Truncation> PlanRetention(const std::map<Origin, OriginState>& states,
                                      absl::FunctionRef<Sequence(Origin)> applied_by_members,
                                      const RetentionLimits& limits, HybridTime now);

}  // namespace homeport
