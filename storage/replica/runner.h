// A thread that runs what others would rather not wait for.
#pragma once

#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace homeport {

// Runs closures in the order in which they were given. Thread-safe.
class Runner {
 public:
  Runner() : thread_([this] { Loop(); }) {}
  ~Runner() { Stop(); }

  void Run(absl::AnyInvocable<void()> closure) {
    absl::MutexLock lock(&mutex_);
    closures_.push_back(std::move(closure));
  }
  // Runs what was given and stops. Idempotent; not to be called from a closure.
  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Loop() {
    while (true) {
      std::vector<absl::AnyInvocable<void()>> batch;
      {
        absl::MutexLock lock(&mutex_);
        auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          return stopping_ || !closures_.empty();
        };
        mutex_.Await(absl::Condition(&wanted));
        if (closures_.empty()) return;
        batch.swap(closures_);
      }
      for (auto& closure : batch) closure();
    }
  }

  absl::Mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> closures_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace homeport
