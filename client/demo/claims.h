// What the demo claims, and whether it is so.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace homeport {

// Thread-compatible.
class Claims {
 public:
  // `what` as a sentence that is true or false; `seen` is the evidence.
  void Add(absl::string_view what, bool holds, absl::string_view seen);
  // True if there are some and all hold.
  bool AllHold() const;
  // The table that the demo ends with.
  std::string ToString(bool colours) const;

 private:
  struct Claim {
    std::string what;
    bool holds;
    std::string seen;
  };
  std::vector<Claim> claims_;
};

}  // namespace homeport
