// The topology file: whatever it says, it is sound or has problems that are named.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "common/topology/topology.h"
#include "common/topology/yaml/topology_loader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const homeport::TopologyText text =
      homeport::ParseTopology(absl::string_view(reinterpret_cast<const char*>(data), size));
  for (const homeport::FileProblem& problem : text.problems) {
    if (problem.line < 1 || problem.what.empty()) abort();
  }
  if (!text.problems.empty()) return 0;
  // What has no problems can be put in force.
  if (!homeport::Topology::Create(text.topology).ok()) abort();
  return 0;
}
