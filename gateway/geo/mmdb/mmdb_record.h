// Places from the records of GeoIP databases.
#pragma once

#include "absl/status/status.h"
#include "gateway/geo/mmdb/mmdb_decoder.h"
#include "gateway/geo/place.h"

namespace homeport {

// Decodes the record at `offset` of a data section into the empty `place`; leaves `source`,
// `database` and `country_point` as they are. Known are two schemas, also mixed:
//   nested (MaxMind's): country.iso_code, or registered_country.iso_code without it;
//     continent.code; subdivisions[0].iso_code; city.names.en; location.latitude and .longitude;
//     traits.autonomous_system_number
//   flat: country_code or country; continent_code or continent; state1; city; latitude and
//   longitude;
//     autonomous_system_number
// Coordinates are float or double. Countries and continents that FindCountry() and the protocol do
// not know become unknown, so do a subdivision that is no code (flat files have names) and names
// over kNameBytesMax. Coordinates of a whole large country (an accuracy radius of kCoarseRadiusKm
// and no city) are left out, since the country's own point is better.
//
// DATA_LOSS, naming the offset and the field, if the record is no map, is damaged, has text that is
// not UTF-8 or coordinates out of range. Adds the number of values to `*elements`, if given.
absl::Status DecodePlace(const MmdbDecoder& data, size_t offset, Place& place,
                         uint64_t* elements = nullptr);

inline constexpr size_t kNameBytesMax = 256;
inline constexpr uint64_t kCoarseRadiusKm = 500;

// True if `place` says anything.
bool KnowsAnything(const Place& place);

// Adds what `known` knows to the fields of `place` that are unknown. Where the two name different
// countries only the network is added: a city and a point belong to their country.
void AddKnown(const Place& known, Place& place);

}  // namespace homeport
