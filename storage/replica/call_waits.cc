#include "storage/replica/call_waits.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace homeport {
namespace {

constexpr double kGiveUpShare = 0.1;

}  // namespace

SteadyTime GiveUpTime(SteadyTime deadline, SteadyTime now, absl::Duration most) {
  if (deadline == absl::InfiniteDuration()) return deadline;
  return deadline - std::min(most, (deadline - now) * kGiveUpShare);
}

CallWaits::CallWaits(size_t max, std::function<void()> wake) : max_(max) {
  absl::MutexLock lock(&cancel_state_->mutex);
  cancel_state_->wake = std::move(wake);
}

void CallWaits::WatchCancellation(const CallContext& context) {
  if (context.cancellation == nullptr) return;
  context.cancellation->OnCancel([state = cancel_state_] { state->Wake(); });
}

bool CallWaits::Full() const {
  absl::MutexLock lock(&mutex_);
  return calls_.size() >= max_;
}

void CallWaits::Add(WaitingCall call) {
  absl::MutexLock lock(&mutex_);
  calls_.push_back(std::move(call));
}

std::vector<WaitingCall> CallWaits::TakeReady(absl::FunctionRef<bool(const WaitingCall&)> must_wait,
                                              SteadyTime now) {
  std::vector<WaitingCall> ready;
  absl::MutexLock lock(&mutex_);
  if (calls_.empty()) return ready;
  // In one pass: when a peer is cut off, all that wait for it end at about the same time.
  const auto left = std::stable_partition(
      calls_.begin(), calls_.end(), [&must_wait, now](const WaitingCall& call) {
        const bool cancelled =
            call.context.cancellation != nullptr && call.context.cancellation->cancelled();
        return !cancelled && call.give_up > now && must_wait(call);
      });
  ready.assign(std::make_move_iterator(left), std::make_move_iterator(calls_.end()));
  calls_.erase(left, calls_.end());
  return ready;
}

std::vector<WaitingCall> CallWaits::TakeAll() {
  std::vector<WaitingCall> all;
  {
    absl::MutexLock lock(&mutex_);
    all.swap(calls_);
  }
  absl::MutexLock lock(&cancel_state_->mutex);
  cancel_state_->wake = nullptr;
  return all;
}

SteadyTime CallWaits::NextExpiry() const {
  SteadyTime first = absl::InfiniteDuration();
  absl::MutexLock lock(&mutex_);
  for (const WaitingCall& call : calls_) first = std::min(first, call.give_up);
  return first;
}

size_t CallWaits::size() const {
  absl::MutexLock lock(&mutex_);
  return calls_.size();
}

}  // namespace homeport
