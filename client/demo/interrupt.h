// Ctrl-C as a state that is asked for.
#pragma once

namespace homeport {

// While it lives, SIGINT and SIGTERM set a flag in place of ending the process, so that what was
// started is also stopped. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

// True once one of the signals came. Thread-safe.
bool Interrupted();

}  // namespace homeport
