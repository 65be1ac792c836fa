// Page tokens: what is not from here is refused, and what is comes back as it was.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "storage/replication/page_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const uint64_t hash = homeport::PageRequestHash({"namespace", "id"});
  if (auto position = homeport::ParsePageToken(input, hash); position.ok()) {
    if (auto again = homeport::ParsePageToken(homeport::MakePageToken(hash, *position), hash);
        !again.ok() || *again != *position) {
      abort();
    }
  }
  // The input as a position.
  const std::string token = homeport::MakePageToken(hash, input);
  const auto position = homeport::ParsePageToken(token, hash);
  if (!position.ok() || *position != input) abort();
  if (homeport::ParsePageToken(token, hash + 1).ok()) abort();
  return 0;
}
