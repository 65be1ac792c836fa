#include "storage/engine/memory/memory_disk.h"

#include <cstdlib>
#include <utility>

namespace homeport {

void MemoryDisk::FailNextWrite(absl::StatusCode code, Fate fate) {
  absl::MutexLock lock(&mutex_);
  fault_ = Fault{code, fate};
}

void MemoryDisk::SetCapacity(std::optional<uint64_t> bytes) {
  absl::MutexLock lock(&mutex_);
  capacity_ = bytes;
}

size_t MemoryDisk::UnsyncedBatches() const {
  absl::MutexLock lock(&mutex_);
  return unsynced_.size();
}

void MemoryDisk::CrashLosingUnsynced(size_t keep) {
  absl::MutexLock lock(&mutex_);
  if (open_) std::abort();  // an engine would go on with state that the disk has lost
  while (unsynced_.size() > keep) {
    tables_.TakeBack(std::move(unsynced_.back()));
    unsynced_.pop_back();
  }
  unsynced_.clear();
}

std::shared_ptr<MemoryDisk> MemoryDisk::CheckpointAt(const std::string& directory) const {
  absl::MutexLock lock(&mutex_);
  auto it = checkpoints_.find(directory);
  return it == checkpoints_.end() ? nullptr : it->second;
}

void MemoryDisk::ApplyUnsynced(const WriteBatch& batch) {
  Undos undos;
  tables_.Apply(batch, &undos);
  unsynced_.push_back(std::move(undos));
}

}  // namespace homeport
