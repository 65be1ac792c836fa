#include "client/demo/claims.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/text/text_table.h"

namespace homeport {

void Claims::Add(absl::string_view what, bool holds, absl::string_view seen) {
  claims_.push_back({std::string(what), holds, std::string(seen)});
}

bool Claims::AllHold() const {
  return !claims_.empty() &&
         std::all_of(claims_.begin(), claims_.end(), [](const Claim& c) { return c.holds; });
}

std::string Claims::ToString(bool colours) const {
  TextTable table({"", "CLAIM", "SEEN"});
  for (const Claim& claim : claims_) {
    table.Add({{claim.holds ? "ok" : "FALSE", claim.holds ? TextStyle::kGreen : TextStyle::kRed},
               claim.what,
               claim.seen});
  }
  return table.ToString(colours, 2);
}

}  // namespace homeport
