// RocksDB by itself: what a disk and an engine can take, without anything of ours around them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport::bench {

struct EngineLoadOptions {
  // A new database is made there.
  std::string folder;
  int threads = 1;
  size_t value_bytes = 100;
  absl::Duration warm_up = absl::Milliseconds(300);
  absl::Duration duration = absl::Seconds(2);
};

// Puts a second, each synced, from `threads` threads that each wait for their own; RocksDB groups
// those that wait at the same time into one sync.
absl::StatusOr<double> RunEngineLoad(const EngineLoadOptions& options);

}  // namespace homeport::bench
