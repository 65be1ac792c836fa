// Writers that go on while things break, and what was acknowledged to them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/demo/content.h"
#include "client/rpc/gateway_client.h"

namespace homeport {

struct LoadResult {
  uint64_t writes = 0;  // acknowledged
  uint64_t reads = 0;   // answered with what the session had written
  // Answered by another region than the client's nearest, because that one was not to be had.
  uint64_t failovers = 0;
  uint64_t failed = 0;     // refused: nothing was written
  uint64_t unknown = 0;    // not answered: may have been written
  uint64_t wrong = 0;      // a read that did not give what the session had written
  uint64_t moves = 0;      // to the second gateway
  uint64_t returns = 0;    // and back to the first
  absl::Duration slowest;  // of the acknowledged writes
  // The errors' words, each once, a few.
  std::vector<std::string> errors;
  // Every acknowledged write.
  std::map<ItemAddress, ItemContent> acknowledged;
};

// One client in a thread: puts items under an own record id and reads them back in its session,
// one at a time with a pause in between, until stopped. After an error it moves to its second
// gateway, if there is one, and back when Return() says so.
class Writer {
 public:
  // The gateways must outlive the writer; `second` may be null.
  Writer(std::string name_space, std::string name, GatewayClient* first, GatewayClient* second,
         absl::Duration pause);
  ~Writer() { Stop(); }

  // To be called when the first gateway is there again: moves back as soon as it is connected.
  void Return() { may_return_ = true; }
  LoadResult Stop();

 private:
  void Run();
  void Step(uint64_t number);
  void NoteError(absl::string_view what, const absl::Status& status);
  void MoveOn();

  const std::string name_space_;
  const std::string name_;
  GatewayClient* const first_;
  GatewayClient* const second_;
  const absl::Duration pause_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> may_return_{false};
  // The thread's until it is joined.
  bool use_second_ = false;
  std::string session_token_;
  LoadResult result_;
  std::thread thread_;
};

// Adds up the results of several writers.
LoadResult Sum(const std::vector<LoadResult>& results);

}  // namespace homeport
