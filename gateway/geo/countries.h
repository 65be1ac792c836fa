// What is known of a country from its code alone.
#pragma once

#include "absl/strings/string_view.h"
#include "common/topology/topology.h"

namespace homeport {

struct Country {
  char code[3];       // ISO 3166-1 alpha-2, upper case
  char continent[3];  // AF, AN, AS, EU, NA, OC or SA
  // Where its people are: the mean of its towns, weighted by population. Databases' own points for
  // countries are their geographic centres, which choose the nearest region much worse.
  GeoPoint point;
};

// The country of a code in either case, or null. Codes that databases use for "not known" or for no
// one country (AP, EU, XX, ZZ, T1, A1 ...) and codes no longer assigned are null. The result lives
// for ever. Thread-safe; a few nanoseconds.
const Country* FindCountry(absl::string_view code);

}  // namespace homeport
