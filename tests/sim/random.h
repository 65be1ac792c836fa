// Chance, from one seed.
#pragma once

#include <cstdint>

namespace homeport::sim {

// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014):
// the same numbers on every machine and with every standard library.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // In [0, below); `below` is not 0.
  uint64_t Below(uint64_t below) { return Next() % below; }
  // In [low, high].
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low + 1)));
  }
  bool Chance(uint64_t of_thousand) { return Below(1000) < of_thousand; }
  // A stream of its own, so that what one part draws does not move what another draws.
  Random Split(uint64_t stream) const {
    Random other(state_ ^ (stream * 0xd1342543de82ef95ull));
    other.Next();
    return other;
  }

 private:
  uint64_t state_;
};

}  // namespace homeport::sim
