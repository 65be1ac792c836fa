#include "gateway/route/read_targets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/topology/option_ranges.h"

namespace homeport {
namespace {

// A replica that is tried before others gets half of the time that there is.
constexpr int kShareOfFirst = 2;

bool IsPredicted(const FreshnessFacts& facts, const Attempt& attempt, absl::Duration* answer) {
  if (HealthOrder(attempt.health) != 0) return false;
  const std::optional<absl::Duration> predicted = PredictAnswer(facts, attempt.target);
  if (!predicted || facts.now + *predicted >= facts.deadline) return false;
  *answer = *predicted;
  return true;
}

// The plan's replicas that are predicted to meet the target, best first; none if the first is not.
Plan MeetingPlan(const FreshnessFacts& facts, const Plan& plan) {
  Plan ordered = plan;
  OrderByFreshness(facts, ordered);
  Plan meeting = ordered;
  meeting.attempts.clear();
  for (const Attempt& attempt : ordered.attempts) {
    absl::Duration answer;
    if (!IsPredicted(facts, attempt, &answer)) break;
    meeting.attempts.push_back(attempt);
    // With another one behind it, it would not get the time that it needs.
    if (meeting.attempts.size() == 1 && facts.now + answer * kShareOfFirst >= facts.deadline) break;
  }
  return meeting;
}

}  // namespace

TargetChoice ChooseTarget(const FreshnessFacts& facts, absl::Span<const v1::ReadTarget> targets,
                          int from, SteadyTime started, const Plan& plan) {
  const int last = static_cast<int>(targets.size()) - 1;
  FreshnessFacts asked = facts;
  for (int i = from; i <= last; ++i) {
    asked.max_staleness = targets[i].consistency() == v1::CONSISTENCY_LEVEL_BOUNDED
                              ? ToAbslDuration(targets[i].max_staleness())
                              : absl::InfiniteDuration();
    asked.deadline = std::min(facts.deadline, started + ToAbslDuration(targets[i].latency()));
    if (i == last) break;
    Plan meeting = MeetingPlan(asked, plan);
    if (!meeting.attempts.empty()) return {i, asked.deadline, std::move(meeting)};
  }
  TargetChoice choice{last, facts.deadline, plan};
  OrderByFreshness(asked, choice.plan);
  return choice;
}

int TargetMet(absl::Span<const v1::ReadTarget> targets, const v1::Provenance& provenance,
              absl::Duration latency) {
  for (size_t i = 0; i < targets.size(); ++i) {
    const v1::ReadTarget& target = targets[i];
    if (latency > ToAbslDuration(target.latency())) continue;
    const bool is_bounded = target.consistency() == v1::CONSISTENCY_LEVEL_BOUNDED;
    const bool meets = is_bounded
                           ? provenance.has_age() && ToAbslDuration(provenance.age()) <=
                                                         ToAbslDuration(target.max_staleness())
                           : target.consistency() == v1::CONSISTENCY_LEVEL_EVENTUAL ||
                                 target.consistency() == provenance.level_met();
    if (meets) return static_cast<int>(i) + 1;
  }
  return 0;
}

}  // namespace homeport
