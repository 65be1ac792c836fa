// Answers that race with the return of the call that asked for them.

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "gateway/dispatch/dispatcher.h"
#include "tests/unit/gateway/dispatch/fleet.h"

namespace homeport {
namespace {

// Answers from threads of its own, as soon as it can; every third call fails.
class ThreadedStore final : public RecordStore {
 public:
  explicit ThreadedStore(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~ThreadedStore() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void Execute(const CallContext&, const internal::v1::StoreRequest&, internal::v1::StoreResponse*,
               Done done) override {
    absl::MutexLock lock(&mutex_);
    calls_.push_back(std::move(done));
  }

 private:
  void Work() {
    while (true) {
      Done done;
      bool fails;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &ThreadedStore::HasWork));
        if (calls_.empty()) return;
        done = std::move(calls_.front());
        calls_.pop_front();
        fails = ++answered_ % 3 == 0;
      }
      done(fails ? OutcomeUnknown() : absl::OkStatus());
    }
  }
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !calls_.empty();
  }

  absl::Mutex mutex_;
  std::deque<Done> calls_ ABSL_GUARDED_BY(mutex_);
  int answered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

TEST(DispatcherThreadsTest, EveryRequestEndsOnceWhicheverComesFirstTheReturnOrTheAnswer) {
  constexpr int kCallers = 3, kRequests = 3000;
  SimulatedClock clock;
  HealthTracker health(ThreeRegions(), GatewayFacts{0, 0}, HealthOptions{});
  auto store = std::make_shared<ThreadedStore>(3);
  Dispatcher dispatcher(&clock, [&](Target) { return store; }, &health, {.attempts_max = 4});
  Plan plan;
  for (Target target : {kEuA, kEuB, kUs, kAp}) plan.attempts.push_back({.target = target});
  internal::v1::StoreRequest request;
  request.mutable_get();

  std::vector<std::atomic<int>> ended(kCallers * kRequests);
  std::vector<internal::v1::StoreResponse> responses(kCallers * kRequests);
  absl::BlockingCounter left(kCallers * kRequests);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = caller * kRequests; i < (caller + 1) * kRequests; ++i) {
        health.Snapshot(clock.SteadyNow());
        dispatcher.Dispatch(plan, CallContext{}, request, &responses[i],
                            [&, i](absl::Status, const DispatchResult&) {
                              ++ended[i];
                              left.DecrementCount();
                            });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  left.Wait();
  for (const std::atomic<int>& times : ended) ASSERT_EQ(times.load(), 1);
}

}  // namespace
}  // namespace homeport
