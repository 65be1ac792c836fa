// deploy/round_trips.csv, built in, so that the program is whole by itself.
#pragma once

namespace homeport {

extern const char* const kDefaultRoundTrips;

}  // namespace homeport
