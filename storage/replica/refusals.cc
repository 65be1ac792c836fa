#include "storage/replica/refusals.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/status/retry_delay.h"

namespace homeport {
namespace {

constexpr absl::Duration kOverloadedRetryDelay = absl::Milliseconds(100);

}  // namespace

absl::Status StoppingError(const ReplicaName& self) {
  return MakeError(absl::StatusCode::kUnavailable, reason::kDraining,
                   absl::StrCat(self.value(), " is stopping"), {{"replica", self.value()}});
}

absl::Status UnknownNamespaceError(const std::string& name_space) {
  return MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown,
                   absl::StrCat("namespace: there is no namespace '", name_space, "'"),
                   {{"namespace", name_space}});
}

absl::Status NotHereError(const std::string& name_space, const std::string& region) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason::kNotHere,
                   absl::StrCat("namespace '", name_space, "' is not held in ", region),
                   {{"namespace", name_space}, {"region", region}});
}

absl::Status HistoryLostError(const ReplicaView& view, SessionToken token,
                              const SessionToken::Position& lost, uint64_t cluster) {
  view.DropLost(token);
  const OriginView* origin = view.Find(lost.origin);
  const uint64_t end = origin == nullptr || !origin->closed_end ? 0 : origin->closed_end->value();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, reason::kHistoryLost,
      absl::StrCat("the session saw entry ", lost.sequence.value(), " of origin ",
                   absl::Hex(lost.origin.value()), ", which was lost with a disk behind ", end,
                   "; go on with a new session, or with the token in 'fresh_token' (base64)"),
      {{"origin", absl::StrCat(absl::Hex(lost.origin.value()))},
       {"have", absl::StrCat(end)},
       {"want", absl::StrCat(lost.sequence.value())},
       {"fresh_token", absl::Base64Escape(token.Serialize(cluster))}});
}

absl::Status NotWholeError(const ReplicaName& self, const ReplicaView& view,
                           const NamespaceInfo& info) {
  const NamespaceSeeding& seeding = *view.seeding->Find(info.name.value());
  const std::string progress =
      absl::StrCat(seeding.items, " of ", std::max(seeding.items, seeding.items_total), " items");
  return MakeError(absl::StatusCode::kUnavailable, reason::kCatchingUp,
                   absl::StrCat(self.value(), " does not hold namespace '", info.name.value(),
                                "' whole yet: ", progress),
                   {{"replica", self.value()}, {"progress", progress}});
}

absl::Status TokenAheadError(const ReplicaName& self, const ReplicaView& view,
                             const SessionToken::Position& missing) {
  const Sequence have = view.AppliedOf(missing.origin);
  return MakeError(
      absl::StatusCode::kUnavailable, reason::kTokenAhead,
      absl::StrCat(self.value(), " has not applied what the session token covers: has ",
                   have.value(), " of origin ", absl::Hex(missing.origin.value()), ", needs ",
                   missing.sequence.value()),
      {{"replica", self.value()},
       {"origin", absl::StrCat(absl::Hex(missing.origin.value()))},
       {"have", absl::StrCat(have.value())},
       {"want", absl::StrCat(missing.sequence.value())}});
}

absl::Status StaleLimitError(const ReplicaName& self, absl::Duration max_staleness,
                             const ReadAge& found) {
  // With an age of zero there is nothing to refuse, so somebody is behind.
  const std::string behind = found.writer == nullptr ? self.value() : found.writer->value();
  const int64_t bound_ms = absl::ToInt64Milliseconds(max_staleness);
  if (!found.age) {
    return MakeError(absl::StatusCode::kUnavailable, reason::kStaleLimit,
                     absl::StrCat("options.max_staleness: ", bound_ms, " ms can not be met; ",
                                  self.value(), " has not heard of ", behind, " yet"),
                     {{"field", "options.max_staleness"},
                      {"max_staleness_ms", absl::StrCat(bound_ms)},
                      {"behind", behind},
                      {"replica", self.value()}});
  }
  // Rounded up: an age that is said to be within the bound would be no reason.
  const int64_t age_ms = absl::ToInt64Milliseconds(absl::Ceil(*found.age, absl::Milliseconds(1)));
  return MakeError(
      absl::StatusCode::kUnavailable, reason::kStaleLimit,
      absl::StrCat("options.max_staleness: ", bound_ms, " ms can not be met; what ", self.value(),
                   " has of the writes of ", behind, " is ", age_ms, " ms old"),
      {{"field", "options.max_staleness"},
       {"max_staleness_ms", absl::StrCat(bound_ms)},
       {"age_ms", absl::StrCat(age_ms)},
       {"behind", behind},
       {"replica", self.value()}});
}

absl::Status OutcomeUnknownError(const ReplicaName& self, const absl::Status& why) {
  return MakeError(
      absl::StatusCode::kUnavailable, reason::kOutcomeUnknown,
      absl::StrCat("the disk failed while the write was made, so it may or may not be there: ",
                   why.message()),
      {{"replica", self.value()}});
}

absl::Status OverloadedError(const std::string& message, const std::string& what) {
  return WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                                  message, {{"what", what}}),
                        kOverloadedRetryDelay);
}

}  // namespace homeport
