#include "storage/engine/damage/damage_watch.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace homeport {
namespace {

class WatchedIterator final : public KvIterator {
 public:
  WatchedIterator(std::unique_ptr<KvIterator> iterator, std::shared_ptr<DamageWatch> watch)
      : iterator_(std::move(iterator)), watch_(std::move(watch)) {}

  void Seek(absl::string_view key) override {
    iterator_->Seek(key);
    NoteEnd();
  }
  void Next() override {
    iterator_->Next();
    NoteEnd();
  }
  bool Valid() const override { return iterator_->Valid(); }
  absl::string_view key() const override { return iterator_->key(); }
  absl::string_view value() const override { return iterator_->value(); }
  absl::Status status() const override { return iterator_->status(); }

 private:
  // An iterator that met an error is not valid any more.
  void NoteEnd() {
    if (!iterator_->Valid()) watch_->Note(iterator_->status());
  }

  const std::unique_ptr<KvIterator> iterator_;
  const std::shared_ptr<DamageWatch> watch_;
};

class WatchedEngine final : public KvEngine {
 public:
  WatchedEngine(std::unique_ptr<KvEngine> engine, std::shared_ptr<DamageWatch> watch)
      : engine_(std::move(engine)), watch_(std::move(watch)) {}

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key,
                                                 const KvSnapshot* snapshot) override {
    auto value = engine_->Get(table, key, snapshot);
    if (!value.ok()) watch_->Note(value.status());
    return value;
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot) override {
    auto values = engine_->MultiGet(table, keys, snapshot);
    if (!values.ok()) watch_->Note(values.status());
    return values;
  }
  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    absl::Status status = engine_->Write(batch, durability);
    if (!status.ok()) watch_->Note(status);
    return status;
  }
  std::unique_ptr<KvSnapshot> Snapshot() override { return engine_->Snapshot(); }
  std::unique_ptr<KvIterator> Iterate(Table table, absl::string_view end,
                                      const KvSnapshot* snapshot) override {
    return std::make_unique<WatchedIterator>(engine_->Iterate(table, end, snapshot), watch_);
  }
  absl::Status Checkpoint(const std::string& directory) override {
    return engine_->Checkpoint(directory);
  }
  uint64_t DiskBytes() const override { return engine_->DiskBytes(); }
  std::optional<uint64_t> DiskFreeBytes() const override { return engine_->DiskFreeBytes(); }

 private:
  const std::unique_ptr<KvEngine> engine_;
  const std::shared_ptr<DamageWatch> watch_;
};

}  // namespace

void DamageWatch::Note(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kDataLoss) return;
  absl::MutexLock lock(&mutex_);
  if (damage_.ok()) damage_ = status;
}

absl::Status DamageWatch::damage() const {
  absl::MutexLock lock(&mutex_);
  return damage_;
}

std::unique_ptr<KvEngine> WatchForDamage(std::unique_ptr<KvEngine> engine,
                                         std::shared_ptr<DamageWatch> watch) {
  return std::make_unique<WatchedEngine>(std::move(engine), std::move(watch));
}

}  // namespace homeport
