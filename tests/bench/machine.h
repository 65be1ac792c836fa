// Cores, CPU time, and where a process spends it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport::bench {

// Cores that this process may run on.
std::vector<int> AllowedCores();
// Lets the calling thread, and threads and processes that it starts from now on, run on `cores`
// only. Empty: no change.
void RunOn(const std::vector<int>& cores);

// Runs on other cores while it lives; for starting processes there.
class OnCores {
 public:
  OnCores(const std::vector<int>& cores, std::vector<int> then) : then_(std::move(then)) {
    RunOn(cores);
  }
  ~OnCores() { RunOn(then_); }
  OnCores(const OnCores&) = delete;
  OnCores& operator=(const OnCores&) = delete;

 private:
  const std::vector<int> then_;
};

// User and system time of a process since its start, without its children; zero if it is gone.
absl::Duration CpuTime(pid_t pid);
absl::Duration CpuTime(const std::vector<pid_t>& pids);
// The processes that `pid` has started and that still run.
std::vector<pid_t> ChildrenOf(pid_t pid);

// Where processes spend their time: the functions with the largest shares, sampled by perf(1) for
// `duration`, which blocks. Without perf the text says so, and gives the shares of user and system
// time. `folder` takes the samples.
std::string ProfileOf(const std::vector<pid_t>& pids, absl::Duration duration,
                      const std::string& folder);

}  // namespace homeport::bench
