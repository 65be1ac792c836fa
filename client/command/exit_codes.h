// How the command ends, for scripts.
#pragma once

#include "absl/status/status.h"

namespace homeport {

inline constexpr int kExitOk = 0;
// A missing item, or something that the demo claims is not so.
inline constexpr int kExitFalse = 1;
// The command line is wrong.
inline constexpr int kExitUsage = 2;
// Nothing answered in time; nothing was written.
inline constexpr int kExitUnavailable = 3;
// Refused for what was asked: an argument, a limit, a permission, an unsound file.
inline constexpr int kExitRefused = 4;
// A write that was sent and not answered: it may have happened.
inline constexpr int kExitUnknown = 5;
// Written, and not in as many regions in time as were asked for.
inline constexpr int kExitNotReplicated = 7;
// Anything else.
inline constexpr int kExitFailed = 6;
// Ended by Ctrl-C, as shells have it.
inline constexpr int kExitInterrupted = 130;

// The exit codes, a line each, for the help.
extern const char* const kExitCodesHelp;

enum class CallKind { kRead, kWrite };

// The exit code of a call that ended with `status`.
int ExitCodeOf(const absl::Status& status, CallKind kind);

}  // namespace homeport
