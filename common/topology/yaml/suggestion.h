// What a misspelt word was probably meant to be.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport {

// The candidate nearest to `word` by edits (insert, delete, replace, swap of neighbours; case and
// '-' against '_' count nothing), if it is at most a third of the word's length away; the first one
// of equals. Empty if none is that near. Pure. O(length^2) for each candidate; words of more than
// 64 bytes have no suggestion.
std::string NearestWord(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace homeport
