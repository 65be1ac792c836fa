#include "common/session/token_bundle.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr char kBundleFormat = 2;
constexpr size_t kLengthBytes = 2;

absl::Status Damaged(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kTokenInvalid,
                   absl::StrCat("options.session_token: ", what),
                   {{"field", "options.session_token"}});
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitTokens(absl::string_view bytes) {
  if (bytes.empty()) return std::vector<std::string>();
  if (bytes[0] != kBundleFormat) return std::vector<std::string>{std::string(bytes)};
  const size_t count = bytes.size() > 1 ? static_cast<uint8_t>(bytes[1]) : 0;
  if (count == 0 || count > kBundledTokensMax) {
    return Damaged(absl::StrCat("it has ", count, " tokens, of 1 to ", kBundledTokensMax));
  }
  bytes.remove_prefix(2);
  std::vector<std::string> tokens;
  tokens.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (bytes.size() < kLengthBytes) return Damaged("it is cut");
    const size_t length = static_cast<uint8_t>(bytes[0]) | (static_cast<uint8_t>(bytes[1]) << 8);
    bytes.remove_prefix(kLengthBytes);
    if (length == 0 || length > bytes.size()) return Damaged("it is cut");
    if (bytes[0] == kBundleFormat) return Damaged("it has a bundle of tokens in it");
    tokens.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (!bytes.empty()) return Damaged("there is something behind its last token");
  return tokens;
}

absl::StatusOr<SessionToken> ParseTokens(absl::string_view bytes, uint64_t cluster_fingerprint) {
  if (bytes.empty() || bytes[0] != kBundleFormat) {
    return SessionToken::Parse(bytes, cluster_fingerprint);
  }
  auto tokens = SplitTokens(bytes);
  if (!tokens.ok()) return tokens.status();
  SessionToken merged;
  for (const std::string& bytes_of_one : *tokens) {
    auto token = SessionToken::Parse(bytes_of_one, cluster_fingerprint);
    if (!token.ok()) return token.status();
    merged.Merge(*token);
    // As many positions as one token may have; more would not fit into the reply's.
    if (merged.positions().size() > SessionToken::kPositionsMax) {
      return Damaged(absl::StrCat("its tokens have more than ", SessionToken::kPositionsMax,
                                  " positions together"));
    }
  }
  return merged;
}

std::string BundleTokens(const std::vector<std::string>& tokens) {
  if (tokens.empty()) return "";
  if (tokens.size() == 1) return tokens.front();
  std::string bytes(1, kBundleFormat);
  bytes.push_back(static_cast<char>(tokens.size()));
  for (const std::string& token : tokens) {
    bytes.push_back(static_cast<char>(token.size()));
    bytes.push_back(static_cast<char>(token.size() >> 8));
    bytes += token;
  }
  return bytes;
}

}  // namespace homeport
