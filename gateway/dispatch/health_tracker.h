// Which replicas are fit to be asked, by success and latency. No I/O: time comes with each call.
//
// Outlier detection after Envoy's: failures in a row eject a replica for a time that doubles with
// each ejection; then single probes are let through (half open) until one succeeds. Latency: a replica
// whose recent latency is far above its own past is ejected the same way. At least one replica of
// the topology always stays in.
#pragma once

#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "gateway/route/plan.h"

namespace homeport {

struct HealthOptions {
  int ejection_failures = 5;
  absl::Duration ejection_time = absl::Seconds(1);
  int ejection_time_factor_max = 10;
  // A replica is slow when the mean of its recent latencies is above this factor times its long-run
  // mean, and above `slow_floor`.
  double slow_factor = 5;
  absl::Duration slow_floor = absl::Milliseconds(50);
};

// Thread-safe. Snapshots are rebuilt on change, and shared.
class HealthTracker {
 public:
  enum class Outcome { kSuccess, kFailure };

  HealthTracker(std::shared_ptr<const Topology> topology, GatewayFacts gateway,
                HealthOptions options);
  ~HealthTracker();

  // A call to `target` ended. Application errors (INVALID_ARGUMENT and the like) are successes.
  void OnOutcome(Target target, Outcome outcome, absl::Duration latency, SteadyTime now);
  // A ping was answered.
  void OnRoundTrip(Target target, absl::Duration round_trip, SteadyTime now);
  // The connection to `target` was lost, or a ping was not answered in time.
  void OnConnectionLost(Target target, std::string reason, SteadyTime now);
  // The state at `now`: ejections whose time is over become kProbing.
  std::shared_ptr<const HealthSnapshot> Snapshot(SteadyTime now);
  // True if a request may be sent to a kProbing target now; takes the probe's turn.
  bool TakeProbe(Target target, SteadyTime now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace homeport
