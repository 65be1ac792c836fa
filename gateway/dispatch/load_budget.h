// How many calls more than were asked for may be sent: retries, hedges. Pure.
//
// A token bucket as in Finagle's RetryBudget and gRPC's retry throttling (gRFC A6): each request
// puts a share of a token in, each extra call takes one out, and a trickle by time lets a gateway
// with little traffic make some too. So when everything fails, what the gateway sends grows by the
// share at most, instead of by the number of attempts.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace homeport {

struct LoadBudgetOptions {
  // Extra calls a request, in the long run.
  double share = 0.1;
  // Beyond that, so many a second.
  double each_second = 10;
  // What can be saved up, and what there is at first.
  double most = 1000;
  double first = 100;
};

// Thread-safe. A request costs one atomic addition.
class LoadBudget {
 public:
  explicit LoadBudget(const LoadBudgetOptions& options);

  // A request came.
  void OnRequest() {
    if (balance_.load(std::memory_order_relaxed) < most_) {
      balance_.fetch_add(each_request_, std::memory_order_relaxed);
    }
  }
  // True if an extra call may be sent now; then it is accounted for.
  bool Take(SteadyTime now);

  uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }
  uint64_t denied() const { return denied_.load(std::memory_order_relaxed); }

 private:
  // In thousandths of a call.
  const int64_t each_request_;
  const int64_t most_;
  const double each_second_;
  std::atomic<int64_t> balance_;
  std::atomic<uint64_t> taken_{0};
  std::atomic<uint64_t> denied_{0};
  absl::Mutex mutex_;
  SteadyTime refilled_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace homeport
