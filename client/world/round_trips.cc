#include "client/world/round_trips.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/world/default_round_trips.h"
#include "common/base/check.h"

namespace homeport {
namespace {

constexpr absl::string_view kHeader = "from,to,round_trip_ms";
constexpr double kRoundTripMsMax = 10'000;

std::pair<std::string, std::string> PairOf(absl::string_view a, absl::string_view b) {
  std::string first(std::min(a, b));
  return {std::move(first), std::string(std::max(a, b))};
}

}  // namespace

absl::StatusOr<RoundTrips> RoundTrips::Parse(absl::string_view text) {
  RoundTrips table;
  bool header_seen = false;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    auto wrong = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", what));
    };
    if (!header_seen) {
      if (line != kHeader) return wrong(absl::StrCat("the header must be \"", kHeader, "\""));
      header_seen = true;
      continue;
    }
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    if (fields.size() != 3) return wrong("must have three fields");
    if (fields[0].empty() || fields[1].empty() || fields[0] == fields[1]) {
      return wrong("must name two regions");
    }
    double ms = 0;
    if (!absl::SimpleAtod(fields[2], &ms) || !(ms > 0 && ms < kRoundTripMsMax)) {
      return wrong(absl::StrCat("\"", fields[2], "\" is not above 0 and below 10,000 ms"));
    }
    if (!table.round_trips_.emplace(PairOf(fields[0], fields[1]), absl::Milliseconds(ms)).second) {
      return wrong(absl::StrCat(fields[0], " and ", fields[1], " stand twice"));
    }
    for (const std::string& region : {fields[0], fields[1]}) {
      if (std::find(table.regions_.begin(), table.regions_.end(), region) == table.regions_.end()) {
        table.regions_.push_back(region);
      }
    }
  }
  if (!header_seen) {
    return absl::InvalidArgumentError(absl::StrCat("no header \"", kHeader, "\""));
  }
  return table;
}

RoundTrips RoundTrips::Default() {
  auto table = Parse(kDefaultRoundTrips);
  HP_CHECK(table.ok());
  return *std::move(table);
}

void RoundTrips::Add(absl::string_view a, absl::string_view b, absl::Duration round_trip) {
  HP_CHECK(a != b && round_trips_.emplace(PairOf(a, b), round_trip).second);
  for (const std::string& region : {std::string(a), std::string(b)}) {
    if (std::find(regions_.begin(), regions_.end(), region) == regions_.end()) {
      regions_.push_back(region);
    }
  }
}

absl::StatusOr<absl::Duration> RoundTrips::Between(absl::string_view a, absl::string_view b) const {
  if (a == b) return absl::ZeroDuration();
  auto it = round_trips_.find(PairOf(a, b));
  if (it == round_trips_.end()) {
    return absl::NotFoundError(absl::StrCat("no round trip between ", a, " and ", b));
  }
  return it->second;
}

}  // namespace homeport
