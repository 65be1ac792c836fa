#include "tests/sim/mutants.h"

#include <cstdio>
#include <map>
#include <vector>

#include "common/base/mutants.h"
#include "tests/sim/killers.h"
#include "tests/sim/workers.h"

#ifndef HOMEPORT_MUTANTS
#error "the simulator is built from libraries with mutants"
#endif

namespace homeport::sim {
namespace {

struct Named {
  Mutant mutant;
  const char* name;
  const char* what;
};

constexpr Named kNamed[] = {
#define HOMEPORT_MUTANT_NAMED(name, what) {Mutant::name, #name, what},
    HOMEPORT_MUTANT_LIST(HOMEPORT_MUTANT_NAMED)
#undef HOMEPORT_MUTANT_NAMED
};

constexpr unsigned kSecondsMax = 20;

std::vector<uint64_t> KillersOf(absl::string_view name) {
  std::vector<uint64_t> seeds;
  for (const Killer& killer : kKillers) {
    if (name == killer.mutant) seeds.push_back(killer.seed);
  }
  return seeds;
}

// A seed that fails by itself kills nothing.
bool PassesWithout(uint64_t seed, int jobs) {
  bool passes = false;
  RunSeeds(
      seed, 1, jobs, kSecondsMax, [] { chosen_mutant = Mutant::kNone; },
      [&passes](const SeedReport& report) {
        passes = !report.failed;
        return true;
      });
  return passes;
}

}  // namespace

bool ChooseMutant(absl::string_view name) {
  for (const Named& named : kNamed) {
    if (name != named.name) continue;
    chosen_mutant = named.mutant;
    return true;
  }
  return false;
}

int RunMutants(int jobs) {
  int killed = 0;
  int alive = 0;
  std::map<uint64_t, bool> passes;
  for (const Named& named : kNamed) {
    const std::vector<uint64_t> seeds = KillersOf(named.name);
    if (seeds.empty()) {
      std::printf("%-28s no seed is kept: %s\n", named.name, named.what);
      continue;
    }
    bool dead = false;
    for (const uint64_t seed : seeds) {
      auto known = passes.find(seed);
      if (known == passes.end()) known = passes.emplace(seed, PassesWithout(seed, jobs)).first;
      if (!known->second) {
        std::printf("%-28s seed %llu fails without it, and kills nothing\n", named.name,
                    static_cast<unsigned long long>(seed));
        continue;
      }
      RunSeeds(
          seed, 1, jobs, kSecondsMax, [&named] { chosen_mutant = named.mutant; },
          [&](const SeedReport& report) {
            if (!report.failed) return true;
            dead = true;
            std::printf("%-28s killed by seed %llu: %s\n", named.name,
                        static_cast<unsigned long long>(seed), report.failure);
            return true;
          });
      if (dead) break;
    }
    if (!dead) std::printf("%-28s ALIVE: %s\n", named.name, named.what);
    std::fflush(stdout);
    ++(dead ? killed : alive);
  }
  std::printf("%d mutants killed, %d alive\n", killed, alive);
  return alive == 0 ? 0 : 1;
}

int FindKillers(uint64_t seeds, int jobs) {
  constexpr int kKept = 3;
  const Mutant only = chosen_mutant;
  for (const Named& named : kNamed) {
    if (only != Mutant::kNone && named.mutant != only) continue;
    int found = 0;
    RunSeeds(
        1, seeds, jobs, kSecondsMax, [&named] { chosen_mutant = named.mutant; },
        [&](const SeedReport& report) {
          if (!report.failed || !PassesWithout(report.seed, 1)) return true;
          std::printf("    {\"%s\", %llu},  // %s\n", named.name,
                      static_cast<unsigned long long>(report.seed), report.failure);
          return ++found < kKept;
        });
    if (found == 0) std::printf("    // alive or not planted: %s\n", named.name);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace homeport::sim
