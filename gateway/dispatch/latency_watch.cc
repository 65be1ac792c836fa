#include "gateway/dispatch/latency_watch.h"

#include <algorithm>

namespace homeport {
namespace {

constexpr int64_t kUsualSlots = 128;
constexpr int64_t kSlowSlotShare = 16;
constexpr int64_t kRunSlots = 2;
constexpr int64_t kRunSamples = 3;

}  // namespace

bool LatencyWatch::WouldBeSlow(absl::Duration latency) const {
  return samples_ >= options_.samples_min && slots_ >= options_.slots_min &&
         latency > options_.floor && latency > options_.factor * usual_;
}

void LatencyWatch::Add(absl::Duration latency, SteadyTime now) {
  const int64_t slot = now / options_.slot;
  if (open_samples_ > 0 && slot != open_slot_) CloseSlot();
  open_slot_ = slot;
  last_ = now;
  const bool slow = WouldBeSlow(latency);
  ++open_samples_;
  open_sum_ += latency;
  if (slow) {
    if (open_slow_ == 0) open_since_ = now;
    ++open_slow_;
    open_slow_sum_ += latency;
  }
  ++samples_;
}

void LatencyWatch::CloseSlot() {
  const bool slow = OpenIsSlow();
  // A slow slot counts as the slowest that is not, and for little.
  absl::Duration mean = open_sum_ / open_samples_;
  if (slow) mean = std::min(mean, std::max(options_.floor, usual_ * options_.factor));
  ++slots_;
  usual_ += (mean - usual_) / (std::min(slots_, kUsualSlots) * (slow ? kSlowSlotShare : 1));
  if (slow) {
    if (run_slots_ == 0) run_since_ = open_since_;
    ++run_slots_;
    run_slow_ += open_slow_;
    run_slow_sum_ += open_slow_sum_;
  } else {
    Forgive();
  }
  open_samples_ = open_slow_ = 0;
  open_sum_ = open_slow_sum_ = absl::ZeroDuration();
}

bool LatencyWatch::IsSlow() const {
  return OpenIsSlow() && run_slots_ + 1 >= kRunSlots && run_slow_ + open_slow_ >= kRunSamples &&
         last_ - run_since_ >= kRunSlots * options_.slot;
}

void LatencyWatch::Forgive() {
  run_slots_ = run_slow_ = 0;
  run_slow_sum_ = absl::ZeroDuration();
  open_samples_ = open_slow_ = 0;
  open_sum_ = open_slow_sum_ = absl::ZeroDuration();
}

absl::Duration LatencyWatch::recent() const {
  const int64_t slow = run_slow_ + open_slow_;
  if (slow > 0) return (run_slow_sum_ + open_slow_sum_) / slow;
  return open_samples_ > 0 ? open_sum_ / open_samples_ : usual_;
}

}  // namespace homeport
