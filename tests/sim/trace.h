// What happened, as a hash always and as a story when asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/sim/shape.h"

namespace homeport::sim {

// Every event of a run goes through here, so that two runs of a seed can be told to be the same.
class Trace {
 public:
  // Lines go to `out` if it is set.
  explicit Trace(std::function<void(const std::string&)> out = nullptr) : out_(std::move(out)) {}

  void At(Micros now) { now_ = now; }
  void Mix(uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9fb21c651e98df25ull;
    hash_ ^= hash_ >> 35;
  }
  bool told() const { return out_ != nullptr; }
  // `what` makes the line; called only if somebody reads it.
  template <typename What>
  void Tell(What what) {
    if (out_ == nullptr) return;
    const std::string micros = absl::StrCat(now_ % kMilli);
    out_(absl::StrCat(now_ / kMilli, ".", std::string(3 - micros.size(), '0'), micros, " ms  ",
                      what()));
  }
  uint64_t hash() const { return hash_; }

 private:
  std::function<void(const std::string&)> out_;
  Micros now_ = 0;
  uint64_t hash_ = 0x5851f42d4c957f2dull;
};

}  // namespace homeport::sim
