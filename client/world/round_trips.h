// Round trips between regions, as a table in a file of comma-separated values.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace homeport {

// Symmetric. Value.
class RoundTrips {
 public:
  // Lines "from,to,round_trip_ms" after a header line of just these words; empty lines and lines
  // that begin with '#' are skipped. INVALID_ARGUMENT naming the line for anything else, for a
  // round trip that is not above 0 and below 10 s, and for a pair that stands twice, either way
  // round.
  static absl::StatusOr<RoundTrips> Parse(absl::string_view text);
  // deploy/round_trips.csv as it was when the program was built.
  static RoundTrips Default();

  // Adds a pair that the table lacks.
  void Add(absl::string_view a, absl::string_view b, absl::Duration round_trip);

  // NOT_FOUND if the table lacks the pair; zero for a region with itself.
  absl::StatusOr<absl::Duration> Between(absl::string_view a, absl::string_view b) const;
  // Every region that is named, in the order of the table.
  const std::vector<std::string>& regions() const { return regions_; }

 private:
  std::map<std::pair<std::string, std::string>, absl::Duration> round_trips_;
  std::vector<std::string> regions_;
};

}  // namespace homeport
