#include "storage/engine/rocksdb/scrub.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/metadata.h"
#include "rocksdb/options.h"
#include "rocksdb/sst_file_reader.h"
#include "rocksdb/table.h"
#include "storage/engine/rocksdb/rocksdb_status.h"

namespace homeport {
namespace {

// Of the whole interval, what a pass may take: the rest is for a store that grows meanwhile.
constexpr double kPassShare = 0.5;

int64_t SteadyNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Of this thread; a disk scheduler without priorities does as before.
void BeIdleAtTheDisk() {
  constexpr int kWhoIsThread = 1;      // IOPRIO_WHO_PROCESS, of which 0 is the caller
  constexpr int kIdleClass = 3 << 13;  // IOPRIO_CLASS_IDLE
  (void)syscall(SYS_ioprio_set, kWhoIsThread, 0, kIdleClass);
}

std::vector<rocksdb::LiveFileMetaData> Tables(rocksdb::DB* db) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  db->GetLiveFilesMetaData(&tables);
  return tables;
}

bool IsStillThere(rocksdb::DB* db, const std::string& name) {
  const auto tables = Tables(db);
  return std::any_of(tables.begin(), tables.end(),
                     [&name](const auto& table) { return table.name == name; });
}

bool IsMissing(const rocksdb::Status& status) {
  return status.IsNotFound() || status.IsPathNotFound();
}

}  // namespace

class Scrub::File final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSRandomAccessFile> file, Scrub* scrub)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), scrub_(scrub) {}

  rocksdb::IOStatus Read(uint64_t offset, size_t size, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    if (!scrub_->Take(size)) return rocksdb::IOStatus::Aborted("stopped");
    return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
  }
  rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count,
                              const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    for (size_t i = 0; i < count; ++i) {
      if (!scrub_->Take(requests[i].len)) return rocksdb::IOStatus::Aborted("stopped");
    }
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
  }
  // Read() brings all that is wanted, at its pace.
  rocksdb::IOStatus Prefetch(uint64_t /*offset*/, size_t /*size*/,
                             const rocksdb::IOOptions& /*options*/,
                             rocksdb::IODebugContext* /*debug*/) override {
    return rocksdb::IOStatus::NotSupported("paced");
  }

 private:
  Scrub* const scrub_;
};

class Scrub::FileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FileSystem(const std::shared_ptr<rocksdb::FileSystem>& target, Scrub* scrub)
      : FileSystemWrapper(target), scrub_(scrub) {}

  const char* Name() const override { return "ScrubFileSystem"; }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSRandomAccessFile> opened;
    rocksdb::IOStatus status =
        FileSystemWrapper::NewRandomAccessFile(name, options, &opened, debug);
    if (status.ok()) *file = std::make_unique<File>(std::move(opened), scrub_);
    return status;
  }

 private:
  Scrub* const scrub_;
};

Scrub::Scrub(ScrubOptions options) : options_(std::move(options)) {}

Scrub::~Scrub() { Stop(); }

void Scrub::Start(rocksdb::DB* db, const std::string& path) {
  thread_ = std::thread([this, db, path] { Loop(db, path); });
}

void Scrub::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

ScrubStatus Scrub::status() const {
  absl::MutexLock lock(&mutex_);
  ScrubStatus status = status_;
  if (status.passes > 0) status.age = absl::Nanoseconds(SteadyNanos() - last_pass_nanos_);
  return status;
}

bool Scrub::AwaitPasses(uint64_t passes) const {
  absl::MutexLock lock(&mutex_);
  auto over = [this, passes]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || status_.passes >= passes;
  };
  mutex_.Await(absl::Condition(&over));
  return status_.passes >= passes;
}

void Scrub::Loop(rocksdb::DB* db, const std::string& path) {
  BeIdleAtTheDisk();
  while (true) {
    const int64_t next = SteadyNanos() + absl::ToInt64Nanoseconds(options_.pass_interval);
    if (!Pass(db, path)) return;
    absl::MutexLock lock(&mutex_);
    const absl::Duration rest = absl::Nanoseconds(std::max<int64_t>(0, next - SteadyNanos()));
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), rest)) return;
  }
}

bool Scrub::Pass(rocksdb::DB* db, const std::string& path) {
  std::vector<rocksdb::LiveFileMetaData> tables = Tables(db);
  std::shuffle(tables.begin(), tables.end(), std::mt19937_64(std::random_device()()));
  uint64_t bytes = 0;
  for (const auto& table : tables) bytes += table.size;
  const double seconds = std::max(1.0, kPassShare * absl::ToDoubleSeconds(options_.pass_interval));
  {
    absl::MutexLock lock(&mutex_);
    bytes_per_second_ = std::clamp(static_cast<uint64_t>(static_cast<double>(bytes) / seconds),
                                   options_.bytes_per_second_min, options_.bytes_per_second_max);
  }
  const auto env =
      rocksdb::NewCompositeEnv(std::make_shared<FileSystem>(db->GetEnv()->GetFileSystem(), this));
  rocksdb::Options options;
  options.env = env.get();
  rocksdb::BlockBasedTableOptions blocks;
  blocks.no_block_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  bool all = true;
  for (const auto& table : tables) {
    rocksdb::SstFileReader reader(options);
    rocksdb::Status found = reader.Open(table.db_path + table.name);
    if (found.ok()) found = reader.VerifyChecksum(rocksdb::ReadOptions());
    // What a compaction has replaced in the meantime may be gone.
    const bool counts = found.ok() || IsStillThere(db, table.name);
    absl::Status damage;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return false;
      if (!counts) continue;
      if (found.ok()) {
        ++status_.tables;
      } else if (found.IsCorruption() || IsMissing(found)) {
        ++status_.tables_damaged;
        damage = MakeError(absl::StatusCode::kDataLoss, reason::kStorageFailed,
                           absl::StrCat(path, ": stored data are damaged: table ", table.name, ": ",
                                        found.ToString()),
                           {{"path", path}});
      } else {
        ++status_.tables_unread;
        all = false;
      }
    }
    if (!damage.ok() && options_.on_damage != nullptr) options_.on_damage(damage);
  }
  absl::MutexLock lock(&mutex_);
  if (all) {
    ++status_.passes;
    last_pass_nanos_ = SteadyNanos();
  }
  return !stopping_;
}

bool Scrub::Take(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  const int64_t now = SteadyNanos();
  const absl::Duration wait = absl::Nanoseconds(std::max<int64_t>(0, next_read_nanos_ - now));
  if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), wait)) return false;
  next_read_nanos_ =
      std::max(now, next_read_nanos_) +
      static_cast<int64_t>(static_cast<double>(bytes) * 1e9 /
                           static_cast<double>(std::max<uint64_t>(1, bytes_per_second_)));
  status_.bytes += bytes;
  return true;
}

}  // namespace homeport
