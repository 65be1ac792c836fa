// Five replicas' cores with every link between them, in one thread and in memory: how many bytes
// their links carry, counted and not timed.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace homeport::bench {

struct MeshLoad {
  // Every region writes so often, each value of so many random bytes to one of so many records.
  double writes_per_second = 1000;
  size_t value_bytes = 100;
  int records = 100'000;
  // Writes that share a commit, and so a message to each peer.
  int writes_per_commit = 1;
  // Simulated, after as much that is not counted.
  double seconds = 5;
  // True: before each write its session has read what another region wrote last.
  bool reads_elsewhere = false;
  // With a request id of 128 bits, as clients make them.
  bool request_ids = false;
  uint32_t frame_version = 0;  // 0: the one that is used
};

// For each copy of a write, both directions of a link.
struct MeshBytes {
  double content = 0;  // record ids and values
  double entries = 0;  // what else packed entries take, request ids included
  double frames = 0;   // around batches: fields of the message, gRPC, HTTP/2
  double acknowledgements = 0;
  double heartbeats = 0;
  double comparisons = 0;
  double total() const {
    return content + entries + frames + acknowledgements + heartbeats + comparisons;
  }
};

// Not counted: what HTTP/2 says to govern its flow, and TCP's and IP's headers.
absl::StatusOr<MeshBytes> CountMeshBytes(const MeshLoad& load);

}  // namespace homeport::bench
