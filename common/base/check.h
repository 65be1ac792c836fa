// Stopping when our own code did what it can not do.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/strings/string_view.h"

// Stops the process, also in production, when `condition` is false: for states that our own code
// can not reach. What the world may do (network, disk, client, config) is an absl::Status instead.
#define HP_CHECK(condition)                                    \
  do {                                                         \
    if (!(condition)) [[unlikely]] {                           \
      ::homeport::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                          \
  } while (false)

// For what surely can not happen, but could be survived: counts, logs once a place, and stops in
// debug builds only.
#define HP_BUG(what) ::homeport::BugFound(what, __FILE__, __LINE__)

namespace homeport {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
void BugFound(absl::string_view what, const char* file, int line);
// How often HP_BUG was met in this process. Thread-safe.
uint64_t BugsFound();

}  // namespace homeport
