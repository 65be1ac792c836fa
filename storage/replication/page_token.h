// Where the next page of a list begins.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace homeport {

// `position` is the key or id at or after which the next page begins; `request_hash` names the
// fields that must not change between pages. The token is web-safe base64.
std::string MakePageToken(uint64_t request_hash, absl::string_view position);
// INVALID_ARGUMENT (PAGE_TOKEN_INVALID) if the token is damaged or of another request.
absl::StatusOr<std::string> ParsePageToken(absl::string_view token, uint64_t request_hash);

// Names the fields of a list request.
uint64_t PageRequestHash(std::initializer_list<absl::string_view> fields);

}  // namespace homeport
