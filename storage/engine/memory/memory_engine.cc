#include "storage/engine/memory/memory_engine.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr absl::string_view kPath = "memory";

absl::Status WriteError(absl::StatusCode code, absl::string_view problem) {
  return MakeError(
      code,
      code == absl::StatusCode::kResourceExhausted ? reason::kDiskFull : reason::kStorageFailed,
      absl::StrCat(kPath, ": ", problem), {{"path", std::string(kPath)}});
}

}  // namespace

class MemoryEngine::PinnedSnapshot final : public KvSnapshot {
 public:
  explicit PinnedSnapshot(MemoryDisk* disk) : disk_(disk) {
    absl::MutexLock lock(&disk_->mutex_);
    version_ = disk_->tables_.Pin();
  }
  ~PinnedSnapshot() override {
    absl::MutexLock lock(&disk_->mutex_);
    disk_->tables_.Unpin(version_);
  }
  uint64_t version() const { return version_; }

 private:
  MemoryDisk* const disk_;
  uint64_t version_;
};

class MemoryEngine::Iterator final : public KvIterator {
 public:
  // Pins the present when `snapshot` is null; else reads the snapshot's version, for which a second
  // pin lets the iterator outlive the snapshot.
  Iterator(MemoryDisk* disk, Table table, absl::string_view end, const PinnedSnapshot* snapshot)
      : disk_(disk), table_(table), end_(end) {
    absl::MutexLock lock(&disk_->mutex_);
    version_ =
        snapshot == nullptr ? disk_->tables_.Pin() : disk_->tables_.PinAgain(snapshot->version());
  }
  ~Iterator() override {
    absl::MutexLock lock(&disk_->mutex_);
    disk_->tables_.Unpin(version_);
  }

  void Seek(absl::string_view key) override { Move(key, /*after=*/false); }
  void Next() override { Move(key_, /*after=*/true); }
  bool Valid() const override { return valid_; }
  absl::string_view key() const override { return key_; }
  absl::string_view value() const override { return value_; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  void Move(absl::string_view key, bool after) {
    absl::MutexLock lock(&disk_->mutex_);
    auto entry = disk_->tables_.Find(table_, key, after, end_, version_);
    valid_ = entry.has_value();
    if (!valid_) return;
    key_.assign(entry->key.data(), entry->key.size());
    value_.assign(entry->value.data(), entry->value.size());
  }

  MemoryDisk* const disk_;
  const Table table_;
  const std::string end_;
  uint64_t version_;
  bool valid_ = false;
  std::string key_;
  std::string value_;
};

absl::StatusOr<std::unique_ptr<KvEngine>> MemoryEngine::Open(std::shared_ptr<MemoryDisk> disk) {
  {
    absl::MutexLock lock(&disk->mutex_);
    if (disk->open_) return absl::FailedPreconditionError("memory: in use by another engine");
    disk->open_ = true;
  }
  return absl::WrapUnique<KvEngine>(new MemoryEngine(std::move(disk)));
}

MemoryEngine::~MemoryEngine() {
  absl::MutexLock lock(&disk_->mutex_);
  if (kept_) disk_->ApplyUnsynced(*kept_);
  disk_->open_ = false;
}

uint64_t MemoryEngine::VersionOf(const KvSnapshot* snapshot) const {
  return snapshot == nullptr ? disk_->tables_.version()
                             : static_cast<const PinnedSnapshot*>(snapshot)->version();
}

absl::StatusOr<std::optional<std::string>> MemoryEngine::Get(Table table, absl::string_view key,
                                                             const KvSnapshot* snapshot) {
  absl::MutexLock lock(&disk_->mutex_);
  const std::string* value = disk_->tables_.Get(table, key, VersionOf(snapshot));
  return value == nullptr ? std::nullopt : std::optional<std::string>(*value);
}

absl::StatusOr<std::vector<std::optional<std::string>>> MemoryEngine::MultiGet(
    Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot) {
  absl::MutexLock lock(&disk_->mutex_);
  std::vector<std::optional<std::string>> values(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string* value = disk_->tables_.Get(table, keys[i], VersionOf(snapshot));
    if (value != nullptr) values[i] = *value;
  }
  return values;
}

absl::Status MemoryEngine::Write(const WriteBatch& batch, Durability durability) {
  absl::MutexLock lock(&disk_->mutex_);
  if (!failed_.ok()) return failed_;
  if (disk_->fault_) {
    const MemoryDisk::Fault fault = *std::exchange(disk_->fault_, std::nullopt);
    if (fault.fate == MemoryDisk::Fate::kKept) kept_ = batch;
    return failed_ = WriteError(fault.code, "write failed");
  }
  if (disk_->capacity_ && disk_->tables_.bytes() + batch.bytes() > *disk_->capacity_) {
    return failed_ = WriteError(absl::StatusCode::kResourceExhausted, "the disk is full");
  }
  if (durability == Durability::kSynced) {
    disk_->tables_.Apply(batch, nullptr);
    disk_->unsynced_.clear();
  } else {
    disk_->ApplyUnsynced(batch);
  }
  return absl::OkStatus();
}

std::unique_ptr<KvSnapshot> MemoryEngine::Snapshot() {
  return std::make_unique<PinnedSnapshot>(disk_.get());
}

std::unique_ptr<KvIterator> MemoryEngine::Iterate(Table table, absl::string_view end,
                                                  const KvSnapshot* snapshot) {
  return std::make_unique<Iterator>(disk_.get(), table, end,
                                    static_cast<const PinnedSnapshot*>(snapshot));
}

absl::Status MemoryEngine::Checkpoint(const std::string& directory) {
  absl::MutexLock lock(&disk_->mutex_);
  if (disk_->checkpoints_.contains(directory)) {
    return absl::AlreadyExistsError(absl::StrCat(directory, ": exists"));
  }
  auto copy = std::make_shared<MemoryDisk>();
  WriteBatch all;
  for (int i = 0; i < kTableCount; ++i) {
    const Table table = static_cast<Table>(i);
    const uint64_t version = disk_->tables_.version();
    auto entry = disk_->tables_.Find(table, "", /*after=*/false, "", version);
    for (; entry; entry = disk_->tables_.Find(table, entry->key, /*after=*/true, "", version)) {
      all.Put(table, std::string(entry->key), std::string(entry->value));
    }
  }
  {
    absl::MutexLock copy_lock(&copy->mutex_);
    copy->tables_.Apply(all, nullptr);
  }
  disk_->checkpoints_.emplace(directory, std::move(copy));
  return absl::OkStatus();
}

uint64_t MemoryEngine::DiskBytes() const {
  absl::MutexLock lock(&disk_->mutex_);
  return disk_->tables_.bytes();
}

std::optional<uint64_t> MemoryEngine::DiskFreeBytes() const {
  absl::MutexLock lock(&disk_->mutex_);
  if (!disk_->capacity_) return std::nullopt;
  const uint64_t used = disk_->tables_.bytes();
  return used < *disk_->capacity_ ? *disk_->capacity_ - used : 0;
}

}  // namespace homeport
