// A file system of which one operation fails, whichever a test wants.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/file_system.h"

namespace homeport {

// Counts the operations that go through it: of files opening, reading, appending, syncing, closing,
// truncating, renaming, linking, removing and asking for their size, of directories opening,
// listing and syncing. One of them fails, without being done, as a disk's own error does (EIO).
// Syncs go no further, so that many runs take little time: what goes with the power is told by a
// FaultFileSystem above this one. Thread-safe.
class FailingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FailingFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target);

  // The `number`-th operation from here on fails, the first being 1, and if `sticky` all after it.
  void FailAt(int number, bool sticky);
  // Nothing fails any more.
  void Heal();
  // Operations since FailAt().
  int operations() const;
  // Of the operations since FailAt() that failed, which was the first; empty: none has.
  std::string failed() const;

  const char* Name() const override { return "FailingFileSystem"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& name, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& name, const rocksdb::IOOptions& options,
                                uint64_t* size, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  class SequentialFile;
  class RandomAccessFile;
  class WritableFile;
  class Directory;

  // OK, or the failure of this operation.
  rocksdb::IOStatus Count(const char* what, const std::string& name);

  mutable absl::Mutex mutex_;
  int fail_at_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: nothing fails
  bool sticky_ ABSL_GUARDED_BY(mutex_) = false;
  int operations_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string failed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace homeport
