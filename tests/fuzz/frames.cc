#include "tests/fuzz/frames.h"

#include <algorithm>
#include <cstdint>

namespace homeport::fuzz {

std::vector<absl::string_view> SplitFrames(absl::string_view input) {
  std::vector<absl::string_view> frames;
  while (input.size() >= 2 && frames.size() < kFramesMax) {
    const size_t size = static_cast<uint8_t>(input[0]) | static_cast<uint8_t>(input[1]) << 8;
    input.remove_prefix(2);
    frames.push_back(input.substr(0, size));
    input.remove_prefix(std::min(size, input.size()));
  }
  return frames;
}

void AddFrame(absl::string_view frame, std::string& input) {
  input.push_back(static_cast<char>(frame.size()));
  input.push_back(static_cast<char>(frame.size() >> 8));
  input.append(frame.data(), frame.size());
}

}  // namespace homeport::fuzz
