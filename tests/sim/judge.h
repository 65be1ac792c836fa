// What the seeds of a campaign show together, and whether that is a proof.
//
// Sums only: nothing here runs a seed, reads a clock or prints.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/coverage.h"

namespace homeport::sim {

// A seed with fewer acknowledged writes shows nothing, and is not counted unless it fails.
inline constexpr int kAcknowledgedMin = 100;
// Smaller campaigns need not have met the rare paths.
inline constexpr uint64_t kCoverageSeeds = 1000;

// What a campaign has run by now, over all its calls.
struct Totals {
  uint64_t next = 0;  // the first seed that was not run
  uint64_t seeds = 0;
  uint64_t thin = 0;  // passed, with fewer than kAcknowledgedMin acknowledged writes
  uint64_t four_regions = 0;
  uint64_t three_kinds = 0;  // of fault
  uint64_t acknowledged = 0;
  uint64_t lost = 0;
  uint64_t events = 0;
  // Seeds that failed, known for it or not.
  std::set<uint64_t> failed;
  // Seeds that each path was met in.
  std::array<uint64_t, kPathCount> paths{};
  // Programs that ran them, by the hash of their file.
  std::set<std::string> builds;

  friend bool operator==(const Totals&, const Totals&) = default;
};

struct Verdict {
  bool good = false;
  std::vector<std::string> lines;
};

// `known` are the seeds that are known to fail: they do not make the campaign fail, and there is no
// claim that nothing fails while one of them does.
Verdict Judge(const Totals& totals, const std::function<bool(uint64_t)>& known);

// A line a number, so that a later version with more paths can go on. What can not be read is left
// out; false if there is no campaign in it.
std::string FormatTotals(const Totals& totals);
bool ParseTotals(const std::string& text, Totals& totals);

}  // namespace homeport::sim
