#include "storage/engine/rocksdb/rocksdb_engine.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/listener.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/checkpoint.h"
#include "rocksdb/write_batch.h"
#include "rocksdb/write_buffer_manager.h"
#include "storage/engine/rocksdb/data_directory.h"
#include "storage/engine/rocksdb/manifest_extent.h"
#include "storage/engine/rocksdb/rocksdb_log.h"
#include "storage/engine/rocksdb/rocksdb_status.h"

namespace homeport {
namespace {

// Part of the format on disk, in the order of Table. RocksDB insists on "default".
constexpr std::array<const char*, kTableCount> kFamilies = {
    "default", "items", "log", "requests", "expiry", "digests", "journal"};

constexpr uint64_t kWalBytesMax = 256 << 20;
constexpr double kBloomBitsPerKey = 10;
constexpr size_t kItemBlockBytes = 4 << 10;
constexpr size_t kLogBlockBytes = 32 << 10;

rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }
absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// RocksDB's own recovery from a full disk goes on with the log file whose append failed, which its
// own assertions forbid: with them the process ends, without them the log has a hole in its middle.
// A compaction that met a full disk needs no recovery: it is tried again.
class NeverRecoversByItself final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

rocksdb::DBOptions DatabaseOptions(const RocksdbOptions& options) {
  rocksdb::DBOptions db;
  if (options.env != nullptr) db.env = options.env;
  db.create_if_missing = options.create;
  // A store of an earlier version has fewer tables. One that is not there is not made by this.
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // A log that was complete and is shorter, or gone, is damage too.
  db.track_and_verify_wals_in_manifest = true;
  db.max_bgerror_resume_count = 0;
  db.listeners.push_back(std::make_shared<NeverRecoversByItself>());
  db.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);
  db.max_total_wal_size = kWalBytesMax;
  db.max_open_files = options.open_files_max;
  db.max_background_jobs = 2;
  db.bytes_per_sync =
      1 << 20;  // spreads the writing of big files, so that syncs of the log are short
  db.avoid_unnecessary_blocking_io = true;
  db.info_log = std::make_shared<RocksdbLog>(options.path);
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

rocksdb::ColumnFamilyOptions FamilyOptions(Table table, const RocksdbOptions& options,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_cache = cache;
  blocks.cache_index_and_filter_blocks = true;
  blocks.cache_index_and_filter_blocks_with_high_priority = true;
  blocks.pin_l0_filter_and_index_blocks_in_cache = true;
  blocks.format_version = 5;
  // The log is read in order and never by a key that may be absent: big blocks and no filter.
  if (table == Table::kLog) {
    blocks.block_size = kLogBlockBytes;
  } else {
    blocks.block_size = kItemBlockBytes;
    blocks.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
    blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  }
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  family.write_buffer_size = options.write_buffer_bytes / kTableCount;
  family.compression = rocksdb::kLZ4Compression;
  family.bottommost_compression = rocksdb::kZSTD;
  family.level_compaction_dynamic_level_bytes = true;
  return family;
}

bool IsLockedByAnother(const rocksdb::Status& status) {
  // RocksDB has no code for it: the first for this process, the second for another.
  const std::string text = status.ToString();
  return status.IsIOError() && (absl::StrContains(text, "lock hold by current process") ||
                                absl::StrContains(text, "While lock file"));
}

// At an opening RocksDB calls a table damaged whose size the disk did not tell, for whatever
// reason.
bool IsDiskThatDoesNotAnswer(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return status.IsCorruption() && absl::StrContains(text, "Can't access ") &&
         absl::StrContains(text, "IO error: ") &&
         !absl::StrContains(text, "No such file or directory");
}

class RocksdbSnapshot final : public KvSnapshot {
 public:
  explicit RocksdbSnapshot(rocksdb::DB* db) : db_(db), snapshot_(db->GetSnapshot()) {}
  ~RocksdbSnapshot() override { db_->ReleaseSnapshot(snapshot_); }
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB* const db_;
  const rocksdb::Snapshot* const snapshot_;
};

rocksdb::ReadOptions ReadOptionsFor(const KvSnapshot* snapshot) {
  rocksdb::ReadOptions options;
  if (snapshot != nullptr) options.snapshot = static_cast<const RocksdbSnapshot*>(snapshot)->get();
  return options;
}

class RocksdbIterator final : public KvIterator {
 public:
  RocksdbIterator(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family, absl::string_view end,
                  const KvSnapshot* snapshot, const std::string& path)
      : path_(path), end_(end), end_slice_(end_) {
    rocksdb::ReadOptions options = ReadOptionsFor(snapshot);
    options.total_order_seek = true;
    if (!end_.empty()) options.iterate_upper_bound = &end_slice_;  // RocksDB keeps the pointer
    iterator_.reset(db->NewIterator(options, family));
  }

  void Seek(absl::string_view key) override { iterator_->Seek(ToSlice(key)); }
  void Next() override { iterator_->Next(); }
  bool Valid() const override { return iterator_->Valid(); }
  absl::string_view key() const override { return ToView(iterator_->key()); }
  absl::string_view value() const override { return ToView(iterator_->value()); }
  absl::Status status() const override { return FromRocksdb(iterator_->status(), path_); }

 private:
  const std::string path_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksdbEngine final : public KvEngine {
 public:
  RocksdbEngine(const RocksdbOptions& options, std::unique_ptr<rocksdb::DB> db,
                std::vector<rocksdb::ColumnFamilyHandle*> families)
      : path_(options.path),
        ballast_bytes_(BallastBytes(options)),
        db_(std::move(db)),
        families_(std::move(families)),
        scrub_(options.scrub) {
    if (scrub_ != nullptr) scrub_->Start(db_.get(), path_);
  }
  ~RocksdbEngine() override {
    if (scrub_ != nullptr) scrub_->Stop();
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    }
    db_->Close().PermitUncheckedError();  // all that was promised is in the write-ahead log
  }

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key,
                                                 const KvSnapshot* snapshot) override {
    rocksdb::PinnableSlice value;
    const rocksdb::Status status =
        db_->Get(ReadOptionsFor(snapshot), Family(table), ToSlice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return FromRocksdb(status, path_);
    return std::make_optional<std::string>(value.data(), value.size());
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Table table, absl::Span<const std::string> keys, const KvSnapshot* snapshot) override {
    std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> found(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    std::vector<std::optional<std::string>> values(keys.size());
    if (keys.empty()) return values;
    // One call reads one sequence number, so that the answers are of one state.
    db_->MultiGet(ReadOptionsFor(snapshot), Family(table), keys.size(), slices.data(), found.data(),
                  statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        values[i].emplace(found[i].data(), found[i].size());
      } else if (!statuses[i].IsNotFound()) {
        return FromRocksdb(statuses[i], path_);
      }
    }
    return values;
  }

  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    if (!failed_.ok()) return failed_;
    rocksdb::WriteBatch changes(batch.bytes());
    for (const WriteBatch::Operation& operation : batch.operations()) {
      const rocksdb::Status added = Add(operation, &changes);
      if (!added.ok()) return failed_ = FromRocksdb(added, path_);
    }
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    return failed_ = FromRocksdb(db_->Write(options, &changes), path_);
  }

  std::unique_ptr<KvSnapshot> Snapshot() override {
    return std::make_unique<RocksdbSnapshot>(db_.get());
  }

  std::unique_ptr<KvIterator> Iterate(Table table, absl::string_view end,
                                      const KvSnapshot* snapshot) override {
    return std::make_unique<RocksdbIterator>(db_.get(), Family(table), end, snapshot, path_);
  }

  absl::Status Checkpoint(const std::string& directory) override {
    if (db_->GetEnv()->FileExists(directory).ok()) {
      return absl::AlreadyExistsError(absl::StrCat(directory, ": exists"));
    }
    rocksdb::Checkpoint* made = nullptr;
    rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (status.ok()) status = checkpoint->CreateCheckpoint(directory);
    return FromRocksdb(status, directory);
  }

  uint64_t DiskBytes() const override {
    uint64_t files = 0;
    uint64_t buffered = 0;  // as much again is in the write-ahead log
    db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &files);
    db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &buffered);
    return files + buffered;
  }

  std::optional<uint64_t> DiskFreeBytes() const override {
    // What a start on a full disk gave up is set aside again before anybody hears that there is
    // room.
    RestoreBallast(path_, ballast_bytes_);
    uint64_t free = 0;
    const rocksdb::IOStatus status =
        db_->GetFileSystem()->GetFreeSpace(path_, rocksdb::IOOptions(), &free, nullptr);
    return status.ok() ? std::optional<uint64_t>(free) : std::nullopt;
  }

 private:
  rocksdb::ColumnFamilyHandle* Family(Table table) const {
    return families_[static_cast<size_t>(table)];
  }

  rocksdb::Status Add(const WriteBatch::Operation& operation, rocksdb::WriteBatch* changes) const {
    rocksdb::ColumnFamilyHandle* family = Family(operation.table);
    switch (operation.kind) {
      case WriteBatch::Operation::Kind::kPut:
        return changes->Put(family, operation.key, operation.value);
      case WriteBatch::Operation::Kind::kDelete:
        return changes->Delete(family, operation.key);
      case WriteBatch::Operation::Kind::kDeleteRange:
        if (operation.value <= operation.key) return rocksdb::Status::OK();
        return changes->DeleteRange(family, operation.key, operation.value);
    }
    return rocksdb::Status::NotSupported("operation");
  }

  const std::string path_;
  const uint64_t ballast_bytes_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by Table
  const std::shared_ptr<Scrub> scrub_;
  absl::Status failed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KvEngine>> OpenRocksdbEngine(const RocksdbOptions& options) {
  if (absl::Status status = PrepareDataDirectory(options.path, options.create); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckStoreIsWhole(options.path); !status.ok()) return status;
  rocksdb::Env* const env = options.env == nullptr ? rocksdb::Env::Default() : options.env;
  if (absl::Status status = CheckManifestExtent(env, options.path); !status.ok()) return status;
  ReleaseBallastIfFull(options.path, BallastBytes(options));
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.cache_bytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (int i = 0; i < kTableCount; ++i) {
    families.emplace_back(kFamilies[static_cast<size_t>(i)],
                          FamilyOptions(static_cast<Table>(i), options, cache));
  }
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DBOptions database = DatabaseOptions(options);
  const auto extent = std::make_shared<KeepsManifestExtent>();
  database.listeners.push_back(extent);
  const rocksdb::Status status =
      rocksdb::DB::Open(database, options.path, families, &handles, &opened);
  if (IsLockedByAnother(status)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, reason::kStorageFailed,
                     absl::StrCat(options.path, ": in use by another process"),
                     {{"path", options.path}});
  }
  if (status.IsInvalidArgument() && !options.create) {
    return MakeError(absl::StatusCode::kNotFound, reason::kStorageFailed,
                     absl::StrCat(options.path, ": no store is here: ", status.ToString()),
                     {{"path", options.path}});
  }
  if (status.IsPathNotFound()) {
    return MakeError(absl::StatusCode::kDataLoss, reason::kStorageFailed,
                     absl::StrCat(options.path, ": stored data are damaged: a file is missing: ",
                                  status.ToString()),
                     {{"path", options.path}});
  }
  if (IsDiskThatDoesNotAnswer(status)) {
    return FromRocksdb(rocksdb::Status::IOError(status.ToString()), options.path);
  }
  if (!status.ok()) return FromRocksdb(status, options.path);
  extent->Keep(opened);
  std::unique_ptr<KvEngine> engine =
      std::make_unique<RocksdbEngine>(options, absl::WrapUnique(opened), std::move(handles));
  RestoreBallast(options.path, BallastBytes(options));
  return engine;
}

}  // namespace homeport
