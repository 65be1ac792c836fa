#include "storage/replication/retention.h"

#include <algorithm>
#include <iterator>
#include <queue>
#include <tuple>

#include "common/base/mutants.h"

namespace homeport {
namespace {

// An origin's log while it is planned: the segments before `next` go.
struct Cut {
  const OriginState* state;
  size_t next = 0;
  Truncation::Reason reason = Truncation::Reason::kAppliedByAll;

  // The oldest segment that stays; null if there is none.
  const LogSegment* Oldest() const {
    const OriginLog& log = state->log;
    if (next < log.segments().size()) return &log.segments()[next];
    return next == log.segments().size() && log.open().last >= log.begin() ? &log.open() : nullptr;
  }
  Sequence Begin() const {
    const OriginLog& log = state->log;
    if (next == 0) return log.begin();
    const LogSegment& last = next <= log.segments().size() ? log.segments()[next - 1] : log.open();
    return Sequence(last.last.value() + 1);
  }
};

}  // namespace

std::vector<Truncation> PlanRetention(const std::map<Origin, OriginState>& states,
                                      absl::FunctionRef<Sequence(Origin)> applied_by_members,
                                      const RetentionLimits& limits, HybridTime now) {
  const HybridTime aged = FromWallTime(ToWallTime(now) - limits.log_age_max);
  std::map<Origin, Cut> cuts;
  uint64_t bytes = 0;
  // The oldest segments first; ties in the order of the origins.
  using Old = std::tuple<HybridTime, Origin>;
  std::priority_queue<Old, std::vector<Old>, std::greater<>> oldest;
  for (const auto& [origin, state] : states) {
    Cut cut{&state};
    if (cut.Oldest() == nullptr) continue;
    const Sequence everywhere = HP_MUTANT(kRetentionBelowPosition)
                                    ? state.received
                                    : std::min(state.applied, applied_by_members(origin));
    bytes += state.log.bytes();
    for (const LogSegment* at = cut.Oldest(); at != nullptr && at->last <= everywhere;
         at = cut.Oldest()) {
      bytes -= at->bytes;
      ++cut.next;
    }
    if (const LogSegment* at = cut.Oldest(); at != nullptr && at->last <= state.applied) {
      oldest.emplace(at->logged, origin);
    }
    cuts.emplace(origin, cut);
  }
  while (!oldest.empty()) {
    const auto [logged, origin] = oldest.top();
    oldest.pop();
    const bool too_large = bytes > limits.log_bytes_max;
    if (!too_large && logged >= aged) break;
    Cut& cut = cuts.at(origin);
    bytes -= cut.Oldest()->bytes;
    ++cut.next;
    cut.reason = too_large ? Truncation::Reason::kBytes : Truncation::Reason::kAge;
    if (const LogSegment* at = cut.Oldest(); at != nullptr && at->last <= cut.state->applied) {
      oldest.emplace(at->logged, origin);
    }
  }
  std::vector<Truncation> plan;
  for (const auto& [origin, cut] : cuts) {
    if (cut.next > 0) plan.push_back({origin, cut.Begin(), cut.reason});
  }
  return plan;
}

}  // namespace homeport
