#include "storage/replication/clock_guard.h"

#include <algorithm>

namespace homeport {

ClockBounds BoundsOf(absl::Time peer, absl::Time before, absl::Time after) {
  ClockBounds bounds;
  bounds.at_least = peer - after;
  if (before != absl::InfinitePast()) bounds.at_most = peer - before;
  return bounds;
}

void ClockGuard::Observe(const ReplicaName& peer, const ClockBounds& bounds) {
  if (verdict_ == Verdict::kTrusted) return;
  answered_.insert(peer);
  if (bounds.at_least >= -drift_max_) {
    ahead_[peer] = absl::ZeroDuration();
  } else if (bounds.at_most < -drift_max_) {
    ahead_[peer] = -bounds.at_most;
  } else {
    return;
  }
  const auto disagree = std::count_if(ahead_.begin(), ahead_.end(), [](const auto& entry) {
    return entry.second > absl::ZeroDuration();
  });
  const bool most = 2 * static_cast<size_t>(disagree) > ahead_.size();
  verdict_ = most ? Verdict::kSuspect : Verdict::kTrusted;
}

bool ClockGuard::Hears() const {
  return verdict_ == Verdict::kUndecided &&
         !std::includes(answered_.begin(), answered_.end(), peers_.begin(), peers_.end());
}

absl::Duration ClockGuard::ahead() const {
  std::vector<absl::Duration> values;
  for (const auto& [peer, ahead] : ahead_) {
    if (ahead > absl::ZeroDuration()) values.push_back(ahead);
  }
  if (values.empty()) return absl::ZeroDuration();
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

}  // namespace homeport
