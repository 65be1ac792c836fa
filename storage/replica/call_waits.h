// Requests that wait for what their session token covers, or for watermarks.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "common/store/record_store.h"
#include "common/time/clock.h"
#include "storage/replica/commit_queue.h"

namespace homeport {

// When a call with this deadline is to be told that what it waits for did not come: a share of its
// time early, `most` at most, so that it can be answered or tried elsewhere.
SteadyTime GiveUpTime(SteadyTime deadline, SteadyTime now, absl::Duration most);

// No thread waits: whoever commits takes out what is ready. Thread-safe.
class CallWaits {
 public:
  // At most `max` calls wait. `wake` is called when one of them is cancelled.
  CallWaits(size_t max, std::function<void()> wake);

  // To be called before Add(). The call may be cancelled when this is gone.
  void WatchCancellation(const CallContext& context);
  bool Full() const;
  void Add(WaitingCall call);
  // Those that `must_wait` does not hold back any more, that gave up, or that were cancelled.
  std::vector<WaitingCall> TakeReady(absl::FunctionRef<bool(const WaitingCall&)> must_wait,
                                     SteadyTime now);
  // All of them; `wake` is not called any more.
  std::vector<WaitingCall> TakeAll();
  // The earliest time at which one gives up; infinite if none waits.
  SteadyTime NextExpiry() const;
  size_t size() const;

 private:
  struct CancelState {
    void Wake() {
      absl::MutexLock lock(&mutex);
      if (wake) wake();
    }
    absl::Mutex mutex;
    std::function<void()> wake ABSL_GUARDED_BY(mutex);
  };

  const size_t max_;
  const std::shared_ptr<CancelState> cancel_state_ = std::make_shared<CancelState>();
  mutable absl::Mutex mutex_;
  std::vector<WaitingCall> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
