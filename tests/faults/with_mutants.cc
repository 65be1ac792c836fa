// `homeport serve` with planted bugs, of which HOMEPORT_MUTANT chooses one by its name: what the
// checker has to find in a mesh of real processes (mutants_test.py). Never shipped.
#include <cstdio>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "client/command/commands.h"
#include "client/command/serve.h"
#include "common/base/mutants.h"

#ifndef HOMEPORT_MUTANTS
#error "this program is for mutants"
#endif

namespace {

constexpr homeport::Command kCommands[] = {{"serve", "Serves one region.", homeport::RunServe}};

struct Named {
  homeport::Mutant mutant;
  absl::string_view name;
};

constexpr Named kNamed[] = {{homeport::Mutant::kNone, "kNone"},
#define HOMEPORT_MUTANT_NAMED(name, what) {homeport::Mutant::name, #name},
                            HOMEPORT_MUTANT_LIST(HOMEPORT_MUTANT_NAMED)
#undef HOMEPORT_MUTANT_NAMED
};

// Before there are threads: they read it without a lock.
bool Choose(absl::string_view name) {
  for (const Named& named : kNamed) {
    if (name != named.name) continue;
    homeport::chosen_mutant = named.mutant;
    return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const name = std::getenv("HOMEPORT_MUTANT");
  if (name == nullptr || !Choose(name)) {
    std::fprintf(stderr, "HOMEPORT_MUTANT has to name a mutant of common/base/mutants.h\n");
    return 2;
  }
  return homeport::RunCommandLine(kCommands, homeport::Arguments(argv + 1, argv + argc));
}
