// A YAML document as a tree that remembers its lines.
//
// The library's own tree keeps the first of two equal keys and says nothing, and copies what an
// alias stands for; this one keeps every entry of a map, and aliases share their node.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/topology/yaml/file_problem.h"

namespace homeport {

// Immutable once parsed. Nodes of aliases are shared; there are no cycles.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 1;         // where it begins, from 1
  std::string text;     // of a scalar
  bool quoted = false;  // a scalar that is text, whatever it looks like
  std::vector<std::shared_ptr<const YamlNode>> items;  // of a list
  // Of a map, in the file's order, duplicates too.
  std::vector<std::pair<std::shared_ptr<const YamlNode>, std::shared_ptr<const YamlNode>>> entries;
};

// Nodes that a document may have, and how deep they may nest.
inline constexpr int kYamlNodesMax = 400'000;
inline constexpr int kYamlDepthMax = 32;

// The tree, or why there is none.
struct YamlDocument {
  std::shared_ptr<const YamlNode> root;  // null if and only if there are problems
  std::vector<FileProblem> problems;
};

// Parses exactly one document. Syntax errors, tags, aliases to what encloses them, and sizes over
// the limits are problems. Pure.
YamlDocument ParseYaml(absl::string_view text);

}  // namespace homeport
