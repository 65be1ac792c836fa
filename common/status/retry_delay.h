// google.rpc.RetryInfo: when it makes sense to try again.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace homeport {

// `error` with a RetryInfo, which travels like its ErrorInfo: the client should wait for `delay` at
// least. Replaces one that it has. OK stays OK. `delay` is finite and not negative.
absl::Status WithRetryDelay(absl::Status error, absl::Duration delay);
// nullopt if there is none.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& error);

}  // namespace homeport
