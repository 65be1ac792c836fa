// Whether a replica's disk takes writes: it may be full for a while, or have failed for good.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace homeport {

// Thread-safe.
class DiskGate {
 public:
  // `path` is where the data is, for messages. Writes need `reserve_bytes` of free disk.
  DiskGate(std::string path, uint64_t reserve_bytes)
      : path_(std::move(path)), reserve_bytes_(reserve_bytes) {}

  // OK; or why nothing is written: RESOURCE_EXHAUSTED (DISK_FULL), or what Fail() was told.
  absl::Status State() const;
  // Looks at the free bytes of the disk; nullopt: the engine has no disk that could be full.
  void Check(std::optional<uint64_t> free_bytes);
  // The storage failed: nothing is taken any more, until a restart. Of several the first counts.
  void Fail(const absl::Status& why);
  // It failed because the disk was full, and by the last Check() there is room again: opening the
  // data again would make it good.
  bool MayBeReopened() const;
  // The storage's error as clients get it: with the path and a reason, if it has none yet.
  absl::Status Explain(const absl::Status& status) const;

 private:
  const std::string path_;
  const uint64_t reserve_bytes_;
  mutable absl::Mutex mutex_;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool room_ ABSL_GUARDED_BY(mutex_) = false;  // after a failure: as of the last Check()
  absl::Status state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
