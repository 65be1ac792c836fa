// The completion queues on which streams between processes are served.
#pragma once

#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/rpc/call_queue.h"

namespace homeport {

// Gives each stream a queue, in turn, and counts the streams. Thread-safe.
//
// Whatever thread waits on a queue of this process also polls its sockets, and waking one such
// thread for another's event costs more than the event. So streams are best served where requests
// are: gRPC's callback interface would bring threads of its own.
class StreamQueues {
 public:
  // Queues of somebody else, who runs them for longer than this lives.
  explicit StreamQueues(std::vector<CallQueue*> queues) : queues_(std::move(queues)) {}
  // Queues of its own, each with a thread.
  explicit StreamQueues(int threads);
  // Waits for the streams; not on a queue's thread.
  ~StreamQueues();
  StreamQueues(const StreamQueues&) = delete;
  StreamQueues& operator=(const StreamQueues&) = delete;

  const std::vector<CallQueue*>& queues() const { return queues_; }

  // The queue of a new stream, which must be followed by End() when it has no event under way.
  CallQueue* Begin();
  void End();
  // Waits until no stream is left; not on a queue's thread.
  void WaitForStreams();

 private:
  std::vector<std::unique_ptr<CallQueue>> own_;
  std::vector<CallQueue*> queues_;
  absl::Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace homeport
