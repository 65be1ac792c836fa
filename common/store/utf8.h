// Whether bytes are well-formed UTF-8.
#pragma once

#include "absl/strings/string_view.h"

namespace homeport {

// As Unicode 15 table 3-7 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure;
// eight bytes of ASCII at a time. The empty string is valid.
bool IsValidUtf8(absl::string_view text);

}  // namespace homeport
