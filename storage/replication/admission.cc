#include "storage/replication/admission.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/mutants.h"
#include "storage/model/entry_codec.h"

namespace homeport {

using internal::v1::ChangeClass;

absl::StatusOr<Admission::Answer> Admission::CheckPlace(Origin origin, Sequence first,
                                                        Sequence last, HybridTime time) const {
  const OriginState* known = origins_->Find(origin);
  const Sequence have = known == nullptr ? Sequence(0) : known->received;
  if (last <= have) return Answer::kDuplicate;
  const auto name = [origin, last] {
    return absl::StrCat("entry ", last.value(), " of origin ", OriginText(origin));
  };
  if (origin == self_) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a peer has ", name(), ", which this replica writes, and which ends at ", have.value()));
  }
  if (first.value() != have.value() + 1 && !HP_MUTANT(kGapAccepted)) {
    return absl::FailedPreconditionError(absl::StrCat(name(), " came after ", have.value()));
  }
  if (known == nullptr) {
    if (origins_->states().size() < kOriginsMax) return Answer::kTake;
    return absl::ResourceExhaustedError(absl::StrCat("origin ", OriginText(origin),
                                                     " is one more than the ", kOriginsMax,
                                                     " that a replica can know"));
  }
  if (known->frozen) {
    return absl::FailedPreconditionError(
        absl::StrCat("origin ", OriginText(origin), " is about to be closed"));
  }
  if (known->closed_end && last > *known->closed_end) {
    return absl::FailedPreconditionError(
        absl::StrCat("origin ", OriginText(origin), " was closed at ", known->closed_end->value()));
  }
  if (have != Sequence(0) && time <= known->received_time) {
    return absl::DataLossError(absl::StrCat(name(), " is not later than the one before it"));
  }
  return Answer::kTake;
}

absl::StatusOr<Admission::Answer> Admission::CheckEntry(const internal::v1::Entry& entry) const {
  const Origin origin(entry.origin());
  const Sequence sequence(entry.sequence());
  auto answer = CheckPlace(origin, sequence, sequence, HybridTime(entry.timestamp()));
  if (!answer.ok() || *answer == Answer::kDuplicate) return answer;
  if (sequence == Sequence(1) && !entry.has_chain()) {
    return absl::DataLossError(
        absl::StrCat("origin ", OriginText(origin), " does not begin with a chain entry"));
  }
  if (auto status = CheckContent(entry); !status.ok()) return status;
  return answer;
}

absl::Status Admission::CheckContent(const internal::v1::Entry& entry) const {
  for (int i = 0; i < entry.parts_size(); ++i) {
    auto part = ParsePart(entry, i);
    if (!part.ok()) return part.status();
    if (auto status = CheckHolds(part->change_class()); !status.ok()) return status;
  }
  for (const ChangeClass& withheld : entry.withheld()) {
    if (auto status = CheckLacks(withheld); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Admission::Answer> Admission::CheckSkip(const internal::v1::Skip& skip) const {
  auto answer = CheckOwed(skip);
  if (!answer.ok() || *answer == Answer::kDuplicate) return answer;
  if (auto status = CheckContent(skip); !status.ok()) return status;
  return answer;
}

absl::StatusOr<Admission::Answer> Admission::CheckOwed(const internal::v1::Skip& skip) const {
  const Origin origin(skip.origin());
  if (origin == Origin(0) || skip.first() == 0 || skip.last() < skip.first()) {
    return absl::DataLossError("a skip names no sequences");
  }
  auto answer = CheckPlace(origin, Sequence(skip.first()), Sequence(skip.last()),
                           HybridTime(skip.timestamp()));
  if (!answer.ok() || *answer == Answer::kDuplicate) return answer;
  if (skip.first() == 1) {
    return absl::DataLossError(
        absl::StrCat("origin ", OriginText(origin), " does not begin with a chain entry"));
  }
  if (skip.classes().empty()) return absl::DataLossError("a skip names no classes");
  return answer;
}

absl::Status Admission::CheckContent(const internal::v1::Skip& skip) const {
  if (skip.classes().empty()) return absl::DataLossError("a skip names no classes");
  for (const ChangeClass& left_out : skip.classes()) {
    if (auto status = CheckLacks(left_out); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Admission::CheckHolds(absl::string_view name_space) const {
  ChangeClass change_class;
  change_class.set_namespace_(std::string(name_space));
  change_class.set_kind(internal::v1::CLASS_KIND_GENERAL);
  return CheckHolds(change_class);
}

// The receiver's half of the residency promise: what the topology does not give to this region is
// not taken, whoever sends it.
absl::Status Admission::CheckHolds(const ChangeClass& change_class) const {
  if (policy_ && policy_->Ask(change_class) == HoldingPolicy::Answer::kHolds) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat("this region may not hold namespace '",
                                                  change_class.namespace_(),
                                                  "', of which a peer sent something"));
}

absl::Status Admission::CheckLacks(const ChangeClass& change_class) const {
  if (policy_ && (policy_->Ask(change_class) == HoldingPolicy::Answer::kForbids ||
                  HP_MUTANT(kRelaySpreadsSkips))) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("a peer left out entries of namespace '", change_class.namespace_(),
                   "', which this region may hold or does not know; do the topologies differ?"));
}

}  // namespace homeport
