// A completion queue and the thread that serves it.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/completion_queue.h"

namespace homeport {

// What a completion queue gives back: the tag of every operation is the address of one of these.
// Belongs to the object that started the operation.
class QueueEvent {
 public:
  // Calls `(self->*kHandler)(ok)` when it happens.
  template <auto kHandler, typename T>
  static QueueEvent Of(T* self) {
    return QueueEvent(self,
                      [](void* object, bool ok) { (static_cast<T*>(object)->*kHandler)(ok); });
  }
  void Happen(bool ok) const { handler_(self_, ok); }

 private:
  using Handler = void (*)(void*, bool);
  QueueEvent(void* self, Handler handler) : self_(self), handler_(handler) {}

  void* self_;
  Handler handler_;
};

// Hands out events, one after the other, on its own thread.
//
// Calls that may still have an event under way are counted, since a completion queue must not be
// shut down before the last operation on it began. (Streams are counted by StreamQueues.)
class CallQueue {
 public:
  // With the arrivals of a server's calls, or without.
  explicit CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue);
  explicit CallQueue(std::unique_ptr<grpc::CompletionQueue> queue);
  // Stop() must have been called.
  ~CallQueue();

  grpc::CompletionQueue* get() { return queue_.get(); }
  // The same if it has arrivals; else null.
  grpc::ServerCompletionQueue* arrivals() { return arrivals_; }
  void Start();
  // Waits until no call is left; false if `patience` was over before. No call may be added any
  // more, except by those that are there.
  bool WaitForCalls(absl::Duration patience = absl::InfiniteDuration());
  // Waits until no call is left, then for the thread; not on a queue's thread. No stream may be
  // left. Idempotent.
  void Stop();

  void AddCall() { calls_.fetch_add(1); }
  void RemoveCall();

  // True on the thread of any such queue: it must wait for no event.
  static bool IsQueueThread();

 private:
  void Run();

  std::unique_ptr<grpc::CompletionQueue> queue_;
  grpc::ServerCompletionQueue* arrivals_ = nullptr;
  std::atomic<int64_t> calls_{0};
  std::atomic<bool> stopping_{false};
  bool stopped_ = false;
  absl::Mutex mutex_;  // guards nothing; its release makes who waits look at `calls_` again
  std::thread thread_;
};

}  // namespace homeport
