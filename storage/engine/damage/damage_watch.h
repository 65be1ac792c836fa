// Remembers that a store was found damaged while it was in use.
#pragma once

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

// Thread-safe.
class DamageWatch {
 public:
  // Keeps the first DATA_LOSS; any other status says nothing of damage.
  void Note(const absl::Status& status);
  // OK, or what was met first.
  absl::Status damage() const;

 private:
  mutable absl::Mutex mutex_;
  absl::Status damage_ ABSL_GUARDED_BY(mutex_);
};

// The same engine, whose every read, walk and write that meets damage is noted. Only what the
// engine itself says of its bytes counts: a value that is whole and does not parse was written so,
// by a program of another version, and taking the store away would not help.
std::unique_ptr<KvEngine> WatchForDamage(std::unique_ptr<KvEngine> engine,
                                         std::shared_ptr<DamageWatch> watch);

}  // namespace homeport
