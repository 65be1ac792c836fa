// An engine whose reads and writes fail when they are told to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine/kv_engine.h"
#include "storage/engine/memory/memory_disk.h"

namespace homeport::sim {

// What is to fail next, of one disk; outlives the engines on it.
struct FaultPlan {
  // Writes, and reads, that still succeed; negative: all.
  int64_t writes_left = -1;
  int64_t reads_left = -1;
  MemoryDisk::Fate fate = MemoryDisk::Fate::kLost;
  uint64_t writes_failed = 0;
  uint64_t reads_failed = 0;
};

// A change of an item, or a conflict that was journaled, as it is on the disk now.
struct Written {
  Table table;
  std::string key;
  // Empty: there was none, or there is none any more.
  std::string before;
  std::string after;
};

// Passes everything on to `engine`, which it owns. Thread-compatible.
class FaultEngine final : public KvEngine {
 public:
  FaultEngine(std::unique_ptr<KvEngine> engine, std::shared_ptr<MemoryDisk> disk, FaultPlan* plan)
      : engine_(std::move(engine)), disk_(std::move(disk)), plan_(plan) {}

  // From now on Write() tells of every change of an item, and of every conflict; otherwise only of
  // items that are removed.
  void WatchItems() { watch_items_ = true; }
  // What was written since the last call, in order.
  std::vector<Written> TakeWritten() { return std::exchange(written_, {}); }

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key,
                                                 const KvSnapshot* snapshot) override {
    if (FailRead()) return ReadError();
    return engine_->Get(table, key, snapshot);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot) override {
    if (FailRead()) return ReadError();
    return engine_->MultiGet(table, keys, snapshot);
  }
  absl::Status Write(const WriteBatch& batch, Durability durability) override;
  std::unique_ptr<KvSnapshot> Snapshot() override { return engine_->Snapshot(); }
  std::unique_ptr<KvIterator> Iterate(Table table, absl::string_view end,
                                      const KvSnapshot* snapshot) override;
  absl::Status Checkpoint(const std::string& directory) override {
    return engine_->Checkpoint(directory);
  }
  uint64_t DiskBytes() const override { return engine_->DiskBytes(); }
  std::optional<uint64_t> DiskFreeBytes() const override { return engine_->DiskFreeBytes(); }

 private:
  class FailedIterator;
  bool FailRead();
  // What the batch, which is not written yet, is going to change.
  std::vector<Written> ChangesOf(const WriteBatch& batch);
  static absl::Status ReadError() { return absl::UnavailableError("sim: read failed"); }

  std::unique_ptr<KvEngine> engine_;
  std::shared_ptr<MemoryDisk> disk_;
  FaultPlan* plan_;
  bool watch_items_ = false;
  std::vector<Written> written_;
};

}  // namespace homeport::sim
