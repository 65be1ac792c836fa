// Origins that do not go on over a link, because the receiver refused what the peer sent of them.
// The rest of the link goes on (DESIGN.md 5.4): the peer is told to hold the origin, and after a
// while to send it again from where this replica is. No I/O.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// Of one link, seen from the receiver. Thread-compatible.
class PausedOrigins {
 public:
  // A peer that sends more origins than this that are refused is no peer.
  static constexpr size_t kMax = 1000;
  // Waits before an origin is asked for again: from the first to the second, doubling.
  static constexpr absl::Duration kRetryMin = absl::Seconds(2);
  static constexpr absl::Duration kRetryMax = absl::Seconds(60);

  // The origin's next entry was refused. False if that is no news: it was under way when the peer
  // was told to hold. RESOURCE_EXHAUSTED if there are more than kMax.
  absl::StatusOr<bool> OnRefused(Origin origin, absl::Status why);
  // Adds what the peer is to be told by now, and forgets the origins that have gone on since.
  void AddTo(internal::v1::PullRequest& request, const ReplicaView& view, SteadyTime now);
  // The stream has ended: the next one begins where this replica is.
  void Clear() { origins_.clear(); }

  bool empty() const { return origins_.empty(); }
  // One origin with its reason and how many there are besides, for people; empty if there is none.
  std::string Describe(const ReplicaView& view) const;

 private:
  enum class Step { kToHold, kHeld, kAsked };
  struct Paused {
    Step step = Step::kToHold;
    absl::Status why;
    Sequence at;  // received here when the peer was told to hold
    absl::Duration wait = kRetryMin;
    SteadyTime retry;
  };
  std::map<Origin, Paused> origins_;
};

}  // namespace homeport
