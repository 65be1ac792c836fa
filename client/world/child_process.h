// A program of this machine, started and stopped by us.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport {

// How a process ended: by itself with `exit_code`, or by `signal`.
struct ProcessEnd {
  int exit_code = 0;
  // 0 when it ended by itself.
  int signal = 0;
  // "exit code 3" or "signal 9".
  std::string ToString() const;
  friend bool operator==(const ProcessEnd&, const ProcessEnd&) = default;
};

// One child process. It runs in a process group of its own, so that a terminal's Ctrl-C reaches
// only us, and is killed by the kernel when the thread that started it ends: start children from
// a thread that lives as long as they shall. Thread-compatible. The destructor kills (SIGKILL) a
// child that still runs, with what it has started itself, and reaps it.
class ChildProcess {
 public:
  struct Options {
    // The program, by path (or by name, looked up in PATH), then its arguments.
    std::vector<std::string> command;
    // Standard output and error are appended to this file; empty: ours are inherited.
    std::string log_file = "";
    // "NAME=value", besides our own environment.
    std::vector<std::string> environment = {};
  };

  // NOT_FOUND or PERMISSION_DENIED if the program can not be executed, INTERNAL if the machine
  // gives no process. When it returns a child, the program is running.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const Options& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // False once it has ended; then end() says how.
  bool IsAlive();
  const std::optional<ProcessEnd>& end() const { return end_; }
  // Sends a signal, such as SIGTERM. FAILED_PRECONDITION if it has ended.
  absl::Status Signal(int signal);
  // Waits until it has ended. DEADLINE_EXCEEDED if it has not after `timeout`.
  absl::StatusOr<ProcessEnd> Wait(absl::Duration timeout);
  // SIGTERM, and SIGKILL for one that has not ended after `patience`, with what it has started
  // itself; then how it ended.
  ProcessEnd Stop(absl::Duration patience);

 private:
  ChildProcess(pid_t pid, int pid_fd) : pid_(pid), pid_fd_(pid_fd) {}
  // The child has not been reaped yet, so the group is still its own.
  void KillGroup();
  void Reap(int options);

  const pid_t pid_;
  // Becomes readable when the process ends.
  const int pid_fd_;
  std::optional<ProcessEnd> end_;
};

}  // namespace homeport
