#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/bench/mesh_bytes.h"
#include "tests/bench/scenario_parts.h"

namespace homeport::bench {
namespace {

absl::Status AddCount(const std::string& name, const MeshLoad& load, std::optional<Mark> mark,
                      Report& report) {
  auto bytes = CountMeshBytes(load);
  if (!bytes.ok()) return bytes.status();
  report.AddRatio(absl::StrCat("counted bytes a copy, ", name), {bytes->total()}, mark, 1);
  const std::pair<const char*, double> parts[] = {
      {"record id and value", bytes->content},  {"the rest of entries", bytes->entries},
      {"frames around batches", bytes->frames}, {"acknowledgements", bytes->acknowledgements},
      {"heartbeats", bytes->heartbeats},        {"comparisons", bytes->comparisons}};
  for (const auto& [part, each] : parts) {
    report.AddFigure(absl::StrCat("counted, ", name, ": ", part), {each}, "bytes", 1);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureLinkCount(const BenchOptions& options, Report& report) {
  constexpr Mark kMark{Mark::Kind::kAtMost, 160};
  MeshLoad load;
  load.value_bytes = kValueBytes;
  load.seconds = options.rounds > 2 ? 10 : 2;
  for (const int writes : {1, 2, 3, 5, 10, 20, 50}) {
    load.writes_per_commit = writes;
    if (auto status = AddCount(absl::StrCat(writes, " to a commit"), load, kMark, report);
        !status.ok()) {
      return status;
    }
  }
  load.writes_per_commit = 10;
  MeshLoad other = load;
  other.reads_elsewhere = true;
  if (auto status = AddCount("10, each after a read of another region's last write", other,
                             std::nullopt, report);
      !status.ok()) {
    return status;
  }
  other.request_ids = true;
  if (auto status = AddCount("10, the same with request ids", other, std::nullopt, report);
      !status.ok()) {
    return status;
  }
  other.frame_version = 1;
  return AddCount("10, the same in frames of version 1", other, std::nullopt, report);
}

}  // namespace homeport::bench
