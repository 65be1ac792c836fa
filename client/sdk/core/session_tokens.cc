#include "client/sdk/core/session_tokens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/session/token_bundle.h"
#include "common/status/error.h"

namespace homeport::sdk {

static_assert(SessionTokens::kInFlightMax + SessionTokens::kJoinedMax == kBundledTokensMax);

absl::Status SessionTokens::Join(absl::string_view exported) {
  auto joined = SplitTokens(exported);
  if (!joined.ok()) return joined.status();
  absl::MutexLock lock(&mutex_);
  for (const Token& held : tokens_) std::erase(*joined, held.bytes);
  const size_t there =
      std::count_if(tokens_.begin(), tokens_.end(), [](const Token& held) { return held.joined; });
  // Before its first request a session has nothing under way, so there is room for all.
  const bool fresh = !sent_ && tokens_.empty();
  if (!fresh && there + joined->size() > kJoinedMax) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kLimitExceeded,
                     absl::StrCat("session tokens: ", there + joined->size(),
                                  " joined without a reply since; at most ", kJoinedMax),
                     {{"field", "session_token"},
                      {"limit", absl::StrCat(kJoinedMax)},
                      {"actual", absl::StrCat(there + joined->size())}});
  }
  for (std::string& token : *joined) tokens_.push_back({next_++, true, std::move(token)});
  return absl::OkStatus();
}

SessionTokens::Carried SessionTokens::ToSend() {
  absl::MutexLock lock(&mutex_);
  sent_ = true;
  return {BytesLocked(), next_};
}

std::string SessionTokens::Export() const {
  absl::MutexLock lock(&mutex_);
  return BytesLocked();
}

std::string SessionTokens::BytesLocked() const {
  std::vector<std::string> tokens;
  tokens.reserve(tokens_.size());
  for (const Token& token : tokens_) tokens.push_back(token.bytes);
  return BundleTokens(tokens);
}

void SessionTokens::Answered(const Carried& carried, std::string token) {
  if (token.empty()) return;
  absl::MutexLock lock(&mutex_);
  DropLocked(carried);
  const bool known = std::any_of(tokens_.begin(), tokens_.end(),
                                 [&](const Token& held) { return held.bytes == token; });
  if (!known) tokens_.push_back({next_, false, std::move(token)});
  ++next_;
}

void SessionTokens::Drop(const Carried& carried) {
  absl::MutexLock lock(&mutex_);
  DropLocked(carried);
}

void SessionTokens::DropLocked(const Carried& carried) {
  std::erase_if(tokens_, [&](const Token& token) { return token.number < carried.until; });
}

}  // namespace homeport::sdk
