#include "storage/replication/seed_cut.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace homeport {

using google::protobuf::RepeatedPtrField;
using internal::v1::SeedPosition;

Sequence SequenceIn(const SeedCut& cut, Origin origin) {
  auto found = cut.find(origin);
  return found == cut.end() ? Sequence(0) : found->second.sequence;
}

SeedCut CutOf(const ReplicaView& view) {
  SeedCut cut;
  for (const OriginView& origin : view.origins) {
    // Whoever jumps over the chain entry that closes an origin has to learn of it here.
    const bool closes = origin.frozen || origin.closed_end.has_value();
    if (origin.applied == Sequence(0) && !closes) continue;
    CutOrigin& out = cut[origin.origin];
    out.sequence = origin.applied;
    out.applied_time = origin.applied_time;
    out.first_time = origin.first_time;
    if (origin.replica != nullptr) out.replica = origin.replica->value();
    out.covered_by = origin.covered_by;
    out.covered_at = origin.covered_at;
    out.covered_end = origin.covered_end;
    out.closed_end = origin.closed_end;
    out.frozen = origin.frozen;
    out.changes = origin.changes;
    const bool ended = (origin.covered_by != Origin(0) && origin.applied >= origin.covered_end) ||
                       (origin.closed_end && origin.applied >= *origin.closed_end);
    if (!ended) out.knows = origin.knows;
  }
  return cut;
}

SeedCut LesserCut(const SeedCut& a, const SeedCut& b) {
  SeedCut least;
  for (const auto& [origin, of_a] : a) {
    auto found = b.find(origin);
    if (found == b.end()) continue;
    const CutOrigin& of_b = found->second;
    const bool a_is_less = of_a.sequence <= of_b.sequence;
    CutOrigin out = a_is_less ? of_a : of_b;
    const CutOrigin& other = a_is_less ? of_b : of_a;
    if (out.replica.empty()) out.replica = other.replica;
    if (out.first_time == HybridTime(0)) out.first_time = other.first_time;
    if (!out.closed_end) out.closed_end = other.closed_end;
    out.frozen = out.frozen || other.frozen;
    // Of the same entries both know the same, unless one keeps it no longer.
    if (out.knows == nullptr && out.sequence == other.sequence) out.knows = other.knows;
    least.emplace(origin, std::move(out));
  }
  // A chain entry counts where both have applied it; what the lesser cut has not applied comes
  // later by itself.
  for (auto& [origin, out] : least) {
    const CutOrigin& of_a = a.at(origin);
    const CutOrigin& of_b = b.at(origin);
    out.covered_by = Origin(0);
    out.covered_at = out.covered_end = Sequence(0);
    for (const CutOrigin* from : {&of_a, &of_b}) {
      if (from->covered_by == Origin(0) || SequenceIn(least, from->covered_by) < from->covered_at) {
        continue;
      }
      out.covered_by = from->covered_by;
      out.covered_at = from->covered_at;
      out.covered_end = from->covered_end;
    }
  }
  return least;
}

void AddCut(const SeedCut& cut, RepeatedPtrField<SeedPosition>* out) {
  for (const auto& [origin, of] : cut) {
    SeedPosition* position = out->Add();
    position->set_origin(origin.value());
    position->set_sequence(of.sequence.value());
    position->set_applied_timestamp(of.applied_time.value());
    position->set_first_timestamp(of.first_time.value());
    position->set_replica(of.replica);
    position->set_covered_by(of.covered_by.value());
    position->set_covered_at(of.covered_at.value());
    position->set_covered_end(of.covered_end.value());
    if (of.closed_end) position->set_closed_end(of.closed_end->value());
    position->set_frozen(of.frozen);
    if (of.knows != nullptr) AddKnown(*of.knows, position->mutable_knows());
    if (of.changes == nullptr) continue;
    of.changes->AddTo(*position->mutable_changes());
    position->set_changes_known(of.changes->known());
  }
}

absl::StatusOr<SeedCut> ParseCut(const RepeatedPtrField<SeedPosition>& positions) {
  if (static_cast<size_t>(positions.size()) > kOriginsMax) {
    return absl::ResourceExhaustedError(absl::StrCat("a seeding's cut names ", positions.size(),
                                                     " origins, more than the ", kOriginsMax,
                                                     " that a replica can know"));
  }
  SeedCut cut;
  for (const SeedPosition& position : positions) {
    CutOrigin of;
    of.sequence = Sequence(position.sequence());
    of.applied_time = HybridTime(position.applied_timestamp());
    of.first_time = HybridTime(position.first_timestamp());
    of.replica = position.replica();
    of.covered_by = Origin(position.covered_by());
    of.covered_at = Sequence(position.covered_at());
    of.covered_end = Sequence(position.covered_end());
    if (position.has_closed_end()) of.closed_end = Sequence(position.closed_end());
    of.frozen = position.frozen();
    of.knows = ParseKnown(position.knows());
    of.changes = std::make_shared<const LastChanges>(
        LastChanges::Parse(position.changes_known(), position.changes()));
    const bool says_nothing = of.sequence == Sequence(0) && !of.frozen && !of.closed_end;
    if (position.origin() == 0 || says_nothing ||
        !cut.emplace(Origin(position.origin()), std::move(of)).second) {
      return absl::DataLossError("a seeding's cut names an origin twice or says nothing of it");
    }
  }
  return cut;
}

std::vector<SeededOrigin> SeededOriginsOf(const SeedCut& cut) {
  std::vector<SeededOrigin> seeded;
  seeded.reserve(cut.size());
  for (const auto& [origin, of] : cut) {
    SeededOrigin out{origin, {}};
    out.position.set_applied(of.sequence.value());
    out.position.set_applied_timestamp(of.applied_time.value());
    out.position.set_first_timestamp(of.first_time.value());
    out.position.set_replica(of.replica);
    out.position.set_covered_by(of.covered_by.value());
    out.position.set_covered_at(of.covered_at.value());
    out.position.set_covered_end(of.covered_end.value());
    out.position.set_frozen(of.frozen);
    if (of.knows != nullptr) AddKnown(*of.knows, out.position.mutable_knows());
    if (of.closed_end) out.position.set_closed_end(of.closed_end->value());
    if (of.changes != nullptr) {
      of.changes->AddTo(*out.position.mutable_changes());
      out.position.set_changes_known(of.changes->known());
    }
    seeded.push_back(std::move(out));
  }
  return seeded;
}

}  // namespace homeport
