// Session tokens: damaged ones are refused, and what is taken means one thing only.
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "common/session/session_token.h"

namespace {

constexpr uint64_t kCluster = 0x0123456789abcdef;

void Check(absl::string_view bytes) {
  const auto token = homeport::SessionToken::Parse(bytes, kCluster);
  if (!token.ok()) return;
  const std::string again = token->Serialize(kCluster);
  if (!bytes.empty() && again != bytes) abort();
  const auto same = homeport::SessionToken::Parse(again, kCluster);
  if (!same.ok() || *same != *token) abort();
  for (const auto& position : token->positions()) {
    if (token->SequenceOf(position.origin) != position.sequence) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  // With the cluster and the checksum that belong there, which no mutation finds.
  if (bytes.size() < 16) return 0;
  for (int i = 0; i < 8; ++i) bytes[4 + i] = static_cast<char>(kCluster >> (8 * i));
  const size_t body = bytes.size() - 4;
  const auto sum = static_cast<uint32_t>(XXH3_64bits(bytes.data(), body));
  for (int i = 0; i < 4; ++i) bytes[body + i] = static_cast<char>(sum >> (8 * i));
  Check(bytes);
  return 0;
}
