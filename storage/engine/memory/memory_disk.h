// A disk in memory, with the faults of a real one, for tests and simulations.
//
// It outlives the engine on it. Closing the engine is the death of the process: the disk keeps
// everything, as the page cache does. CrashLosingUnsynced() is the power cut: batches written after
// the last synced one are lost from the end, as many as the caller says. Everything is
// deterministic; nothing is random unless the caller's choices are.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/engine/kv_engine.h"
#include "storage/engine/memory/versioned_tables.h"

namespace homeport {

// Thread-safe.
class MemoryDisk {
 public:
  // What a failed write leaves for the next opening.
  enum class Fate {
    kLost,  // nothing
    kKept,  // all of it, unsynced: a failed sync whose bytes had reached the page cache
  };

  MemoryDisk() = default;
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // The next write fails with `code`, which must not be kOk; RESOURCE_EXHAUSTED has reason
  // DISK_FULL, others STORAGE_FAILED.
  void FailNextWrite(absl::StatusCode code, Fate fate);
  // A write that could take the disk over this many bytes fails with RESOURCE_EXHAUSTED. nullopt,
  // the start: no limit, and free bytes are unknown.
  void SetCapacity(std::optional<uint64_t> bytes);

  // How many batches a power cut could lose now.
  size_t UnsyncedBatches() const;
  // The power cut: keeps the oldest `keep` unsynced batches, which become synced, and loses the
  // others. The engine must be closed.
  void CrashLosingUnsynced(size_t keep = 0);

  // The disk that Checkpoint(`directory`) wrote, as often as asked; null if there is none.
  std::shared_ptr<MemoryDisk> CheckpointAt(const std::string& directory) const;

 private:
  friend class MemoryEngine;

  using Undos = std::vector<VersionedTables::Undo>;
  struct Fault {
    absl::StatusCode code;
    Fate fate;
  };

  void ApplyUnsynced(const WriteBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  VersionedTables tables_ ABSL_GUARDED_BY(mutex_);
  std::vector<Undos> unsynced_ ABSL_GUARDED_BY(mutex_);  // one a batch, oldest first
  std::optional<Fault> fault_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> capacity_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<MemoryDisk>> checkpoints_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
