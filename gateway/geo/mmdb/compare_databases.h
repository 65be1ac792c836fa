// How much two databases differ.
#pragma once

#include <cstdint>

#include "gateway/geo/geo_locator.h"

namespace homeport {

// Counts over kSamples IPv4 addresses spread evenly over the public ones, the same in every call.
struct DatabaseComparison {
  static constexpr uint32_t kSamples = 4096;

  uint64_t known_before = 0;  // with a country in the old one
  uint64_t lost = 0;          // of those, without one in the new one
  uint64_t moved = 0;         // of those, in another country
};

DatabaseComparison CompareDatabases(const GeoDatabase& before, const GeoDatabase& after);

}  // namespace homeport
