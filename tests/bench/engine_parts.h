// A replica's core on an engine of its own, without links and servers around it: what the disk and
// the core can take.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport::bench {

struct CoreLoad {
  // New databases are made there.
  std::string folder;
  int entries = 100'000;
  size_t value_bytes = 100;
};

// Entries a second that a core takes in from a peer, in batches as large as a commit takes, each
// synced.
absl::StatusOr<double> RunFollowerCore(const CoreLoad& load);

// What the digests cost of a write.
struct DigestCost {
  // CPU time of a write in a core that keeps digests, commits of `group` writes.
  absl::Duration write;
  // CPU time of the same changes of stored items with digests, and without.
  absl::Duration with;
  absl::Duration without;
};
absl::StatusOr<DigestCost> RunDigestCost(const CoreLoad& load, int group);

// Items a second that are read from one engine and written to another, in batches of 1 MiB, synced.
absl::StatusOr<double> RunItemCopy(const CoreLoad& load);

}  // namespace homeport::bench
