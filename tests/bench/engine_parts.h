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

// CPU time, for each write, by the medians of commits of `group` writes; half of them are of
// records that were there before.
struct DigestCost {
  // A write in a core that keeps digests.
  absl::Duration write;
  // What of it is the digests: hashing the item before and after, adding up, storing the sums.
  absl::Duration digests;
};
absl::StatusOr<DigestCost> RunDigestCost(const CoreLoad& load, int group);

// Items a second that are read from one engine and written to another, in batches of 1 MiB, synced.
absl::StatusOr<double> RunItemCopy(const CoreLoad& load);

}  // namespace homeport::bench
