// The `homeport` program.
#include "client/command/commands.h"
#include "client/command/serve.h"

namespace {

constexpr homeport::Command kCommands[] = {
    {"serve", "Serves one region.", homeport::RunServe},
    {"demo", "Shows five regions on this machine, cut, killed and healed.",
     homeport::RunDemoCommand},
    {"status", "Shows regions, links and lag.", homeport::RunStatus},
    {"get", "Reads an item.", homeport::RunGet},
    {"put", "Writes an item.", homeport::RunPut},
    {"add", "Adds to a counter.", homeport::RunAdd},
    {"set", "Adds elements to a set, or removes some.", homeport::RunSet},
    {"delete", "Deletes an item.", homeport::RunDelete},
    {"list", "Lists records, or a record's items.", homeport::RunList},
    {"locate", "Tells where an address is.", homeport::RunLocate},
    {"explain", "Tells where a request would go, and why.", homeport::RunExplain},
    {"conflicts list", "Lists writes that others overtook.", homeport::RunConflictsList},
    {"conflicts show", "Shows one of them, with its value.", homeport::RunConflictsShow},
    {"conflicts restore", "Writes its value anew.", homeport::RunConflictsRestore},
    {"region join", "Follows a new region until it serves.", homeport::RunRegionJoin},
    {"region leave", "Follows a leaving region until it can go.", homeport::RunRegionLeave},
    {"config check", "Checks a topology file.", homeport::RunConfigCheck},
};

}  // namespace

int main(int argc, char** argv) {
  return homeport::RunCommandLine(kCommands, homeport::Arguments(argv + 1, argv + argc));
}
