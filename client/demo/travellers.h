// The clients of the demo: real addresses, and where they are.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace homeport {

// A client somewhere. The addresses belong to universities and research networks, which stay where
// they are; nothing is ever sent to them.
struct Traveller {
  std::string address;
  std::string country;  // ISO 3166-1 alpha-2
  std::string place;    // for people
  double latitude = 0;
  double longitude = 0;
  // Round trip of the last mile alone: fibre 2 to 10 ms, 5G 15 to 30 ms, LTE 30 to 60 ms.
  absl::Duration last_mile;
  // The region that is nearest, of the five.
  std::string region;
  // The region whose gateway is used; empty: the nearest one's.
  std::string gateway;
};

// At least one in each of fifteen countries, and each region is the nearest one of some.
const std::vector<Traveller>& Travellers();

// The round trip from a traveller to a place: the last mile, 3.5 ms, and 1.7 ms per 100 km of great
// circle (what public measurements of cloud regions show).
absl::Duration RoundTripTo(const Traveller& traveller, double latitude, double longitude);

}  // namespace homeport
