// What gRPC and protobuf have to say, as lines of our log instead of text of their own on stderr.
#pragma once

namespace homeport {

// From here on a line of either library is an event of common/log with the fields `library`,
// `source` (file:line) and `message`. Their informational and debug messages are dropped: they
// tell how calls go, which our own events do. Their errors are warnings here, because what an
// error means for a caller is told where the call is; what ends the process is an error.
// Call it before the first use of either library: protobuf's side is not thread-safe.
void RouteLibraryLogs();

}  // namespace homeport
