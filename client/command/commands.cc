#include "client/command/commands.h"

#include <stdio.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/command/exit_codes.h"
#include "common/topology/yaml/suggestion.h"

namespace homeport {
namespace {

// The command that the arguments begin with, and how many of them it took; null if there is none.
const Command* Find(absl::Span<const Command> commands, const Arguments& arguments, size_t* taken) {
  for (const Command& command : commands) {
    const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
    if (arguments.size() >= words.size() &&
        std::equal(words.begin(), words.end(), arguments.begin())) {
      *taken = words.size();
      return &command;
    }
  }
  return nullptr;
}

bool IsHelp(const std::string& word) { return word == "help" || word == "--help" || word == "-h"; }

int Unknown(absl::Span<const Command> commands, const Arguments& arguments) {
  std::vector<std::string> names;
  std::vector<std::string> below;
  for (const Command& command : commands) {
    names.emplace_back(command.name);
    const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
    if (words.size() > 1 && words[0] == arguments[0]) below.emplace_back(command.name);
  }
  if (!below.empty()) {
    fprintf(stderr, "homeport: '%s' needs a word more: %s\n", arguments[0].c_str(),
            absl::StrJoin(below, ", ").c_str());
    return kExitUsage;
  }
  const std::string nearest = NearestWord(arguments[0], names);
  fprintf(stderr, "homeport: no command is called '%s'%s\nTry 'homeport help'.\n",
          arguments[0].c_str(),
          nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?").c_str());
  return kExitUsage;
}

}  // namespace

std::string CommandsHelp(absl::Span<const Command> commands) {
  std::string help =
      "Homeport routes reads and writes to the nearest region and replicates between regions.\n\n"
      "Usage: homeport COMMAND [ARGUMENTS]\n\nCommands:\n";
  for (const Command& command : commands) {
    absl::StrAppendFormat(&help, "  %-17s %s\n", command.name, command.summary);
  }
  absl::StrAppend(&help, "\n'homeport help COMMAND' shows its flags and examples.\n\nExit codes:\n",
                  kExitCodesHelp,
                  "\nEnvironment:\n"
                  "  HOMEPORT_GATEWAY    the gateway to talk to (127.0.0.1:7011)\n"
                  "  HOMEPORT_NAMESPACE  the namespace (demo)\n"
                  "  HOMEPORT_TOKEN      a session token, in base64\n");
  return help;
}

int RunCommandLine(absl::Span<const Command> commands, const Arguments& arguments) {
  if (arguments.empty() || (arguments.size() == 1 && IsHelp(arguments[0]))) {
    fputs(CommandsHelp(commands).c_str(), stdout);
    return arguments.empty() ? kExitUsage : kExitOk;
  }
  Arguments wanted = arguments;
  const bool help = IsHelp(arguments[0]);
  if (help) wanted.erase(wanted.begin());
  size_t taken = 0;
  const Command* command = Find(commands, wanted, &taken);
  if (command == nullptr) return Unknown(commands, wanted);
  if (help) return command->run({"--help"});
  return command->run(Arguments(wanted.begin() + static_cast<ptrdiff_t>(taken), wanted.end()));
}

}  // namespace homeport
