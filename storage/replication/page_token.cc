#include "storage/replication/page_token.h"

#include <xxhash.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr char kFormat = 1;

uint64_t Sum(absl::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace

uint64_t PageRequestHash(std::initializer_list<absl::string_view> fields) {
  uint64_t hash = fields.size();
  for (absl::string_view field : fields) hash = Sum(field, hash);
  return hash;
}

std::string MakePageToken(uint64_t request_hash, absl::string_view position) {
  std::string plain(1, kFormat);
  const uint64_t sum = Sum(position, request_hash);
  for (int shift = 0; shift < 64; shift += 8) plain.push_back(static_cast<char>(sum >> shift));
  plain.append(position.data(), position.size());
  return absl::WebSafeBase64Escape(plain);
}

absl::StatusOr<std::string> ParsePageToken(absl::string_view token, uint64_t request_hash) {
  std::string plain;
  bool good =
      absl::WebSafeBase64Unescape(token, &plain) && plain.size() >= 9 && plain[0] == kFormat;
  if (good) {
    uint64_t sum = 0;
    for (int i = 0; i < 8; ++i) {
      sum |= static_cast<uint64_t>(static_cast<unsigned char>(plain[1 + i])) << (8 * i);
    }
    good = sum == Sum(absl::string_view(plain).substr(9), request_hash);
  }
  if (!good) {
    return MakeError(absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid,
                     "page_token: is damaged, or belongs to a request with other fields",
                     {{"field", "page_token"}});
  }
  return plain.substr(9);
}

}  // namespace homeport
