// Channels to gateways, and what their calls end with.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"

namespace homeport {

// A plaintext channel to "host:port" with a connection of its own, which is looked for again soon
// after it was lost.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address);

// With the details that the server has sent, as payloads (common/status/error.h).
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace homeport
