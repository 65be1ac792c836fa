#include "gateway/dispatch/health_tracker.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"

namespace homeport {
namespace {

// The weight of the newest sample in the running mean.
constexpr double kRoundTripWeight = 1.0 / 8;
// A caller is in a hurry who waits for less than this many times what an answer usually takes.
constexpr double kFairFactor = 2;

bool IsIn(HealthState state) {
  return state == HealthState::kUnknown || state == HealthState::kHealthy;
}

// What is known of one replica.
struct Record {
  explicit Record(const HealthOptions& options)
      : answers(options.slow_answers), pings(options.slow_pings) {}

  HealthState health = HealthState::kUnknown;
  std::string reason;
  // Why it was ejected.
  enum class Cause { kFailed, kUnreachable, kSlow } cause = Cause::kFailed;
  int failures_in_row = 0;
  int ejections_in_row = 0;
  SteadyTime ejected_at;
  SteadyTime ejected_until;
  SteadyTime returned_at;
  SteadyTime probing_since;
  SteadyTime probe_turn_until;
  LatencyWatch answers;
  LatencyWatch pings;
  absl::Duration round_trip;
  bool round_trip_measured = false;
};

// When a snapshot that nothing is due to change must be looked at again.
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// When one that has changed must be.
constexpr int64_t kAtOnce = std::numeric_limits<int64_t>::min();

}  // namespace

struct HealthTracker::State {
  explicit State(HealthOptions options_in) : options(options_in) {}

  Record& At(Target target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    HP_CHECK(target.region >= 0 && static_cast<size_t>(target.region) < records.size());
    std::vector<Record>& region = records[target.region];
    HP_CHECK(target.replica >= 0 && static_cast<size_t>(target.replica) < region.size());
    return region[target.replica];
  }

  void Changed() { stale_at_nanos.store(kAtOnce, std::memory_order_release); }

  // An ejection whose time is over becomes probing.
  void Tick(Record& record, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (record.health != HealthState::kEjected || now < record.ejected_until) return;
    record.health = HealthState::kProbing;
    record.probing_since = record.ejected_until;
    record.probe_turn_until = -absl::InfiniteDuration();
    Changed();
  }

  bool AnotherIsIn(const Record& but) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    bool found = false;
    for (const std::vector<Record>& region : records) {
      for (const Record& record : region) found |= &record != &but && IsIn(record.health);
    }
    return found;
  }

  void Eject(Record& record, Record::Cause cause, std::string reason, SteadyTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    // The last one in stays in, however bad: there is nothing better to send to.
    if (IsIn(record.health) && !AnotherIsIn(record)) return;
    const absl::Duration longest = options.ejection_time * options.ejection_time_factor_max;
    if (IsIn(record.health) && now - record.returned_at > longest) record.ejections_in_row = 0;
    absl::Duration time_out = options.ejection_time;
    for (int i = 0; i < record.ejections_in_row && time_out < longest; ++i) time_out *= 2;
    ++record.ejections_in_row;
    record.health = HealthState::kEjected;
    record.cause = cause;
    record.reason = std::move(reason);
    record.ejected_at = now;
    record.ejected_until = now + std::min(time_out, longest);
    Changed();
  }

  void Return(Record& record, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    record.failures_in_row = 0;
    if (record.health == HealthState::kHealthy) return;
    if (!IsIn(record.health)) {
      record.answers.Forgive();
      record.pings.Forgive();
      record.returned_at = now;
    }
    record.health = HealthState::kHealthy;
    record.reason.clear();
    Changed();
  }

  void OnFailure(Record& record, bool unreachable, bool broken, SteadyTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    ++record.failures_in_row;
    if (record.health == HealthState::kEjected) return;  // tried as a last resort
    if (record.health != HealthState::kProbing && !broken &&
        record.failures_in_row < options.ejection_failures) {
      return;
    }
    Eject(record, unreachable ? Record::Cause::kUnreachable : Record::Cause::kFailed,
          broken ? std::string("its storage failed")
                 : absl::StrCat(record.failures_in_row,
                                record.failures_in_row == 1 ? " failure" : " failures in a row"),
          now);
  }

  // Whether an answer could be expected of the replica within `latency`: callers in a hurry say
  // nothing against it.
  bool Fair(const Record& record, absl::Duration latency) const {
    return latency >= std::max({options.slow_answers.floor, kFairFactor * record.round_trip,
                                kFairFactor * record.answers.usual()});
  }

  // How soon an answer of a replica is to be expected.
  static absl::Duration ExpectedOf(const Record& record) {
    const LatencyWatch& answers = record.answers;
    const absl::Duration answer = answers.IsSuspect() ? answers.recent() : answers.usual();
    return std::max(answer, record.pings.IsSuspect() ? record.pings.recent() : record.round_trip);
  }

  // Whether taking the traffic of a replica that takes `recent` elsewhere would help.
  bool PeersAreFaster(const Record& slow, absl::Duration recent, SteadyTime now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    bool faster = false;
    int heard = 0;
    int suspect = 0;
    for (const std::vector<Record>& region : records) {
      for (const Record& record : region) {
        if (&record == &slow || !IsIn(record.health)) continue;
        faster = faster || ExpectedOf(record) < recent;
        if (std::max(record.answers.last(), record.pings.last()) + options.slow_peers < now) {
          continue;
        }
        ++heard;
        suspect += record.answers.IsSuspect() || record.pings.IsSuspect();
      }
    }
    return faster && suspect * 2 <= heard;
  }

  // Ejects the replica if `watch`, of its answers or pings, says that it is slow.
  void JudgeSlowness(Record& record, const LatencyWatch& watch, absl::string_view what,
                     SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!IsIn(record.health) || !watch.IsSlow()) return;
    if (!PeersAreFaster(record, watch.recent(), now)) return;
    EjectSlow(record, watch.recent(), watch.usual(), what, now);
  }
  void EjectSlow(Record& record, absl::Duration recent, absl::Duration usual,
                 absl::string_view what, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Eject(record, Record::Cause::kSlow,
          absl::StrFormat("slow: %s take %.0f ms lately, %.0f ms before", what,
                          absl::ToDoubleMilliseconds(recent), absl::ToDoubleMilliseconds(usual)),
          now);
  }

  const HealthOptions options;
  absl::Mutex mutex;
  std::vector<std::vector<Record>> records ABSL_GUARDED_BY(mutex);

  // When the snapshot must be rebuilt, in nanoseconds of the steady clock: lets the usual reader
  // pass without `mutex`.
  std::atomic<int64_t> stale_at_nanos{kAtOnce};
  // Held only to copy the pointer; never while waiting for `mutex`.
  absl::Mutex snapshot_mutex;
  std::shared_ptr<const HealthSnapshot> snapshot ABSL_GUARDED_BY(snapshot_mutex);
};

HealthTracker::HealthTracker(std::shared_ptr<const Topology> topology, GatewayFacts gateway,
                             HealthOptions options)
    : topology_(std::move(topology)), state_(std::make_unique<State>(options)) {
  absl::MutexLock lock(&state_->mutex);
  const std::vector<RegionInfo>& regions = topology_->regions();
  for (int region = 0; region < static_cast<int>(regions.size()); ++region) {
    std::vector<Record> records(regions[region].replicas.size(), Record(state_->options));
    for (int replica = 0; replica < static_cast<int>(records.size()); ++replica) {
      Record& record = records[replica];
      record.round_trip = topology_->RoundTrip(gateway.self_region, region);
      record.returned_at = -absl::InfiniteDuration();
      if (region == gateway.self_region && gateway.local_replica == replica) {
        // A call in the same process has no way to go.
        record.round_trip = absl::ZeroDuration();
        record.round_trip_measured = true;
      }
    }
    state_->records.push_back(std::move(records));
  }
}

HealthTracker::~HealthTracker() = default;

void HealthTracker::OnOutcome(Target target, Outcome outcome, absl::Duration latency,
                              SteadyTime now) {
  State& state = *state_;
  absl::MutexLock lock(&state.mutex);
  Record& record = state.At(target);
  state.Tick(record, now);
  if (!IsIn(record.health) && now - latency < record.ejected_at) return;
  // That it answers is not news of one that was too slow.
  if (record.health == HealthState::kEjected && record.cause == Record::Cause::kSlow) return;
  // Nor is it if the answer was as slow.
  if (record.health == HealthState::kProbing && record.cause == Record::Cause::kSlow) {
    if (outcome == Outcome::kSuccess && record.answers.WouldBeSlow(latency)) {
      return state.EjectSlow(record, latency, record.answers.usual(), "answers", now);
    }
    if (outcome == Outcome::kAlive && record.pings.IsSuspect()) {
      return state.EjectSlow(record, record.pings.recent(), record.pings.usual(), "pings", now);
    }
  }
  switch (outcome) {
    case Outcome::kSuccess:
      state.Return(record, now);
      record.answers.Add(latency, now);
      state.JudgeSlowness(record, record.answers, "answers", now);
      return;
    case Outcome::kAlive:
      state.Return(record, now);
      return;
    case Outcome::kTimeout:
      // A probe's time is the dispatcher's choice, so there is no excuse.
      if (record.health == HealthState::kProbing || state.Fair(record, latency)) {
        state.OnFailure(record, false, false, now);
      }
      return;
    case Outcome::kFailure:
    case Outcome::kUnreachable:
    case Outcome::kBroken:
      state.OnFailure(record, outcome == Outcome::kUnreachable, outcome == Outcome::kBroken, now);
      return;
  }
}

void HealthTracker::OnRoundTrip(Target target, absl::Duration round_trip, SteadyTime now) {
  State& state = *state_;
  absl::MutexLock lock(&state.mutex);
  Record& record = state.At(target);
  if (record.round_trip_measured) {
    record.round_trip += (round_trip - record.round_trip) * kRoundTripWeight;
  } else {
    record.round_trip = round_trip;
    record.round_trip_measured = true;
  }
  state.Changed();
  // A connection that comes and goes is not let back more often than this.
  const bool held_out = now < record.ejected_at + state.options.ejection_time;
  if (record.health == HealthState::kUnknown ||
      (!IsIn(record.health) && record.cause == Record::Cause::kUnreachable && !held_out)) {
    state.Return(record, now);
  }
  record.pings.Add(round_trip, now);
  state.JudgeSlowness(record, record.pings, "pings", now);
}

void HealthTracker::OnConnectionLost(Target target, const std::string& reason, SteadyTime now) {
  State& state = *state_;
  absl::MutexLock lock(&state.mutex);
  Record& record = state.At(target);
  state.Tick(record, now);
  if (record.health == HealthState::kEjected) {
    record.cause = Record::Cause::kUnreachable;
    return;
  }
  state.Eject(record, Record::Cause::kUnreachable, absl::StrCat("connection lost: ", reason), now);
}

std::shared_ptr<const HealthSnapshot> HealthTracker::Snapshot(SteadyTime now) {
  State& state = *state_;
  const int64_t now_nanos = absl::ToInt64Nanoseconds(now);
  if (now_nanos >= state.stale_at_nanos.load(std::memory_order_acquire)) {
    absl::MutexLock lock(&state.mutex);
    if (now_nanos >= state.stale_at_nanos.load(std::memory_order_relaxed)) {
      auto snapshot = std::make_shared<HealthSnapshot>();
      int64_t stale_at = kNever;
      for (std::vector<Record>& region : state.records) {
        std::vector<TargetHealth>& targets = snapshot->targets.emplace_back();
        for (Record& record : region) {
          state.Tick(record, now);
          targets.push_back({record.health, record.round_trip, record.round_trip_measured,
                             IsIn(record.health) ? std::string() : record.reason,
                             !IsIn(record.health) && record.cause == Record::Cause::kUnreachable});
          if (record.health == HealthState::kEjected) {
            stale_at = std::min(stale_at, absl::ToInt64Nanoseconds(record.ejected_until));
          }
        }
      }
      {
        absl::MutexLock snapshot_lock(&state.snapshot_mutex);
        state.snapshot = std::move(snapshot);
      }
      // Last, so that whoever is let past by it finds the new snapshot.
      state.stale_at_nanos.store(stale_at, std::memory_order_release);
    }
  }
  absl::MutexLock lock(&state.snapshot_mutex);
  return state.snapshot;
}

bool HealthTracker::TakeProbe(Target target, SteadyTime now, v1::Operation operation) {
  State& state = *state_;
  absl::MutexLock lock(&state.mutex);
  Record& record = state.At(target);
  state.Tick(record, now);
  if (record.health != HealthState::kProbing || now < record.probe_turn_until) return false;
  if (operation == v1::OPERATION_WRITE &&
      now < record.probing_since + state.options.ejection_time) {
    return false;
  }
  record.probe_turn_until = now + state.options.probe_turn;
  return true;
}

const ReplicaName& HealthTracker::NameOf(Target target) const {
  return topology_->regions()[target.region].replicas[target.replica].name;
}

}  // namespace homeport
