// A YAML tree as a message, field by field as the schema says.
//
// - Keys are field names. Unknown and repeated ones are problems, with a suggestion where a name is
//   near.
// - Enum values are written in lower case without the prefix that all values share ("any_region").
// - google.protobuf.Duration is text with units ("150ms", "1m30s").
// - Integer fields whose name ends in `_bytes` may have a unit ("256KiB"; KiB, MiB, GiB, TiB).
// - Numbers and truths must not be quoted; texts may be.
// - A key without a value is a problem: it is either forgotten or to be left out.
//
// All of it is driven by the schema's reflection, so a new field needs no code. Map fields and
// groups are not supported and stop the process.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/topology/yaml/file_problem.h"
#include "common/topology/yaml/yaml_tree.h"
#include "google/protobuf/message.h"

namespace homeport {

// Values that a document may have once its aliases are written out.
inline constexpr int kExpandedNodesMax = 400'000;

// What became of the tree.
struct YamlConversion {
  std::vector<FileProblem> problems;
  // The line of every field and list item that the file has, by path.
  absl::flat_hash_map<std::string, int> lines;
  // Paths whose value was not understood, or was probably given under a misspelt name; their fields
  // are absent from the message. Items of lists are always there, so that indexes stay right.
  absl::flat_hash_set<std::string> not_understood;
};

// Fills `message`, which must be empty. Pure.
YamlConversion YamlToProto(const YamlNode& root, google::protobuf::Message& message);

}  // namespace homeport
