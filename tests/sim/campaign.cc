#include "tests/sim/campaign.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/sim/coverage.h"
#include "tests/sim/open_seeds.h"
#include "tests/sim/run.h"
#include "tests/sim/shrink.h"
#include "tests/sim/workers.h"

namespace homeport::sim {
namespace {

// What a campaign has to show for its seeds to count.
constexpr int kAcknowledgedMin = 100;
constexpr uint64_t kPathSeedsMin = 20;
// Of so many; smaller campaigns have to show as much in proportion.
constexpr uint64_t kWholeCampaign = 10'000;
// Below this many seeds rare paths need not have been met.
constexpr uint64_t kCoverageSeeds = 1000;
constexpr uint64_t kSeedsByDefault = 900;
constexpr unsigned kSecondsMax = 120;
// Seeds between two states on the disk.
constexpr uint64_t kBlock = 2000;

struct Totals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t open = 0;  // failed, and known to
  uint64_t thin = 0;  // seeds with too few acknowledged writes, which do not count
  uint64_t four_regions = 0;
  uint64_t three_kinds = 0;
  uint64_t acknowledged = 0;
  uint64_t lost = 0;
  uint64_t events = 0;
  uint64_t next = 0;
  std::array<uint64_t, kPathCount> paths{};

  void Add(const SeedReport& report) {
    ++seeds;
    failed += report.failed && !IsOpen(report.seed) ? 1 : 0;
    open += report.failed && IsOpen(report.seed) ? 1 : 0;
    thin += !report.failed && report.acknowledged < kAcknowledgedMin ? 1 : 0;
    four_regions += report.regions >= 4 ? 1 : 0;
    three_kinds += report.fault_kinds >= 3 ? 1 : 0;
    acknowledged += static_cast<uint64_t>(report.acknowledged);
    lost += static_cast<uint64_t>(report.writes_lost);
    events += report.events;
    for (int i = 0; i < kPathCount; ++i) paths[i] += report.coverage.hits[i] > 0 ? 1 : 0;
  }
};

// A line a number, so that a later version with more paths can go on.
bool Load(const std::string& file, Totals& totals) {
  std::ifstream in(file);
  std::string name;
  uint64_t value = 0;
  while (in >> name >> value) {
    if (name == "next") totals.next = value;
    if (name == "seeds") totals.seeds = value;
    if (name == "failed") totals.failed = value;
    if (name == "open") totals.open = value;
    if (name == "thin") totals.thin = value;
    if (name == "four_regions") totals.four_regions = value;
    if (name == "three_kinds") totals.three_kinds = value;
    if (name == "acknowledged") totals.acknowledged = value;
    if (name == "lost") totals.lost = value;
    if (name == "events") totals.events = value;
    for (int i = 0; i < kPathCount; ++i) {
      if (name == PathName(i)) totals.paths[i] = value;
    }
  }
  return totals.next != 0;
}

void Save(const std::string& file, const Totals& totals) {
  if (file.empty()) return;
  const std::string fresh = file + ".new";
  {
    std::ofstream out(fresh);
    out << "next " << totals.next << "\nseeds " << totals.seeds << "\nfailed " << totals.failed
        << "\nopen " << totals.open << "\nthin " << totals.thin << "\nfour_regions "
        << totals.four_regions << "\nthree_kinds " << totals.three_kinds << "\nacknowledged "
        << totals.acknowledged << "\nlost " << totals.lost << "\nevents " << totals.events << "\n";
    for (int i = 0; i < kPathCount; ++i) out << PathName(i) << " " << totals.paths[i] << "\n";
  }
  std::rename(fresh.c_str(), file.c_str());
}

// What the processes that have ended had of the cores. Other programs beside them change it less
// than the time on the clock.
double CoreSeconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool Judge(const Totals& totals) {
  const uint64_t counted = totals.seeds - totals.thin - totals.open;
  bool good = totals.failed == 0;
  std::printf("%llu seeds, %llu counted (%llu had fewer than %d acknowledged writes)\n",
              static_cast<unsigned long long>(totals.seeds),
              static_cast<unsigned long long>(counted),
              static_cast<unsigned long long>(totals.thin), kAcknowledgedMin);
  std::printf("%llu writes acknowledged; %llu went with the only disk that had them, all counted\n",
              static_cast<unsigned long long>(totals.acknowledged),
              static_cast<unsigned long long>(totals.lost));
  std::printf("four or more regions: %.0f %%; three or more kinds of fault: %.0f %%\n",
              100.0 * static_cast<double>(totals.four_regions) / static_cast<double>(totals.seeds),
              100.0 * static_cast<double>(totals.three_kinds) / static_cast<double>(totals.seeds));
  if (totals.seeds >= kCoverageSeeds) {
    if (totals.four_regions * 10 < totals.seeds * 3 || totals.three_kinds * 2 < totals.seeds) {
      std::puts("FAILED: the seeds are too easy");
      good = false;
    }
    const uint64_t wanted = std::max<uint64_t>(
        2, kPathSeedsMin * std::min(totals.seeds, kWholeCampaign) / kWholeCampaign);
    for (int i = 0; i < kPathCount; ++i) {
      if (totals.paths[i] >= wanted) continue;
      std::printf("FAILED: only %llu seeds met: %s (%s)\n",
                  static_cast<unsigned long long>(totals.paths[i]), PathText(i), PathName(i));
      good = false;
    }
  }
  if (totals.open > 0) {
    std::printf("OPEN: %llu seeds that are known to fail did\n",
                static_cast<unsigned long long>(totals.open));
  }
  if (totals.failed == 0) {
    std::printf("%llu, 0 failures: p < 3/%llu\n", static_cast<unsigned long long>(counted),
                static_cast<unsigned long long>(counted));
  } else {
    std::printf("FAILED: %llu seeds\n", static_cast<unsigned long long>(totals.failed));
  }
  return good;
}

}  // namespace

void ReportFailure(uint64_t seed, const std::string& failure) {
  const Shape shape = ShapeOf(seed);
  const std::vector<Fault> faults = FaultsOf(seed, shape);
  std::printf("seed %llu FAILED: %s\n  shape: %s\n", static_cast<unsigned long long>(seed),
              failure.c_str(), shape.Describe().c_str());
  const std::vector<bool> masked = Shrink(seed);
  std::printf("  it takes these of its %zu faults:\n", faults.size());
  for (size_t i = 0; i < faults.size(); ++i) {
    if (!masked[i]) std::printf("    %s\n", faults[i].Describe(shape).c_str());
  }
  std::fflush(stdout);
}

int RunCampaign(const CampaignOptions& options) {
  Totals totals;
  totals.next = options.first;
  if (!options.state_file.empty() && Load(options.state_file, totals)) {
    std::printf("going on at seed %llu, after %llu\n", static_cast<unsigned long long>(totals.next),
                static_cast<unsigned long long>(totals.seeds));
  }
  uint64_t seeds = options.seeds;
  const char* wanted = std::getenv("HOMEPORT_SEEDS");
  if (seeds == 0 && (wanted == nullptr || !absl::SimpleAtoi(wanted, &seeds))) {
    seeds = kSeedsByDefault;
  }
  const uint64_t end = totals.next + seeds;
  const absl::Time began = absl::Now();
  const double seconds_before = CoreSeconds();
  absl::Time told = began;
  uint64_t done = 0;
  constexpr int kReportsMax = 5;
  int reported = 0;
  while (totals.next < end) {
    const uint64_t block = std::min(kBlock, end - totals.next);
    RunSeeds(
        totals.next, block, options.jobs, kSecondsMax, [] {},
        [&](const SeedReport& report) {
          totals.Add(report);
          ++done;
          if (report.failed && IsOpen(report.seed)) {
            std::printf("seed %llu is open: %s\n", static_cast<unsigned long long>(report.seed),
                        report.failure);
          } else if (report.failed) {
            // To shrink its faults takes many runs.
            if (report.died || ++reported > kReportsMax) {
              std::printf("seed %llu FAILED: %s\n", static_cast<unsigned long long>(report.seed),
                          report.failure);
            } else {
              ReportFailure(report.seed, report.failure);
            }
          }
          const absl::Time now = absl::Now();
          if (now - told > absl::Seconds(10)) {
            told = now;
            std::printf("%llu of %llu seeds, %llu failed, %.0f a second\n",
                        static_cast<unsigned long long>(done),
                        static_cast<unsigned long long>(seeds),
                        static_cast<unsigned long long>(totals.failed),
                        static_cast<double>(done) / absl::ToDoubleSeconds(now - began));
            std::fflush(stdout);
          }
          return true;
        });
    totals.next += block;
    Save(options.state_file, totals);
  }
  const double took = absl::ToDoubleSeconds(absl::Now() - began);
  std::printf("%llu seeds in %.0f s: %.0f a second in %d processes, %.0f a second of a core\n",
              static_cast<unsigned long long>(done), took, static_cast<double>(done) / took,
              options.jobs, static_cast<double>(done) / (CoreSeconds() - seconds_before));
  return Judge(totals) ? 0 : 1;
}

}  // namespace homeport::sim
