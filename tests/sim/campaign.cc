#include "tests/sim/campaign.h"

#include <sys/resource.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/sim/judge.h"
#include "tests/sim/open_seeds.h"
#include "tests/sim/run.h"
#include "tests/sim/shrink.h"
#include "tests/sim/workers.h"

namespace homeport::sim {
namespace {

// By the build: a sanitizer, or no optimization, takes five to twenty times as long.
constexpr uint64_t kSeedsByDefault = HOMEPORT_SIM_SEEDS;
constexpr unsigned kSecondsMax = 120;
// Seeds between two states on the disk: what an interruption costs.
constexpr uint64_t kBlock = 500;

void Add(const SeedReport& report, Totals& totals) {
  ++totals.seeds;
  if (report.failed) totals.failed.insert(report.seed);
  totals.thin += !report.failed && report.acknowledged < kAcknowledgedMin ? 1 : 0;
  totals.four_regions += report.regions >= 4 ? 1 : 0;
  totals.three_kinds += report.fault_kinds >= 3 ? 1 : 0;
  totals.acknowledged += static_cast<uint64_t>(report.acknowledged);
  totals.lost += static_cast<uint64_t>(report.writes_lost);
  totals.events += report.events;
  for (int i = 0; i < kPathCount; ++i) totals.paths[i] += report.coverage.hits[i] > 0 ? 1 : 0;
}

std::string ReadFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool Save(const std::string& file, const Totals& totals) {
  if (file.empty()) return true;
  const std::string fresh = file + ".new";
  {
    std::ofstream out(fresh);
    out << FormatTotals(totals) << std::flush;
    if (!out) return false;
  }
  return std::rename(fresh.c_str(), file.c_str()) == 0;
}

// Seeds of different builds are different proofs.
std::string BuildOfThisProgram() {
  const std::string program = ReadFile("/proc/self/exe");
  return absl::StrCat(absl::Hex(XXH3_64bits(program.data(), program.size()), absl::kZeroPad16));
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
  if (!options.state_file.empty() && ParseTotals(ReadFile(options.state_file), totals)) {
    std::printf("going on at seed %llu, after %llu\n", static_cast<unsigned long long>(totals.next),
                static_cast<unsigned long long>(totals.seeds));
  } else {
    totals.next = options.first;
  }
  totals.builds.insert(BuildOfThisProgram());
  uint64_t seeds = options.seeds;
  const char* wanted = std::getenv("HOMEPORT_SEEDS");
  if (seeds == 0 && (wanted == nullptr || !absl::SimpleAtoi(wanted, &seeds))) {
    seeds = kSeedsByDefault;
  }
  const uint64_t first = totals.next;
  const uint64_t end = first + seeds;
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
          Add(report, totals);
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
                        static_cast<unsigned long long>(totals.failed.size()),
                        static_cast<double>(done) / absl::ToDoubleSeconds(now - began));
            std::fflush(stdout);
          }
          return true;
        });
    totals.next += block;
    if (!Save(options.state_file, totals)) {
      std::printf("FAILED: the state can not be written to %s\n", options.state_file.c_str());
      return 1;
    }
  }
  const double took = absl::ToDoubleSeconds(absl::Now() - began);
  std::printf("%llu seeds in %.0f s: %.0f a second in %d processes, %.0f a second of a core\n",
              static_cast<unsigned long long>(done), took, static_cast<double>(done) / took,
              options.jobs, static_cast<double>(done) / (CoreSeconds() - seconds_before));
  const Verdict verdict = Judge(totals, IsOpen);
  for (const std::string& line : verdict.lines) std::puts(line.c_str());
  for (const uint64_t seed : kOpenSeeds) {
    if (seed < first || seed >= end || totals.failed.count(seed) > 0) continue;
    std::printf("seed %llu passes, and is among the open ones\n",
                static_cast<unsigned long long>(seed));
  }
  return verdict.good ? 0 : 1;
}

}  // namespace homeport::sim
