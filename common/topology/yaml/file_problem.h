// One thing wrong with a configuration file.
#pragma once

#include <string>

namespace homeport {

// `line` counts from 1. `path` names the field, as in "regions[2].country"; empty: the whole file.
struct FileProblem {
  int line = 1;
  std::string path;
  std::string what;
  friend bool operator==(const FileProblem&, const FileProblem&) = default;
};

}  // namespace homeport
