// What the engine contract needs of an implementation: its engine, and the power to hurt its disk.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

class EngineBed {
 public:
  virtual ~EngineBed() = default;
  // Opens the engine on the same disk each time; the one before must be destroyed.
  virtual absl::StatusOr<std::unique_ptr<KvEngine>> Open() = 0;
  // The power goes while `engine` is open: the disk loses all that is not synced by now.
  virtual void PowerCut(std::unique_ptr<KvEngine> engine) = 0;
  // The next write fails as a failing sync does.
  virtual void FailNextSync() = 0;
  // Leaves no room for another write, and makes room again.
  virtual void FillDisk() = 0;
  virtual void FreeDisk() = 0;
  // A name for Checkpoint(), and the engine on what was written there.
  virtual std::string CheckpointDirectory() = 0;
  virtual absl::StatusOr<std::unique_ptr<KvEngine>> OpenCheckpoint() = 0;
};

std::unique_ptr<EngineBed> MakeMemoryEngineBed();
std::unique_ptr<EngineBed> MakeRocksdbEngineBed();

}  // namespace homeport
