#include "gateway/geo/mmdb/compare_databases.h"

#include "gateway/geo/reserved_ranges.h"

namespace homeport {
namespace {

// An odd step visits every number once before it repeats; this one (2^32 over the golden ratio)
// keeps any run of samples evenly spread (Knuth, The Art of Computer Programming, 6.4).
constexpr uint32_t kStep = 2654435769;

}  // namespace

DatabaseComparison CompareDatabases(const GeoDatabase& before, const GeoDatabase& after) {
  DatabaseComparison result;
  uint32_t number = 0;
  for (uint32_t i = 0; i < DatabaseComparison::kSamples; ++i) {
    do {
      number += kStep;
    } while (IsReservedAddress(IpAddress::V4(number)));
    Place old_place, new_place;
    before.Lookup(IpAddress::V4(number), old_place);
    after.Lookup(IpAddress::V4(number), new_place);
    if (old_place.country.empty()) continue;
    ++result.known_before;
    if (new_place.country.empty()) {
      ++result.lost;
    } else if (new_place.country != old_place.country) {
      ++result.moved;
    }
  }
  return result;
}

}  // namespace homeport
