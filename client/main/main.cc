// The `homeport` program.
#include <string>
#include <vector>

#include "client/command/commands.h"
#include "client/command/serve.h"

int main(int argc, char** argv) {
  static constexpr homeport::Command kCommands[] = {
      {"serve", "serves one region", homeport::RunServe},
      {"config check", "checks a topology file", homeport::RunConfigCheck},
      {"get", "reads an item", homeport::RunGet},
      {"put", "writes an item", homeport::RunPut},
      {"delete", "deletes an item", homeport::RunDelete},
      {"list", "lists records, or a record's items", homeport::RunList},
      {"locate", "says where an address is", homeport::RunLocate},
      {"explain", "says where a request would go, and why", homeport::RunExplain},
      {"status", "shows regions, links and lag", homeport::RunStatus},
  };
  return homeport::RunCommandLine(kCommands, std::vector<std::string>(argv + 1, argv + argc));
}
