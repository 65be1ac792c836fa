// The topology file: YAML with the fields of topology.proto (docs/configuration.md).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/topology/yaml/file_problem.h"
#include "homeport/internal/v1/topology.pb.h"

namespace homeport {

// Bytes that a topology file may have.
inline constexpr size_t kTopologyFileBytesMax = 16 << 20;

// What a text says, and all that is wrong with it: syntax, unknown and repeated fields, types, and
// what ValidateTopology() finds, in the order of lines. Without problems `topology` is sound;
// with some it is whatever could be understood.
struct TopologyText {
  internal::v1::Topology topology;
  std::vector<FileProblem> problems;
};

// Pure. Paths of databases stay as they are written.
TopologyText ParseTopology(absl::string_view text);

// Reads a file. Paths of databases are resolved against its folder. NOT_FOUND if it is not there,
// UNAVAILABLE if it can not be read, INVALID_ARGUMENT (LIMIT_EXCEEDED) if it is too large and
// (FIELD_INVALID) if it is not a regular file, each naming the path. Problems of the content are in
// the result.
absl::StatusOr<TopologyText> ReadTopologyFile(const std::string& path);

// Reads a file that must be sound: INVALID_ARGUMENT (FIELD_INVALID) with all its problems
// otherwise, one a line, "file:line: path: what".
absl::StatusOr<internal::v1::Topology> LoadTopologyFile(const std::string& path);

// "file:line: path: what".
std::string ToString(const std::string& file, const FileProblem& problem);

}  // namespace homeport
