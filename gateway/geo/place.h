// Where a client is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/net/ip_address.h"
#include "common/topology/topology.h"
#include "homeport/v1/locator.pb.h"

namespace homeport {

// What a database file says of itself. Immutable, shared by the places that came from it.
struct GeoDatabaseInfo {
  std::string path;
  std::string type;    // as in the file's metadata, "GeoLite2-City"
  std::string credit;  // as the topology asks
  absl::Time built;    // as in the file's metadata
};

// A place, as far as it is known. Value; cheap to copy for a country database (no allocation).
struct Place {
  std::string country;      // ISO 3166-1 alpha-2, or empty
  std::string continent;    // two letters, or empty
  std::string subdivision;  // without the country, or empty
  std::string city;         // in English, or empty
  std::optional<GeoPoint> point;
  bool country_point = false;  // `point` is the country's, not the address' own
  uint32_t asn = 0;
  std::optional<int> pinned_region;  // index; the operator's table names a region
  v1::PlaceSource source = v1::PLACE_SOURCE_DEFAULT;
  std::shared_ptr<const GeoDatabaseInfo> database;  // null unless `source` is DATABASE
};

}  // namespace homeport
