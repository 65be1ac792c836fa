#include "common/status/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"

namespace homeport {
namespace {

constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";

std::optional<google::rpc::ErrorInfo> InfoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorInfoUrl);
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return info;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                       ErrorMetadata metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [name, value] : metadata) (*info.mutable_metadata())[std::string(name)] = value;
  absl::Status status(code, message);
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

absl::Status FieldError(absl::string_view field, absl::string_view problem) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kFieldInvalid,
                   absl::StrCat(field, ": ", problem), {{"field", std::string(field)}});
}

absl::Status LimitError(absl::string_view field, uint64_t limit, uint64_t actual,
                        absl::string_view unit) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kLimitExceeded,
                   absl::StrCat(field, ": ", actual, " ", unit, " is over the limit of ", limit),
                   {{"field", std::string(field)},
                    {"limit", absl::StrCat(limit)},
                    {"actual", absl::StrCat(actual)}});
}

std::string ReasonOf(const absl::Status& status) {
  std::optional<google::rpc::ErrorInfo> info = InfoOf(status);
  return info ? info->reason() : std::string();
}

std::optional<std::string> ErrorMetadataOf(const absl::Status& status, absl::string_view name) {
  std::optional<google::rpc::ErrorInfo> info = InfoOf(status);
  if (!info) return std::nullopt;
  auto it = info->metadata().find(std::string(name));
  if (it == info->metadata().end()) return std::nullopt;
  return it->second;
}

absl::Status WithErrorMetadata(absl::Status status, absl::string_view name, std::string value) {
  if (status.ok()) return status;
  google::rpc::ErrorInfo info = InfoOf(status).value_or(google::rpc::ErrorInfo());
  info.set_domain(std::string(kErrorDomain));
  (*info.mutable_metadata())[std::string(name)] = std::move(value);
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status wire;
  wire.set_code(static_cast<int>(status.code()));
  wire.set_message(std::string(status.message()));
  status.ForEachPayload([&wire](absl::string_view url, const absl::Cord& payload) {
    google::protobuf::Any* any = wire.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  return wire;
}

absl::Status FromRpcStatus(const google::rpc::Status& wire) {
  if (wire.code() == 0) return absl::OkStatus();
  absl::Status status(static_cast<absl::StatusCode>(wire.code()), wire.message());
  for (const google::protobuf::Any& any : wire.details()) {
    status.SetPayload(any.type_url(), absl::Cord(any.value()));
  }
  return status;
}

}  // namespace homeport
