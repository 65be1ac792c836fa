// The engine over a MemoryDisk: what tests and simulations run on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/engine/kv_engine.h"
#include "storage/engine/memory/memory_disk.h"

namespace homeport {

// Behaves as KvEngine says, without threads, clocks or files of its own. A synced write also syncs
// all buffered ones before it. A checkpoint's directory is a name on the disk. Snapshots and
// iterators must be destroyed before the engine.
class MemoryEngine final : public KvEngine {
 public:
  // FAILED_PRECONDITION: an engine on this disk is open.
  static absl::StatusOr<std::unique_ptr<KvEngine>> Open(std::shared_ptr<MemoryDisk> disk);
  ~MemoryEngine() override;

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key,
                                                 const KvSnapshot* snapshot) override;
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot) override;
  absl::Status Write(const WriteBatch& batch, Durability durability) override;
  std::unique_ptr<KvSnapshot> Snapshot() override;
  std::unique_ptr<KvIterator> Iterate(Table table, absl::string_view end,
                                      const KvSnapshot* snapshot) override;
  // ALREADY_EXISTS: the disk has a checkpoint of that name.
  absl::Status Checkpoint(const std::string& directory) override;
  uint64_t DiskBytes() const override;
  std::optional<uint64_t> DiskFreeBytes() const override;

 private:
  class PinnedSnapshot;
  class Iterator;

  explicit MemoryEngine(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}
  uint64_t VersionOf(const KvSnapshot* snapshot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(disk_->mutex_);

  const std::shared_ptr<MemoryDisk> disk_;
  absl::Status failed_ ABSL_GUARDED_BY(disk_->mutex_);
  // A failed batch whose fate is to be kept: on the disk, and seen only by the next opening.
  std::optional<WriteBatch> kept_ ABSL_GUARDED_BY(disk_->mutex_);
};

}  // namespace homeport
