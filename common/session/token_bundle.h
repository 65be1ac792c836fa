// Several session tokens as one: how a client joins tokens that it can not read.
//
// Replies to requests that were under way at the same time have tokens of which none covers the
// other. A client sends them all, in place of one token: the byte 2, a byte with how many there
// are, then each token's length in two bytes, little endian, and the token. The replica merges them
// by position, and its reply's token covers them all. So tokens stay opaque, and a client in any
// language can join them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/session/session_token.h"

namespace homeport {

// Tokens that one request may carry. A client with no more requests of a session under way never
// has more: a token leaves with the first reply to a request that carried it.
inline constexpr size_t kBundledTokensMax = 64;

// What a request's `session_token` says, be it a token, several, or empty. INVALID_ARGUMENT
// (TOKEN_INVALID) for a bundle that is cut, nested or has too many; other errors as
// SessionToken::Parse.
absl::StatusOr<SessionToken> ParseTokens(absl::string_view bytes, uint64_t cluster_fingerprint);

// No tokens are empty bytes, and one is itself. At most kBundledTokensMax, none empty and each
// shorter than 64 KiB, as tokens are.
std::string BundleTokens(const std::vector<std::string>& tokens);

// The tokens that were bundled, unread. INVALID_ARGUMENT (TOKEN_INVALID) as ParseTokens.
absl::StatusOr<std::vector<std::string>> SplitTokens(absl::string_view bytes);

}  // namespace homeport
