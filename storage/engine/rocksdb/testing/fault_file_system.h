// A file system that forgets what was not synced, in this process: the power cut that kill -9 is
// not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/file_system.h"

namespace homeport {

// Remembers how much of each file written through it was synced, and whether its directory was
// synced after it was made. Renames, links and deletions count as durable at once: RocksDB syncs
// the directory after those that matter. With a rename goes what was made in its directory before,
// as file systems keep the order of what is done to one. Thread-safe.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target);

  // The moment of the cut: from here on nothing is changed or synced, everything fails. Call it
  // while the database is open, because closing in good order syncs.
  void CutPower();
  // Once no file is open for writing: cuts every file back to what was synced, removes those whose
  // directory never was, and gives power again.
  void DropUnsynced();
  // The next sync of a write-ahead log fails, without syncing.
  void FailNextLogSync();
  // The next append to a write-ahead log finds no space, though some is free, as when another file
  // was dropped a moment later.
  void FailNextLogAppend();
  // While full, nothing can be appended and no space is free.
  void SetFull(bool full);

  // How often somebody asked how much is free; RocksDB does when it recovers by itself.
  int free_space_questions();

  const char* Name() const override { return "FaultFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 uint64_t* free, rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Directory;

  struct Tracked {
    uint64_t written = 0;
    uint64_t synced = 0;
    bool in_directory = false;  // its directory was synced after it was made
  };

  rocksdb::IOStatus BeforeChange();
  rocksdb::IOStatus BeforeAppend(const std::string& name);
  rocksdb::IOStatus BeforeSync(const std::string& name);
  void OnWritten(const std::string& name, uint64_t size);
  void OnSynced(const std::string& name, uint64_t size);
  void OnDirectorySynced(const std::string& directory);

  absl::Mutex mutex_;
  std::map<std::string, Tracked> files_ ABSL_GUARDED_BY(mutex_);
  bool fail_log_sync_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_log_append_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
  int free_space_questions_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace homeport
