#include "client/rpc/channel.h"

#include "common/status/error.h"

namespace homeport {
namespace {

// A page is 3 MiB of values, and its keys come on top.
constexpr int kReceiveBytesMax = 16 << 20;
// A gateway that comes back is found again this soon. (gRPC's MIN_RECONNECT_BACKOFF is not this: it
// also is the time that a connection may take to come up, so it stays at its default.)
constexpr int kReconnectMsFirst = 50;
constexpr int kReconnectMsMax = 500;

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status rpc;
  if (!status.error_details().empty() && rpc.ParseFromString(status.error_details()) &&
      rpc.code() == static_cast<int>(status.error_code())) {
    return FromRpcStatus(rpc);
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsFirst);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  // Two clients of one gateway are two connections, as two machines would have.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The whole path of a request is ours to see; a proxy of the environment would hide it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace homeport
