#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/engine/rocksdb/testing/fault_file_system.h"
#include "tests/contract/engine_bed.h"

namespace homeport {
namespace {

class RocksdbEngineBed final : public EngineBed {
 public:
  RocksdbEngineBed()
      : files_(std::make_shared<FaultFileSystem>(rocksdb::FileSystem::Default())),
        env_(rocksdb::NewCompositeEnv(files_)) {
    std::string pattern = ::testing::TempDir() + "engine-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~RocksdbEngineBed() override { std::filesystem::remove_all(root_); }

  absl::StatusOr<std::unique_ptr<KvEngine>> Open() override { return OpenAt(root_ + "/data"); }
  void PowerCut(std::unique_ptr<KvEngine> engine) override {
    files_->CutPower();
    engine.reset();
    files_->DropUnsynced();
  }
  void FailNextSync() override { files_->FailNextLogSync(); }
  void FillDisk() override { files_->SetFull(true); }
  void FreeDisk() override { files_->SetFull(false); }
  std::string CheckpointDirectory() override { return root_ + "/checkpoint"; }
  absl::StatusOr<std::unique_ptr<KvEngine>> OpenCheckpoint() override {
    return OpenAt(CheckpointDirectory());
  }

 private:
  absl::StatusOr<std::unique_ptr<KvEngine>> OpenAt(const std::string& path) {
    RocksdbOptions options;
    options.path = path;
    options.env = env_.get();
    return OpenRocksdbEngine(options);
  }

  const std::shared_ptr<FaultFileSystem> files_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::string root_;
};

}  // namespace

std::unique_ptr<EngineBed> MakeRocksdbEngineBed() { return std::make_unique<RocksdbEngineBed>(); }

}  // namespace homeport
