// The simulator: see README.md.
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/sim/campaign.h"
#include "tests/sim/mutants.h"
#include "tests/sim/run.h"
#include "tests/sim/shrink.h"

namespace homeport::sim {
namespace {

constexpr char kUsage[] =
    "homeport_sim --seed N [--trace]              one run, twice, compared\n"
    "homeport_sim --seeds N [--first M] [--jobs J] [--state FILE]\n"
    "                                             a campaign; with a state file it goes on\n"
    "homeport_sim --replay N                      seeds 1 to N, each twice, compared\n"
    "homeport_sim --mutants [--jobs J]            every planted bug against its kept seeds\n"
    "homeport_sim --find-killers N [--jobs J]     the first seeds up to N that kill each mutant,\n"
    "                                             or the one that --mutant names\n"
    "any with --mutant NAME                       with a planted bug\n";

int OneSeed(uint64_t seed, bool trace) {
  RunOptions options;
  options.seed = seed;
  if (trace) options.tell = [](const std::string& line) { std::puts(line.c_str()); };
  const RunResult result = RunSeed(options);
  if (!result.failure.empty()) {
    ReportFailure(seed, result.failure);
    return 1;
  }
  options.tell = nullptr;
  const RunResult again = RunSeed(options);
  std::printf("seed %llu: ok, %d writes acknowledged, %d reads, %llu events, hash %016llx\n",
              static_cast<unsigned long long>(seed), result.acknowledged, result.reads,
              static_cast<unsigned long long>(result.events),
              static_cast<unsigned long long>(result.hash));
  if (again.hash == result.hash) return 0;
  std::puts("FAILED: the second run of the seed was another one");
  return 1;
}

int Main(int argc, char** argv) {
  CampaignOptions campaign;
  uint64_t seed = 0;
  uint64_t killers = 0;
  uint64_t replays = 0;
  bool trace = false;
  bool mutants = false;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view flag = argv[i];
    const bool value = i + 1 < argc;
    if (flag == "--trace") {
      trace = true;
    } else if (flag == "--mutants") {
      mutants = true;
    } else if (flag == "--state" && value) {
      campaign.state_file = argv[++i];
    } else if (flag == "--mutant" && value) {
      if (!ChooseMutant(argv[++i])) {
        std::fprintf(stderr, "no mutant is called %s\n", argv[i]);
        return 2;
      }
    } else if (flag == "--seed" && value && absl::SimpleAtoi(argv[i + 1], &seed)) {
      ++i;
    } else if (flag == "--seeds" && value && absl::SimpleAtoi(argv[i + 1], &campaign.seeds)) {
      ++i;
    } else if (flag == "--first" && value && absl::SimpleAtoi(argv[i + 1], &campaign.first)) {
      ++i;
    } else if (flag == "--jobs" && value && absl::SimpleAtoi(argv[i + 1], &campaign.jobs)) {
      ++i;
    } else if (flag == "--replay" && value && absl::SimpleAtoi(argv[i + 1], &replays)) {
      ++i;
    } else if (flag == "--find-killers" && value && absl::SimpleAtoi(argv[i + 1], &killers)) {
      ++i;
    } else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  if (seed != 0) return OneSeed(seed, trace);
  for (uint64_t at = 1; at <= replays; ++at) {
    if (OneSeed(at, false) != 0) return 1;
  }
  if (replays != 0) return 0;
  if (mutants) return RunMutants(campaign.jobs);
  if (killers != 0) return FindKillers(killers, campaign.jobs);
  return RunCampaign(campaign);
}

}  // namespace
}  // namespace homeport::sim

int main(int argc, char** argv) {
  // One thread takes every lock, so there is no order of locks to be watched.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return homeport::sim::Main(argc, argv);
}
