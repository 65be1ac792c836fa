// Several messages in one input.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport::fuzz {

// Each message stands behind its length, two bytes, little endian. What does not fit is cut off.
// At most kFramesMax are read; the rest is left.
inline constexpr int kFramesMax = 32;
std::vector<absl::string_view> SplitFrames(absl::string_view input);
void AddFrame(absl::string_view frame, std::string& input);

}  // namespace homeport::fuzz
