#include "common/status/retry_delay.h"

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"

namespace homeport {
namespace {

constexpr absl::string_view kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

}  // namespace

absl::Status WithRetryDelay(absl::Status error, absl::Duration delay) {
  if (error.ok()) return error;
  google::rpc::RetryInfo info;
  google::protobuf::Duration* out = info.mutable_retry_delay();
  out->set_seconds(absl::IDivDuration(delay, absl::Seconds(1), &delay));
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(delay)));
  error.SetPayload(kRetryInfoUrl, absl::Cord(info.SerializeAsString()));
  return error;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& error) {
  const auto payload = error.GetPayload(kRetryInfoUrl);
  google::rpc::RetryInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return absl::Seconds(info.retry_delay().seconds()) +
         absl::Nanoseconds(info.retry_delay().nanos());
}

}  // namespace homeport
