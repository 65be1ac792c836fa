#include "client/world/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"

namespace homeport {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: only what is safe after a fork of a threaded process.
[[noreturn]] void BecomeProgram(char* const* argv, char* const* envp, int log_fd, int error_fd,
                                pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // The parent ended before it could be asked to tell us.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) signal(s, SIG_DFL);
  if (log_fd >= 0) {
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
  }
  execvpe(argv[0], argv, envp);
  const int error = errno;
  [[maybe_unused]] ssize_t n = write(error_fd, &error, sizeof(error));
  _exit(127);
}

}  // namespace

std::string ProcessEnd::ToString() const {
  return signal != 0 ? absl::StrCat("signal ", signal) : absl::StrCat("exit code ", exit_code);
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Options& options) {
  HP_CHECK(!options.command.empty());
  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = options.environment;
  for (char** e = environ; *e != nullptr; ++e) environment.emplace_back(*e);
  std::vector<char*> argv = Pointers(command);
  std::vector<char*> envp = Pointers(environment);

  int log_fd = -1;
  if (!options.log_file.empty()) {
    log_fd = open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("log file ", options.log_file));
    }
  }
  // Closed by a successful exec; carries errno of one that failed.
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) {
    const int error = errno;
    if (log_fd >= 0) close(log_fd);
    return absl::ErrnoToStatus(error, "pipe");
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  const int fork_error = errno;
  if (pid == 0) BecomeProgram(argv.data(), envp.data(), log_fd, error_pipe[1], parent);
  close(error_pipe[1]);
  if (log_fd >= 0) close(log_fd);
  if (pid < 0) {
    close(error_pipe[0]);
    return absl::InternalError(absl::StrCat("fork: ", strerror(fork_error)));
  }
  int exec_error = 0;
  ssize_t n;
  do {
    n = read(error_pipe[0], &exec_error, sizeof(exec_error));
  } while (n < 0 && errno == EINTR);
  close(error_pipe[0]);
  if (n == sizeof(exec_error)) {
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(exec_error, absl::StrCat("cannot run ", command[0]));
  }
  // By number: the C library has a wrapper only since glibc 2.36.
  const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pid_fd < 0) {
    const int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return absl::InternalError(absl::StrCat("pidfd_open: ", strerror(error)));
  }
  fcntl(pid_fd, F_SETFD, FD_CLOEXEC);
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, pid_fd));
}

ChildProcess::~ChildProcess() {
  if (!end_.has_value()) KillGroup();
  close(pid_fd_);
}

void ChildProcess::KillGroup() {
  kill(-pid_, SIGKILL);
  Reap(0);
}

void ChildProcess::Reap(int options) {
  int status = 0;
  pid_t reaped;
  do {
    reaped = waitpid(pid_, &status, options);
  } while (reaped < 0 && errno == EINTR);
  if (reaped != pid_) return;
  end_ = WIFSIGNALED(status) ? ProcessEnd{0, WTERMSIG(status)} : ProcessEnd{WEXITSTATUS(status), 0};
}

bool ChildProcess::IsAlive() {
  if (!end_.has_value()) Reap(WNOHANG);
  return !end_.has_value();
}

absl::Status ChildProcess::Signal(int signal) {
  if (!IsAlive()) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", pid_, " has ended by ", end_->ToString()));
  }
  if (kill(pid_, signal) != 0) return absl::ErrnoToStatus(errno, "kill");
  return absl::OkStatus();
}

absl::StatusOr<ProcessEnd> ChildProcess::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (IsAlive()) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          absl::StrCat("process ", pid_, " still runs after ", absl::FormatDuration(timeout)));
    }
    // Rounded up, or the last millisecond would spin; capped, as poll counts in an int.
    const int64_t ms = std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60'000);
    pollfd waiting{pid_fd_, POLLIN, 0};
    poll(&waiting, 1, static_cast<int>(ms));
  }
  return *end_;
}

ProcessEnd ChildProcess::Stop(absl::Duration patience) {
  if (IsAlive()) {
    kill(pid_, SIGTERM);
    if (!Wait(patience).ok()) KillGroup();
  }
  return end_.value_or(ProcessEnd{});
}

}  // namespace homeport
