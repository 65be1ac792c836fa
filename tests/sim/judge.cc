#include "tests/sim/judge.h"

#include <algorithm>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace homeport::sim {
namespace {

// Of a campaign of kWholeCampaign; smaller ones have to show as much in proportion.
constexpr uint64_t kPathSeedsMin = 20;
constexpr uint64_t kWholeCampaign = 10'000;
// Of a smaller one at least.
constexpr uint64_t kPathSeedsLeast = 2;
// Seeds that a line names.
constexpr size_t kNamedMax = 100;

std::string Named(const std::vector<uint64_t>& seeds) {
  const size_t named = std::min(seeds.size(), kNamedMax);
  std::string text = absl::StrJoin(seeds.begin(), seeds.begin() + named, " ");
  if (named < seeds.size()) absl::StrAppend(&text, " and ", seeds.size() - named, " more");
  return text;
}

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// The sums that a state has a line of.
struct Field {
  const char* name;
  uint64_t Totals::*value;
};
constexpr Field kFields[] = {
    {"next", &Totals::next},
    {"seeds", &Totals::seeds},
    {"thin", &Totals::thin},
    {"four_regions", &Totals::four_regions},
    {"three_kinds", &Totals::three_kinds},
    {"acknowledged", &Totals::acknowledged},
    {"lost", &Totals::lost},
    {"events", &Totals::events},
};

}  // namespace

Verdict Judge(const Totals& totals, const std::function<bool(uint64_t)>& known) {
  Verdict verdict;
  verdict.good = true;
  const uint64_t counted = totals.seeds - totals.thin;
  std::vector<uint64_t> expected;
  std::vector<uint64_t> unexpected;
  for (const uint64_t seed : totals.failed) (known(seed) ? expected : unexpected).push_back(seed);
  const auto tell = [&verdict](std::string line) { verdict.lines.push_back(std::move(line)); };
  const auto fail = [&](const std::string& why) {
    verdict.good = false;
    tell(absl::StrCat("FAILED: ", why));
  };

  tell(absl::StrCat(totals.seeds, " seeds, ", counted, " counted (", totals.thin,
                    " had fewer than ", kAcknowledgedMin, " acknowledged writes)"));
  if (totals.builds.size() > 1) {
    tell(absl::StrCat("they were run by ", totals.builds.size(), " builds of the program"));
  }
  tell(absl::StrCat(totals.acknowledged, " writes acknowledged; ", totals.lost,
                    " went with the only disk that had them, all counted"));
  tell(absl::StrFormat("four or more regions: %.0f %%; three or more kinds of fault: %.0f %%",
                       Percent(totals.four_regions, totals.seeds),
                       Percent(totals.three_kinds, totals.seeds)));
  if (counted == 0) fail("no seed counts");
  if (totals.seeds >= kCoverageSeeds) {
    if (totals.four_regions * 10 < totals.seeds * 3 || totals.three_kinds * 2 < totals.seeds) {
      fail("the seeds are too easy");
    }
    const uint64_t wanted = std::max(
        kPathSeedsLeast, kPathSeedsMin * std::min(totals.seeds, kWholeCampaign) / kWholeCampaign);
    for (int i = 0; i < kPathCount; ++i) {
      if (totals.paths[i] >= wanted) continue;
      fail(absl::StrCat("only ", totals.paths[i], " of ", wanted, " seeds met: ", PathText(i), " (",
                        PathName(i), ")"));
    }
  }
  if (!unexpected.empty()) {
    fail(absl::StrCat(unexpected.size(), " seeds: ", Named(unexpected)));
  }
  if (!expected.empty()) {
    tell(absl::StrCat(counted, " counted, ", expected.size(), " known failures (seeds ",
                      Named(expected), ")"));
  } else if (unexpected.empty() && counted > 0) {
    tell(absl::StrCat(counted, ", 0 failures: p < 3/", counted));
  }
  return verdict;
}

std::string FormatTotals(const Totals& totals) {
  std::string text;
  for (const Field& field : kFields) {
    absl::StrAppend(&text, field.name, " ", totals.*field.value, "\n");
  }
  for (const uint64_t seed : totals.failed) absl::StrAppend(&text, "failed_seed ", seed, "\n");
  for (const std::string& build : totals.builds) absl::StrAppend(&text, "build ", build, "\n");
  for (int i = 0; i < kPathCount; ++i) {
    absl::StrAppend(&text, PathName(i), " ", totals.paths[i], "\n");
  }
  return text;
}

bool ParseTotals(const std::string& text, Totals& totals) {
  totals = Totals();
  std::istringstream in(text);
  std::string name;
  std::string word;
  while (in >> name >> word) {
    if (name == "build") {
      totals.builds.insert(word);
      continue;
    }
    uint64_t value = 0;
    if (!absl::SimpleAtoi(word, &value)) continue;
    if (name == "failed_seed") totals.failed.insert(value);
    for (const Field& field : kFields) {
      if (name == field.name) totals.*field.value = value;
    }
    for (int i = 0; i < kPathCount; ++i) {
      if (name == PathName(i)) totals.paths[i] = value;
    }
  }
  return totals.next != 0;
}

}  // namespace homeport::sim
