#include "gateway/dispatch/load_budget.h"

#include <algorithm>

namespace homeport {
namespace {

constexpr int64_t kCall = 1000;

}  // namespace

LoadBudget::LoadBudget(const LoadBudgetOptions& options)
    : each_request_(static_cast<int64_t>(options.share * kCall)),
      most_(static_cast<int64_t>(options.most * kCall)),
      each_second_(options.each_second * kCall),
      balance_(static_cast<int64_t>(options.first * kCall)) {}

bool LoadBudget::Take(SteadyTime now) {
  absl::MutexLock lock(&mutex_);
  if (refilled_at_ == -absl::InfiniteDuration()) refilled_at_ = now;
  // Only here anything is taken out, so what is there stays there.
  const int64_t balance = balance_.load(std::memory_order_relaxed);
  const int64_t refill =
      static_cast<int64_t>(std::min(absl::ToDoubleSeconds(now - refilled_at_) * each_second_,
                                    static_cast<double>(std::max<int64_t>(0, most_ - balance))));
  if (refill > 0 || balance >= most_) {
    balance_.fetch_add(refill, std::memory_order_relaxed);
    refilled_at_ = now;
  }
  if (balance + std::max<int64_t>(0, refill) < kCall) {
    denied_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  balance_.fetch_sub(kCall, std::memory_order_relaxed);
  taken_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace homeport
