#include "client/command/exit_codes.h"

#include "common/status/error.h"

namespace homeport {

const char* const kExitCodesHelp =
    "  0    done; the item is there, the claims hold\n"
    "  1    no such item; a claim of the demo is false\n"
    "  2    the command line is wrong\n"
    "  3    nothing answered in time, and nothing was written\n"
    "  4    refused: an argument, a limit, a permission, an unsound file\n"
    "  5    the outcome of a write is unknown: it may have happened\n"
    "  6    any other failure\n"
    "  7    written, but not in time in as many regions as asked for\n"
    "  130  interrupted\n";

int ExitCodeOf(const absl::Status& status, CallKind kind) {
  if (ReasonOf(status) == reason::kNotYetReplicated) return kExitNotReplicated;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kUnavailable: {
      // Without a reason the gateway went away while it had the request.
      const std::string why = ReasonOf(status);
      const bool indefinite = why.empty() || why == reason::kOutcomeUnknown;
      return kind == CallKind::kWrite && indefinite ? kExitUnknown : kExitUnavailable;
    }
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
      return kind == CallKind::kWrite ? kExitUnknown : kExitUnavailable;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
      return kExitRefused;
    default:
      return kExitFailed;
  }
}

}  // namespace homeport
