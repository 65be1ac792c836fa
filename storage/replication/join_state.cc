#include "storage/replication/join_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/replication/seed_view.h"

namespace homeport {

void JoinState::SetPeers(const std::vector<ReplicaName>& peers) {
  peers_ = std::set<ReplicaName>(peers.begin(), peers.end());
}

void JoinState::OnPeer(const internal::v1::Hello& hello, SteadyTime now) {
  const ReplicaName peer(hello.replica());
  if (phase_ != Phase::kCatchingUp || !peers_.contains(peer)) return;
  auto [target, added] = targets_.try_emplace(peer);
  if (!added) {
    std::map<Origin, Sequence> has;
    for (const internal::v1::OriginReport& report : hello.origins()) {
      has[Origin(report.origin())] = Sequence(report.applied());
    }
    for (auto& [origin, sequence] : target->second) sequence = std::min(sequence, has[origin]);
    return;
  }
  for (const internal::v1::OriginReport& report : hello.origins()) {
    target->second.emplace_back(Origin(report.origin()), Sequence(report.applied()));
  }
  if (!first_heard_) first_heard_ = now;
}

bool JoinState::Update(const ReplicaView& view, SteadyTime now) {
  if (phase_ != Phase::kCatchingUp) return false;
  // Where nobody else holds anything of it there is nothing to catch up with.
  if (!peers_.empty()) {
    if (!first_heard_) return false;
    const bool all_heard =
        std::all_of(peers_.begin(), peers_.end(),
                    [this](const ReplicaName& peer) { return targets_.contains(peer); });
    if (!all_heard && now - *first_heard_ < kHearMax) return false;
    if (view.seeding != nullptr && !view.seeding->namespaces.empty()) return false;
    for (const auto& [peer, target] : targets_) {
      for (const auto& [origin, sequence] : target) {
        if (view.AppliedOf(origin) < sequence) return false;
      }
    }
  }
  phase_ = peers_.empty() ? Phase::kServing : Phase::kComparing;
  caught_up_ = now;
  return true;
}

bool JoinState::OnCompared(SteadyTime since) {
  if (phase_ != Phase::kComparing || since < caught_up_) return false;
  phase_ = Phase::kServing;
  return true;
}

double JoinState::Progress(const ReplicaView& view) const {
  if (phase_ != Phase::kCatchingUp) return 1;
  if (view.seeding != nullptr && !view.seeding->namespaces.empty()) {
    double done = 0;
    for (const NamespaceSeeding& seeding : view.seeding->namespaces) {
      if (seeding.done()) {
        done += 1;
      } else if (seeding.items_total > 0) {
        done += std::min(
            1.0, static_cast<double>(seeding.items) / static_cast<double>(seeding.items_total));
      }
    }
    return done / static_cast<double>(view.seeding->namespaces.size());
  }
  std::map<Origin, Sequence> wanted;
  for (const auto& [peer, target] : targets_) {
    for (const auto& [origin, sequence] : target) {
      wanted[origin] = std::max(wanted[origin], sequence);
    }
  }
  double total = 0;
  double have = 0;
  for (const auto& [origin, sequence] : wanted) {
    total += static_cast<double>(sequence.value());
    have += static_cast<double>(std::min(view.AppliedOf(origin), sequence).value());
  }
  return total == 0 ? 0 : have / total;
}

std::optional<absl::Duration> JoinState::Remaining(const ReplicaView& view, SteadyTime now) const {
  const double progress = Progress(view);
  if (phase_ != Phase::kCatchingUp || !first_heard_ || progress <= 0) return std::nullopt;
  return (now - *first_heard_) * ((1 - progress) / progress);
}

std::string JoinState::Describe(const ReplicaView& view) const {
  switch (phase_) {
    case Phase::kCatchingUp: {
      if (!first_heard_) return "no peer was heard yet";
      std::vector<std::string> missing;
      for (const ReplicaName& peer : peers_) {
        if (!targets_.contains(peer)) missing.push_back(peer.value());
      }
      std::string text = absl::StrCat(static_cast<int>(Progress(view) * 100),
                                      "% of what its peers had when they were first heard");
      if (!missing.empty()) {
        absl::StrAppend(&text, "; not heard yet: ", absl::StrJoin(missing, ", "));
      }
      return text;
    }
    case Phase::kComparing:
      return "what it holds is being compared with its peers";
    case Phase::kServing:
      return "";
  }
  return "";
}

absl::string_view PhaseName(JoinState::Phase phase) {
  switch (phase) {
    case JoinState::Phase::kCatchingUp:
      return "catching_up";
    case JoinState::Phase::kComparing:
      return "comparing";
    case JoinState::Phase::kServing:
      return "serving";
  }
  return "";
}

std::optional<JoinState::Phase> ParsePhase(absl::string_view name) {
  for (const JoinState::Phase phase :
       {JoinState::Phase::kCatchingUp, JoinState::Phase::kComparing, JoinState::Phase::kServing}) {
    if (name == PhaseName(phase)) return phase;
  }
  return std::nullopt;
}

}  // namespace homeport
