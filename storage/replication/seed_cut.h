// What a sender of a seeding had applied when it began to read: the cut.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "google/protobuf/repeated_field.h"
#include "homeport/internal/v1/seed.pb.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// An origin in a cut, with what the applied entries say of it: whoever takes over the position does
// not apply those entries.
struct CutOrigin {
  Sequence sequence;  // applied; 0 only if it is frozen or closed
  HybridTime applied_time;
  HybridTime first_time;
  std::string replica;
  Origin covered_by;
  Sequence covered_at;
  Sequence covered_end;
  std::optional<Sequence> closed_end;
  bool frozen = false;
  // What entries up to `sequence` depend on; null: nothing, or no more entries come.
  std::shared_ptr<const KnownPositions> knows;
  // What entries up to `sequence` changed; null: not known.
  std::shared_ptr<const LastChanges> changes;
};
using SeedCut = std::map<Origin, CutOrigin>;

// The last sequence of the origin in the cut; 0 if there is none.
Sequence SequenceIn(const SeedCut& cut, Origin origin);
// What a replica has applied.
SeedCut CutOf(const ReplicaView& view);
// The lesser of both, origin by origin. Of two cuts that are closed under dependencies this is one
// too.
SeedCut LesserCut(const SeedCut& a, const SeedCut& b);

void AddCut(const SeedCut& cut,
            google::protobuf::RepeatedPtrField<internal::v1::SeedPosition>* out);
// DATA_LOSS if an origin is 0 or comes twice, or has no sequence; RESOURCE_EXHAUSTED if there are
// more than kOriginsMax.
absl::StatusOr<SeedCut> ParseCut(
    const google::protobuf::RepeatedPtrField<internal::v1::SeedPosition>& positions);
// As positions take it over.
std::vector<SeededOrigin> SeededOriginsOf(const SeedCut& cut);

}  // namespace homeport
