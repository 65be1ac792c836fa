#include "common/topology/yaml/topology_loader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/store/utf8.h"
#include "common/topology/topology.h"
#include "common/topology/yaml/yaml_to_proto.h"
#include "common/topology/yaml/yaml_tree.h"

namespace homeport {
namespace {

// Problems of one file that an error's message shows; the rest is counted.
constexpr size_t kProblemsShownMax = 100;

// The path without its last step: "a[1].b" -> "a[1]" -> "a" -> "".
absl::string_view Parent(absl::string_view path) {
  const size_t at = path.find_last_of(".[");
  return at == absl::string_view::npos ? absl::string_view() : path.substr(0, at);
}

// The line of the path, or of the nearest thing around it that the file has.
int LineOf(const YamlConversion& conversion, absl::string_view path, int root_line) {
  for (; !path.empty(); path = Parent(path)) {
    const auto it = conversion.lines.find(path);
    if (it != conversion.lines.end()) return it->second;
  }
  return root_line;
}

// True if what is said of the path only follows from a problem that is already reported.
bool Follows(const YamlConversion& conversion, absl::string_view path) {
  for (; !path.empty(); path = Parent(path)) {
    if (conversion.not_understood.contains(path)) return true;
  }
  return false;
}

int FirstInvalidLine(absl::string_view text) {
  int line = 1;
  while (!text.empty()) {
    const absl::string_view first = text.substr(0, text.find('\n'));
    if (!IsValidUtf8(first) || first.size() == text.size()) break;
    text.remove_prefix(first.size() + 1);
    ++line;
  }
  return line;
}

absl::Status FileError(absl::StatusCode code, absl::string_view reason, const std::string& path,
                       absl::string_view what) {
  return MakeError(code, reason, absl::StrCat(path, ": ", what), {{"field", path}});
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    return FileError(error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable,
                     reason::kFieldInvalid, path, std::strerror(error));
  }
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return FileError(absl::StatusCode::kInvalidArgument, reason::kFieldInvalid, path,
                     "is not a regular file");
  }
  std::string text;
  std::string buffer(64 * 1024, '\0');
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return FileError(absl::StatusCode::kUnavailable, reason::kFieldInvalid, path,
                       std::strerror(errno));
    }
    if (count == 0) return text;
    text.append(buffer, 0, static_cast<size_t>(count));
    if (text.size() > kTopologyFileBytesMax) {
      return LimitError(path, kTopologyFileBytesMax,
                        std::max<uint64_t>(text.size(), static_cast<uint64_t>(info.st_size)),
                        "bytes");
    }
  }
}

void ResolveDatabases(const std::string& file, internal::v1::Topology& topology) {
  const size_t slash = file.rfind('/');
  if (slash == std::string::npos) return;  // the folder is the working directory
  for (auto& database : *topology.mutable_geo()->mutable_databases()) {
    if (database.path().empty() || absl::StartsWith(database.path(), "/")) continue;
    database.set_path(absl::StrCat(file.substr(0, slash + 1), database.path()));
  }
}

}  // namespace

TopologyText ParseTopology(absl::string_view text) {
  TopologyText result;
  if (!IsValidUtf8(text)) {
    result.problems.push_back({FirstInvalidLine(text), "", "is not UTF-8"});
    return result;
  }
  YamlDocument document = ParseYaml(text);
  if (document.root == nullptr) {
    result.problems = std::move(document.problems);
    return result;
  }
  YamlConversion conversion = YamlToProto(*document.root, result.topology);
  result.problems = std::move(conversion.problems);
  // An item that was not converted at all would make every later statement wrong.
  if (!conversion.not_understood.contains("")) {
    for (TopologyProblem& problem : ValidateTopology(result.topology)) {
      if (Follows(conversion, problem.path)) continue;
      const int line = LineOf(conversion, problem.path, document.root->line);
      result.problems.push_back({line, std::move(problem.path), std::move(problem.what)});
    }
  }
  std::stable_sort(result.problems.begin(), result.problems.end(),
                   [](const FileProblem& a, const FileProblem& b) { return a.line < b.line; });
  return result;
}

absl::StatusOr<TopologyText> ReadTopologyFile(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  TopologyText result = ParseTopology(*text);
  if (result.topology.has_geo()) ResolveDatabases(path, result.topology);
  return result;
}

absl::StatusOr<internal::v1::Topology> LoadTopologyFile(const std::string& path) {
  auto result = ReadTopologyFile(path);
  if (!result.ok()) return result.status();
  if (result->problems.empty()) return std::move(result->topology);
  std::string message;
  for (size_t i = 0; i < std::min(result->problems.size(), kProblemsShownMax); ++i) {
    absl::StrAppend(&message, i > 0 ? "\n" : "", ToString(path, result->problems[i]));
  }
  if (result->problems.size() > kProblemsShownMax) {
    absl::StrAppend(&message, "\nand ", result->problems.size() - kProblemsShownMax, " more");
  }
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kFieldInvalid, message,
                   {{"field", result->problems[0].path}});
}

std::string ToString(const std::string& file, const FileProblem& problem) {
  return absl::StrCat(file, ":", problem.line, ": ", problem.path, problem.path.empty() ? "" : ": ",
                      problem.what);
}

}  // namespace homeport
