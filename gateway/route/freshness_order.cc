#include "gateway/route/freshness_order.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"

namespace homeport {
namespace {

struct Candidate {
  Attempt attempt;
  std::optional<absl::Duration> answer;
  // 0: meets the bound in time. 1: not known. 2: does not.
  int group = 1;
};

bool IsLocal(const FreshnessFacts& facts, Target target) {
  return target.region == facts.gateway.self_region &&
         facts.gateway.local_replica == target.replica;
}

absl::Duration RoundTripOf(const FreshnessFacts& facts, Target target) {
  if (IsLocal(facts, target)) return absl::ZeroDuration();
  const TargetHealth* health = facts.health->Find(target);
  if (health != nullptr && health->round_trip_measured) return health->round_trip;
  return facts.topology->RoundTrip(facts.gateway.self_region, target.region);
}

int GroupOf(const FreshnessFacts& facts, const std::optional<absl::Duration>& answer) {
  if (!answer) return 1;
  return facts.now + *answer < facts.deadline ? 0 : 2;
}

}  // namespace

std::optional<absl::Duration> PredictAnswer(const FreshnessFacts& facts, Target target) {
  const absl::Duration round_trip = RoundTripOf(facts, target);
  if (facts.max_staleness == absl::InfiniteDuration()) return round_trip;
  const std::shared_ptr<const StoreFreshness> known = facts.freshness(target);
  if (known == nullptr) return std::nullopt;
  // What is known left the replica half a round trip before it came, and the request arrives there
  // half a round trip from now.
  const absl::Duration later = facts.now - known->as_of + round_trip;
  absl::Duration wait;
  for (const int region : facts.name_space->regions) {
    for (const ReplicaInfo& replica : facts.topology->regions()[region].replicas) {
      const WriterFreshness* writer = known->Find(replica.name.value());
      // A replica with another version of the topology may be silent about one that is new here.
      if (writer == nullptr) return std::nullopt;
      wait = std::max(wait, PredictWait(writer->pace, later, facts.max_staleness));
    }
  }
  return round_trip + wait;
}

void OrderByFreshness(const FreshnessFacts& facts, Plan& plan) {
  if (plan.attempts.size() < 2) return;
  absl::InlinedVector<Candidate, 8> candidates;
  for (const Attempt& attempt : plan.attempts) {
    const std::optional<absl::Duration> answer = PredictAnswer(facts, attempt.target);
    candidates.push_back({attempt, answer, GroupOf(facts, answer)});
  }
  const Candidate first = candidates.front();
  const bool fastest = plan.reason == v1::ROUTE_REASON_FASTEST;
  const bool keeps_first =
      (first.group == 1 && !fastest) ||
      (first.group == 0 && *first.answer <= RoundTripOf(facts, first.attempt.target));
  // First as if all were healthy: the ranks are of that order.
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return a.attempt.rank < b.attempt.rank; });
  std::stable_sort(candidates.begin(), candidates.end(),
                   [keeps_first](const Candidate& a, const Candidate& b) {
                     if (keeps_first) return a.group != 2 && b.group == 2;
                     if (a.group != b.group) return a.group < b.group;
                     return a.group == 0 && *a.answer < *b.answer;
                   });
  for (size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].attempt.rank = static_cast<uint16_t>(i);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return HealthOrder(a.attempt.health) < HealthOrder(b.attempt.health);
                   });
  bool before_first = true;
  for (size_t i = 0; i < candidates.size(); ++i) {
    Attempt& attempt = plan.attempts[i];
    attempt = candidates[i].attempt;
    before_first = before_first && attempt.target.region != first.attempt.target.region;
    if (before_first) {
      attempt.reason = fastest ? v1::ROUTE_REASON_FASTEST : v1::ROUTE_REASON_FRESHNESS;
    }
  }
}

}  // namespace homeport
