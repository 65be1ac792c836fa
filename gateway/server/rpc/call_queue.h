// A completion queue and the thread that serves it.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "absl/synchronization/mutex.h"
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
// shut down before the last operation on it began.
class CallQueue {
 public:
  explicit CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue);
  // Stop() must have been called.
  ~CallQueue();

  grpc::ServerCompletionQueue* get() { return queue_.get(); }
  void Start();
  // Waits until no call is left, then for the thread. No call may be added any more, except by
  // those that are there.
  void Stop();

  void AddCall() { calls_.fetch_add(1); }
  void RemoveCall();

 private:
  void Run();

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::atomic<int64_t> calls_{0};
  std::atomic<bool> stopping_{false};
  absl::Mutex mutex_;  // guards nothing; its release makes Stop() look at `calls_` again
  std::thread thread_;
};

}  // namespace homeport
