#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "tests/contract/engine_bed.h"

namespace homeport {
namespace {

class MemoryEngineBed final : public EngineBed {
 public:
  absl::StatusOr<std::unique_ptr<KvEngine>> Open() override { return MemoryEngine::Open(disk_); }
  void PowerCut(std::unique_ptr<KvEngine> engine) override {
    engine.reset();
    disk_->CrashLosingUnsynced();
  }
  void FailNextSync() override {
    disk_->FailNextWrite(absl::StatusCode::kUnavailable, MemoryDisk::Fate::kKept);
  }
  void FillDisk() override { disk_->SetCapacity(0); }
  void FreeDisk() override { disk_->SetCapacity(std::nullopt); }
  std::string CheckpointDirectory() override { return "checkpoint"; }
  absl::StatusOr<std::unique_ptr<KvEngine>> OpenCheckpoint() override {
    return MemoryEngine::Open(disk_->CheckpointAt("checkpoint"));
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

}  // namespace

std::unique_ptr<EngineBed> MakeMemoryEngineBed() { return std::make_unique<MemoryEngineBed>(); }

}  // namespace homeport
