#include <stdio.h>

#include "client/command/client_flags.h"
#include "client/command/commands.h"
#include "common/topology/yaml/topology_loader.h"
#include "nlohmann/json.hpp"

namespace homeport {

int RunConfigCheck(const Arguments& arguments) {
  Flags flags(
      "config check", "Checks a topology file and names every problem: file:line: path: what.",
      {"homeport config check topology.yaml", "homeport config check topology.yaml --json"});
  std::string file;
  bool json = false;
  flags.Argument("FILE", &file, /*required=*/true, "The topology file");
  flags.Switch("--json", &json, "Print the problems as JSON");
  if (auto code = flags.ParseOrExit(arguments)) return *code;

  auto text = ReadTopologyFile(file);
  if (!text.ok()) {
    Fail(text.status(), CallKind::kRead);
    return kExitRefused;
  }
  const bool sound = text->problems.empty();
  if (json) {
    nlohmann::json problems = nlohmann::json::array();
    for (const FileProblem& problem : text->problems) {
      problems.push_back({{"line", problem.line}, {"path", problem.path}, {"what", problem.what}});
    }
    const nlohmann::json report = {{"file", file}, {"sound", sound}, {"problems", problems}};
    // A file that is not UTF-8 shall not make the report unreadable.
    printf("%s\n", report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else if (sound) {
    printf("%s: sound: %d regions, %d namespaces\n", file.c_str(), text->topology.regions_size(),
           text->topology.namespaces_size());
  } else {
    for (const FileProblem& problem : text->problems) {
      fprintf(stderr, "%s\n", ToString(file, problem).c_str());
    }
    fprintf(stderr, "%zu problem%s\n", text->problems.size(),
            text->problems.size() == 1 ? "" : "s");
  }
  return sound ? kExitOk : kExitRefused;
}

}  // namespace homeport
