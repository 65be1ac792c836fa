// How far a replica of a new region is: whether it may answer reads and take writes yet. No I/O.
//
// It answers reads once it has applied what its peers had when it first heard each of them, and
// takes writes once what it holds was compared with a peer's and found to be the same.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// Thread-compatible.
class JoinState {
 public:
  enum class Phase { kCatchingUp, kComparing, kServing };

  // Peers that were never heard are waited for so long from when the first was.
  static constexpr absl::Duration kHearMax = absl::Seconds(10);

  explicit JoinState(Phase phase) : phase_(phase) {}

  // The peers that hold something this replica may hold, and are not joining themselves.
  void SetPeers(const std::vector<ReplicaName>& peers);
  // What a peer had when it was heard; only the first time counts. A peer that has less by now has
  // lost its disk: what it has no more is waited for only as far as others have it.
  void OnPeer(const internal::v1::Hello& hello, SteadyTime now);
  // Looks whether the phase ends. True if it did: the new one is to be stored.
  bool Update(const ReplicaView& view, SteadyTime now);
  // Everything that is shared with some peer was compared, beginning after `since`, and no
  // difference found. True if that ends the last phase.
  bool OnCompared(SteadyTime since);

  Phase phase() const { return phase_; }
  // From 0 to 1, of catching up; 1 in later phases.
  double Progress(const ReplicaView& view) const;
  // Estimated from the time it took to get here; nullopt: not known.
  std::optional<absl::Duration> Remaining(const ReplicaView& view, SteadyTime now) const;
  // For people, what is waited for.
  std::string Describe(const ReplicaView& view) const;

 private:
  Phase phase_;
  std::set<ReplicaName> peers_;
  // By peer, what it had applied when it was first heard.
  std::map<ReplicaName, std::vector<std::pair<Origin, Sequence>>> targets_;
  std::optional<SteadyTime> first_heard_;
  SteadyTime caught_up_ = -absl::InfiniteDuration();
};

// As stored: "catching_up", "comparing"; nullopt for anything else.
absl::string_view PhaseName(JoinState::Phase phase);
std::optional<JoinState::Phase> ParsePhase(absl::string_view name);

}  // namespace homeport
