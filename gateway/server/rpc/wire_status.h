// Errors as gRPC sends them.
#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace homeport {

// Of a message for people; the rest is cut off. Twice this, encoded, must fit into the 8 KiB of
// headers that clients accept by default.
inline constexpr size_t kErrorMessageBytesMax = 1024;

// The same code and message, and as details the serialized google.rpc.Status, which stock clients
// find in `grpc-status-details-bin`. A message that is not UTF-8, or has control characters, is
// made printable.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace homeport
