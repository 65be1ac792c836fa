// Which replicas are fit to be asked, by success and latency. No I/O: time comes with each call.
//
// Outlier detection after Envoy's: failures in a row eject a replica for a time that doubles with
// each ejection; then single probes are let through (half open) until one succeeds. At least one
// replica of the topology always stays in.
//
// A slow replica is ejected the same way. Answers and pings are judged apart, each against their
// own past (latency_watch.h), and the replica against its peers: it stays if no other one that is
// in is expected to answer sooner, since sending its traffic there would help nobody, and while
// more than half of the others that were heard of lately have become slow as well, since then it is
// this gateway that is. One that is ten times as slow as usual is out within 1.5 s and three
// answers. A probe that is as slow as what it was ejected for sends it out again.
//
// What the replica's own traffic can not tell, pings do: one that was ejected because it could not
// be reached comes back with the first ping that is answered, so that it need not wait for a
// request to dare it. One that was reached and failed must answer a request.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "gateway/dispatch/latency_watch.h"
#include "gateway/route/plan.h"

namespace homeport {

struct HealthOptions {
  int ejection_failures = 5;
  // The first time out. Doubles with every ejection, up to this factor; a replica that then stays
  // in for the longest time out starts over.
  absl::Duration ejection_time = absl::Seconds(1);
  int ejection_time_factor_max = 10;
  // How answers are judged, and pings: of these few come, and on a busy machine one of them waits
  // for its turn for longer than an answer that a caller waits for.
  LatencyWatchOptions slow_answers = {.samples_min = 100};
  LatencyWatchOptions slow_pings = {.floor = absl::Milliseconds(150), .samples_min = 8};
  // Another replica counts as heard of for so long after its last answer or ping.
  absl::Duration slow_peers = absl::Seconds(2);
  // A probe that nobody reported the end of gives up its turn after this time.
  absl::Duration probe_turn = absl::Seconds(1);
};

// Thread-safe. Snapshots are rebuilt on change, and shared.
class HealthTracker {
 public:
  enum class Outcome {
    kSuccess,      // answered, and the latency is the replica's
    kAlive,        // answered, but the latency is not the replica's alone (a write, a token)
    kFailure,      // was asked and failed
    kTimeout,      // no answer in time; a failure only if the time was fair
    kUnreachable,  // not sent: no connection, or the replica is draining
    kBroken,       // it says itself that it can not go on (its disk failed); ejected at once
  };

  HealthTracker(std::shared_ptr<const Topology> topology, GatewayFacts gateway,
                HealthOptions options);
  ~HealthTracker();

  // A call to `target` that took `latency` ended. Application errors (INVALID_ARGUMENT and the
  // like) are answers. A call that began before the replica's last ejection changes nothing.
  void OnOutcome(Target target, Outcome outcome, absl::Duration latency, SteadyTime now);
  // A ping was answered.
  void OnRoundTrip(Target target, absl::Duration round_trip, SteadyTime now);
  // The connection to `target` was lost, or a ping was not answered in time. Ejects at once.
  void OnConnectionLost(Target target, const std::string& reason, SteadyTime now);
  // The state at `now`: ejections whose time is over become kProbing. The same object until
  // something changes.
  std::shared_ptr<const HealthSnapshot> Snapshot(SteadyTime now);
  // True if a request may be sent to a kProbing target now; takes the probe's turn. A write, which
  // can not always go on elsewhere, gets one only when no read took it for `ejection_time`.
  bool TakeProbe(Target target, SteadyTime now, v1::Operation operation = v1::OPERATION_READ);

  // The replica's name, for messages.
  const ReplicaName& NameOf(Target target) const;

 private:
  struct State;
  const std::shared_ptr<const Topology> topology_;
  const std::unique_ptr<State> state_;
};

}  // namespace homeport
