// The commands of `homeport`, each a function of its arguments that returns the exit code.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace homeport {

using Arguments = std::vector<std::string>;

struct Command {
  const char* name;  // one word, or two ("config check")
  const char* summary;
  int (*run)(const Arguments& arguments);
};

int RunGet(const Arguments& arguments);
int RunPut(const Arguments& arguments);
int RunAdd(const Arguments& arguments);
int RunSet(const Arguments& arguments);
int RunDelete(const Arguments& arguments);
int RunList(const Arguments& arguments);
int RunLocate(const Arguments& arguments);
int RunExplain(const Arguments& arguments);
int RunRegionJoin(const Arguments& arguments);
int RunRegionLeave(const Arguments& arguments);
int RunStatus(const Arguments& arguments);
int RunConflictsList(const Arguments& arguments);
int RunConflictsShow(const Arguments& arguments);
int RunConflictsRestore(const Arguments& arguments);
int RunConfigCheck(const Arguments& arguments);
int RunDemoCommand(const Arguments& arguments);

// Runs the command that `arguments` (without the program's name) begin with. No arguments, "help"
// and "--help" print the list, "help COMMAND" that command's help. An unknown command is a usage
// error that names the nearest one.
int RunCommandLine(absl::Span<const Command> commands, const Arguments& arguments);

// The list of commands, the exit codes and the variables of the environment.
std::string CommandsHelp(absl::Span<const Command> commands);

}  // namespace homeport
