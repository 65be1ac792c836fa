// Telling work that nobody waits for it any more.
#pragma once

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace homeport {

// Set once, by whoever gave the work away. Thread-safe; shared by std::shared_ptr.
class Cancellation {
 public:
  // Marks the work as not wanted and runs the callback, if one is set, in this thread. Later calls
  // do nothing.
  void Cancel() {
    absl::AnyInvocable<void()> callback;
    {
      absl::MutexLock lock(&mutex_);
      if (cancelled_) return;
      cancelled_ = true;
      callback = std::move(callback_);
    }
    if (callback) callback();
  }
  bool cancelled() const {
    absl::MutexLock lock(&mutex_);
    return cancelled_;
  }
  // `callback` is run by Cancel(), or at once if that was called before. Replaces the last one;
  // an empty one takes it away. A callback that Cancel() has already taken may still be running
  // when this returns, so it must keep what it uses alive.
  void OnCancel(absl::AnyInvocable<void()> callback) {
    {
      absl::MutexLock lock(&mutex_);
      if (!cancelled_) {
        callback_ = std::move(callback);
        return;
      }
    }
    if (callback) callback();
  }

 private:
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::AnyInvocable<void()> callback_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
