#include "common/store/utf8.h"

#include <cstdint>
#include <cstring>

namespace homeport {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Length of the sequence at `p`, which has at least one byte before `end`; 0 if it is ill-formed.
int SequenceLength(const uint8_t* p, const uint8_t* end) {
  const uint8_t lead = p[0];
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  int length = 4;
  if (lead < 0xe0) {
    length = 2;
  } else if (lead < 0xf0) {
    length = 3;
  } else if (lead > 0xf4) {
    return 0;
  }
  if (end - p < length) return 0;
  for (int i = 1; i < length; ++i) {
    if (!IsContinuation(p[i])) return 0;
  }
  // The leads with a narrower range for the second byte.
  if (lead == 0xe0 && p[1] < 0xa0) return 0;
  if (lead == 0xed && p[1] > 0x9f) return 0;
  if (lead == 0xf0 && p[1] < 0x90) return 0;
  if (lead == 0xf4 && p[1] > 0x8f) return 0;
  return length;
}

}  // namespace

bool IsValidUtf8(absl::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = p + text.size();
  while (p != end) {
    while (end - p >= 8) {
      uint64_t word;
      std::memcpy(&word, p, sizeof(word));
      if ((word & kHighBits) != 0) break;
      p += 8;
    }
    if (p == end) break;
    const int length = SequenceLength(p, end);
    if (length == 0) return false;
    p += length;
  }
  return true;
}

}  // namespace homeport
