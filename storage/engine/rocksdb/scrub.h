// Reads the tables of a store again and again, so that damage in what nobody reads is found while
// peers still have the same.
//
// A pass reads every table that the store has when its turn comes, in random order, so that a
// process that is often started anew comes to all of them too, and has every checksum in them
// verified: of blocks, indexes, filters and properties. It goes through a file system of its own,
// which paces the reads and ends them when the scrub is stopped; the thread has idle priority at
// the disk where its scheduler knows such. The cache of blocks is not touched. What the kernel
// still has of a file in memory is not read from the disk: a pass looks at what is cold.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace rocksdb {
class DB;
}  // namespace rocksdb

namespace homeport {

struct ScrubOptions {
  // A pass begins so long after the one before it began, or when that one ends, if that is later.
  absl::Duration pass_interval = absl::Hours(24);
  // A pass reads as fast as is needed to be through in half of the interval, within these.
  uint64_t bytes_per_second_min = 4 << 20;
  uint64_t bytes_per_second_max = 64 << 20;
  // Called for each table that is damaged or missing, with DATA_LOSS that names it, by the scrub's
  // thread.
  std::function<void(const absl::Status&)> on_damage;
};

struct ScrubStatus {
  uint64_t passes = 0;  // that looked at every table
  uint64_t tables = 0;  // found whole
  uint64_t tables_damaged = 0;
  uint64_t tables_unread = 0;  // the disk gave another error; they are tried again by the next pass
  uint64_t bytes = 0;          // read
  // Since the last whole pass ended; nullopt: there was none.
  std::optional<absl::Duration> age;
};

// Thread-safe.
class Scrub {
 public:
  explicit Scrub(ScrubOptions options);
  ~Scrub();

  // Once. `db` is there until Stop() has returned; `path` is told in errors.
  void Start(rocksdb::DB* db, const std::string& path);
  // Ends what is under way at once. Idempotent; not to be called from `on_damage`.
  void Stop();

  ScrubStatus status() const;
  // Waits until so many passes are whole, or Stop() is called: false.
  bool AwaitPasses(uint64_t passes) const;

 private:
  class FileSystem;
  class File;

  void Loop(rocksdb::DB* db, const std::string& path);
  // False: stopped.
  bool Pass(rocksdb::DB* db, const std::string& path);
  // False: stopped. Waits until `bytes` more may be read.
  bool Take(uint64_t bytes);

  const ScrubOptions options_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  ScrubStatus status_ ABSL_GUARDED_BY(mutex_);  // but its age
  int64_t last_pass_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_per_second_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the next read may begin, by the monotonic clock.
  int64_t next_read_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace homeport
