// From an address to a place.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "gateway/geo/place.h"

namespace homeport {

// A source of places by address, such as an MMDB file. Thread-safe.
class GeoDatabase {
 public:
  virtual ~GeoDatabase() = default;
  // Adds what the database knows of `address` to the fields of `place` that are still unknown.
  // False if it knows nothing of it. An IPv6 address in an IPv4 file is "knows nothing".
  // `address` is never IPv4-mapped.
  virtual bool Lookup(const IpAddress& address, Place& place) const = 0;
  virtual const std::shared_ptr<const GeoDatabaseInfo>& info() const = 0;
};

// Locates clients: the operator's ranges first (longest prefix), then private and reserved ranges
// (this gateway's region), then the databases in order, then nothing (default region).
//
// Immutable and thread-safe; a reload builds another one and swaps the pointer, and the databases
// of the old one are closed by its last reader.
class GeoLocator {
 public:
  // `self_region` is the gateway's own. Databases may be empty.
  GeoLocator(std::shared_ptr<const Topology> topology, int self_region,
             std::vector<std::shared_ptr<const GeoDatabase>> databases);
  ~GeoLocator();

  // The place of `client`. An address that nothing knows is not an error: the place then has no
  // country and no point, and source DEFAULT.
  Place Locate(const IpAddress& client) const;
  const std::vector<std::shared_ptr<const GeoDatabase>>& databases() const;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace homeport
