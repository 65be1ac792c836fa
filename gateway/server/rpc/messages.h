// Messages in gRPC's buffers, and what a call says of its caller.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/status/error.h"
#include "gateway/server/gateway.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"

namespace homeport {

// INVALID_ARGUMENT FIELD_INVALID ("request") when the bytes are not such a message, which
// ill-formed UTF-8 in a string of it makes them.
inline absl::Status ReadMessage(grpc::ByteBuffer* bytes, google::protobuf::Message* message) {
  if (grpc::GenericDeserialize<grpc::ProtoBufferReader, google::protobuf::Message>(bytes, message)
          .ok()) {
    return absl::OkStatus();
  }
  return FieldError("request", "is not a " + message->GetTypeName() +
                                   ", or has a string that is not valid UTF-8");
}

// INTERNAL when the message can not be sent.
inline absl::Status WriteMessage(const google::protobuf::Message& message,
                                 grpc::ByteBuffer* bytes) {
  bool owned;
  const grpc::Status status =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(message, bytes,
                                                                                 &owned);
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError("the answer could not be written: " + status.error_message());
}

// Calls `use` with the caller of a call.
template <typename Use>
auto WithCaller(grpc::ServerContext& context, Use use) {
  const std::string peer = context.peer();
  const auto headers = [&context](HeaderList& list) {
    for (const auto& [name, value] : context.client_metadata()) {
      list.emplace_back(absl::string_view(name.data(), name.size()),
                        absl::string_view(value.data(), value.size()));
    }
  };
  return use(Caller{peer, headers});
}

}  // namespace homeport
