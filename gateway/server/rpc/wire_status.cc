#include "gateway/server/rpc/wire_status.h"

#include <string>

#include "common/status/error.h"
#include "common/store/utf8.h"

namespace homeport {
namespace {

std::string Printable(absl::string_view message) {
  std::string text(message.substr(0, kErrorMessageBytesMax));
  // Cutting may have gone through a character.
  for (int i = 0; i < 3 && text.size() == kErrorMessageBytesMax - i && !IsValidUtf8(text); ++i) {
    text.pop_back();
  }
  const bool valid = IsValidUtf8(text);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
    if (byte >= 0x80 && !valid) c = '?';
  }
  return text;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details = ToRpcStatus(status);
  const std::string message = Printable(status.message());
  details.set_message(message);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      details.SerializeAsString());
}

}  // namespace homeport
