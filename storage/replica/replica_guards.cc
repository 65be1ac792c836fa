#include "storage/replica/replica_guards.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "storage/model/keys.h"
#include "storage/replication/twin.h"

namespace homeport {
namespace {

// Beyond the clocks' drift, what a start may have promised ahead of its clock, and then some.
constexpr absl::Duration kTwinMargin = absl::Seconds(2);

std::string RegionOf(const ReplicaName& replica) {
  return replica.value().substr(0, replica.value().find('/'));
}

v1::ReplicaPhase PhaseOf(JoinState::Phase phase, bool leaving) {
  switch (phase) {
    case JoinState::Phase::kCatchingUp:
      return v1::REPLICA_PHASE_CATCHING_UP;
    case JoinState::Phase::kComparing:
      return v1::REPLICA_PHASE_COMPARING;
    case JoinState::Phase::kServing:
      break;
  }
  return leaving ? v1::REPLICA_PHASE_LEAVING : v1::REPLICA_PHASE_SERVING;
}

}  // namespace

ReplicaGuards::ReplicaGuards(Options options, HybridTime started, const Topology& topology)
    : options_(std::move(options)),
      started_(started),
      clock_(options_.drift_max, options_.clock_confirmed),
      join_(options_.phase),
      stored_(options_.phase),
      clock_held_(options_.clock_hold_until != -absl::InfiniteDuration()) {
  SetTopology(topology);
}

void ReplicaGuards::SetTopology(const Topology& topology) {
  absl::MutexLock lock(&mutex_);
  join_.SetPeers(PeersToCatchUpWith(topology, options_.self));
  std::set<ReplicaName> peers;
  for (const RegionInfo& region : topology.regions()) {
    for (const ReplicaInfo& replica : region.replicas) peers.insert(replica.name);
  }
  peers.erase(options_.self);
  clock_.Expect(std::move(peers));
  const std::optional<int> region = topology.FindRegion(RegionOf(options_.self));
  leaving_ = region && topology.proto().regions(*region).leaving();
  Refresh();
}

void ReplicaGuards::ObserveClock(const ReplicaName& peer, const ClockBounds& bounds) {
  absl::MutexLock lock(&mutex_);
  const ClockGuard::Verdict before = clock_.verdict();
  if (before == ClockGuard::Verdict::kTrusted) return;
  clock_.Observe(peer, bounds);
  Refresh();
  if (clock_.verdict() == before) return;
  if (clock_.verdict() == ClockGuard::Verdict::kSuspect) {
    Log(LogLevel::kError, "this clock is ahead of its peers'; writes are refused",
        {{"replica", options_.self.value()}, {"ahead", absl::FormatDuration(clock_.ahead())}});
  } else if (before == ClockGuard::Verdict::kSuspect) {
    Log(LogLevel::kInfo, "this clock agrees with its peers'; writes are taken",
        {{"replica", options_.self.value()}});
  }
}

void ReplicaGuards::OnUnreachable(const ReplicaName& peer) {
  absl::MutexLock lock(&mutex_);
  clock_.OnUnreachable(peer);
  Refresh();
}

void ReplicaGuards::OnPeer(const internal::v1::Hello& hello, SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  join_.OnPeer(hello, now);
  fence_.OnAccepted(ReplicaName(hello.replica()));
  Refresh();
}

void ReplicaGuards::OnLeft(const ReplicaName& peer, std::string detail) {
  absl::MutexLock lock(&mutex_);
  const bool known = fence_.detail().has_value();
  fence_.OnLeft(peer, std::move(detail));
  Refresh();
  if (known || !fence_.detail()) return;
  Log(LogLevel::kError, "this replica has left; reads and writes are refused",
      {{"replica", options_.self.value()}, {"peer", peer.value()}, {"why", *fence_.detail()}});
}

void ReplicaGuards::OnCompared(SteadyTime since) {
  absl::MutexLock lock(&mutex_);
  if (!join_.OnCompared(since)) return;
  Log(LogLevel::kInfo, "the replica has joined; writes are taken",
      {{"replica", options_.self.value()}});
  Refresh();
}

std::optional<JoinState::Phase> ReplicaGuards::Update(const ReplicaView& view, SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  if (now >= options_.clock_hold_until) clock_held_ = false;
  if (join_.Update(view, now)) {
    Log(LogLevel::kInfo, "the replica has caught up; reads are answered",
        {{"replica", options_.self.value()}});
  }
  if (!twin_) {
    twin_ = FindTwin(view, options_.self, started_, options_.drift_max + kTwinMargin);
    if (twin_) {
      Log(LogLevel::kError,
          "another process runs under this replica's name; writes are refused until a restart",
          {{"replica", options_.self.value()},
           {"origin", absl::StrCat(absl::Hex(twin_->value(), absl::kZeroPad16))}});
    }
  }
  Refresh();
  if (join_.phase() == stored_) return std::nullopt;
  stored_ = join_.phase();
  return stored_;
}

void ReplicaGuards::Refresh() {
  const std::string& name = options_.self.value();
  const JoinState::Phase phase = join_.phase();
  may_read_ = absl::OkStatus();
  may_write_ = absl::OkStatus();
  clock_held_ = clock_held_ && clock_.Hears();
  if (const auto left = fence_.detail(); left) {
    may_read_ = MakeError(absl::StatusCode::kUnavailable, reason::kReplicaLeft,
                          absl::StrCat(name, " has left: ", *left), {{"replica", name}});
    may_write_ = may_read_;
  } else if (phase == JoinState::Phase::kCatchingUp) {
    may_read_ = MakeError(absl::StatusCode::kUnavailable, reason::kCatchingUp,
                          absl::StrCat(name, " is new and has not caught up with its peers yet"),
                          {{"replica", name}});
    may_write_ = may_read_;
  } else if (twin_) {
    const std::string origin = absl::StrCat(absl::Hex(twin_->value(), absl::kZeroPad16));
    may_write_ = MakeError(absl::StatusCode::kUnavailable, reason::kTwin,
                           absl::StrCat("another process runs as ", name, ", with origin ", origin,
                                        "; stop one of them, and start the other anew"),
                           {{"replica", name}, {"origin", origin}});
  } else if (clock_.verdict() == ClockGuard::Verdict::kSuspect) {
    const std::string ahead = absl::FormatDuration(clock_.ahead());
    may_write_ = MakeError(
        absl::StatusCode::kUnavailable, reason::kClockSuspect,
        absl::StrCat("the clock of ", name, ", or what it wrote before by a wrong one, is ", ahead,
                     " ahead of its peers' clocks; put it right, or "
                     "start with --trust-clock if it is the peers' that are wrong"),
        {{"replica", name}, {"ahead", ahead}});
  } else if (clock_held_) {
    may_write_ = MakeError(absl::StatusCode::kUnavailable, reason::kCatchingUp,
                           absl::StrCat(name,
                                        " has just started, and its clock is not compared "
                                        "with its peers' yet"),
                           {{"replica", name}});
  } else if (phase == JoinState::Phase::kComparing) {
    may_write_ = MakeError(absl::StatusCode::kUnavailable, reason::kCatchingUp,
                           absl::StrCat(name, " is new, and what it holds is not compared yet"),
                           {{"replica", name}});
  } else if (leaving_) {
    may_write_ = MakeError(absl::StatusCode::kUnavailable, reason::kRegionLeaving,
                           absl::StrCat("region '", RegionOf(options_.self), "' is leaving"),
                           {{"region", RegionOf(options_.self)}});
  }
  joining_.store(phase != JoinState::Phase::kServing, std::memory_order_relaxed);
  reads_open_.store(may_read_.ok(), std::memory_order_release);
  writes_open_.store(may_write_.ok(), std::memory_order_release);
}

absl::Status ReplicaGuards::MayRead() const {
  if (reads_open_.load(std::memory_order_acquire)) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  return may_read_;
}

absl::Status ReplicaGuards::MayWrite() const {
  if (writes_open_.load(std::memory_order_acquire)) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  return may_write_;
}

bool ReplicaGuards::clock_held() const {
  absl::MutexLock lock(&mutex_);
  return clock_held_;
}

void ReplicaGuards::AddTo(v1::ReplicaStatus& status, const ReplicaView& view,
                          SteadyTime now) const {
  absl::MutexLock lock(&mutex_);
  status.set_phase(PhaseOf(join_.phase(), leaving_));
  status.set_phase_detail(join_.Describe(view));
  status.set_progress(join_.Progress(view));
  if (auto remaining = join_.Remaining(view, now); remaining) {
    status.mutable_remaining()->set_seconds(absl::ToInt64Seconds(*remaining));
  }
}

}  // namespace homeport
