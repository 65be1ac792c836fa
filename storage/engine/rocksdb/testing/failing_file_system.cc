#include "storage/engine/rocksdb/testing/failing_file_system.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace homeport {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class FailingFileSystem::SequentialFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(std::unique_ptr<rocksdb::FSSequentialFile> file, std::string name,
                 FailingFileSystem* system)
      : FSSequentialFileOwnerWrapper(std::move(file)), name_(std::move(name)), system_(system) {}

  IOStatus Read(size_t bytes, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                IODebugContext* debug) override {
    if (IOStatus failed = system_->Count("read", name_); !failed.ok()) return failed;
    return FSSequentialFileOwnerWrapper::Read(bytes, options, result, scratch, debug);
  }

 private:
  const std::string name_;
  FailingFileSystem* const system_;
};

class FailingFileSystem::RandomAccessFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccessFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string name,
                   FailingFileSystem* system)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), name_(std::move(name)), system_(system) {}

  IOStatus Read(uint64_t at, size_t bytes, const IOOptions& options, rocksdb::Slice* result,
                char* scratch, IODebugContext* debug) const override {
    if (IOStatus failed = system_->Count("read", name_); !failed.ok()) return failed;
    return FSRandomAccessFileOwnerWrapper::Read(at, bytes, options, result, scratch, debug);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    if (IOStatus failed = system_->Count("read", name_); !failed.ok()) return failed;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
  }

 private:
  const std::string name_;
  FailingFileSystem* const system_;
};

class FailingFileSystem::WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name,
               FailingFileSystem* system)
      : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), system_(system) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    if (IOStatus failed = system_->Count("append", name_); !failed.ok()) return failed;
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus failed = system_->Count("truncate", name_); !failed.ok()) return failed;
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus failed = system_->Count("sync", name_); !failed.ok()) return failed;
    return FSWritableFileOwnerWrapper::Flush(options, debug);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus failed = system_->Count("sync", name_); !failed.ok()) return failed;
    return FSWritableFileOwnerWrapper::Flush(options, debug);
  }
  // The file is closed even where that fails, as by the operating system.
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus failed = system_->Count("close", name_);
    const IOStatus status = FSWritableFileOwnerWrapper::Close(options, debug);
    return failed.ok() ? status : failed;
  }

 private:
  const std::string name_;
  FailingFileSystem* const system_;
};

class FailingFileSystem::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> directory, std::string name,
            FailingFileSystem* system)
      : FSDirectoryWrapper(std::move(directory)), name_(std::move(name)), system_(system) {}

  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return system_->Count("sync of a directory", name_);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& /*options*/, IODebugContext* /*debug*/,
                               const rocksdb::DirFsyncOptions& /*directory_options*/) override {
    return system_->Count("sync of a directory", name_);
  }

 private:
  const std::string name_;
  FailingFileSystem* const system_;
};

FailingFileSystem::FailingFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target)
    : FileSystemWrapper(target) {}

void FailingFileSystem::FailAt(int number, bool sticky) {
  absl::MutexLock lock(&mutex_);
  fail_at_ = number;
  sticky_ = sticky;
  operations_ = 0;
  failed_.clear();
}

void FailingFileSystem::Heal() {
  absl::MutexLock lock(&mutex_);
  fail_at_ = 0;
}

int FailingFileSystem::operations() const {
  absl::MutexLock lock(&mutex_);
  return operations_;
}

std::string FailingFileSystem::failed() const {
  absl::MutexLock lock(&mutex_);
  return failed_;
}

IOStatus FailingFileSystem::Count(const char* what, const std::string& name) {
  absl::MutexLock lock(&mutex_);
  ++operations_;
  if (fail_at_ == 0 || operations_ < fail_at_ || (operations_ > fail_at_ && !sticky_)) {
    return IOStatus::OK();
  }
  const std::string operation = absl::StrCat(what, " ", name);
  if (failed_.empty()) failed_ = operation;
  return IOStatus::IOError("injected", operation);
}

IOStatus FailingFileSystem::NewSequentialFile(const std::string& name, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                              IODebugContext* debug) {
  if (IOStatus failed = Count("open", name); !failed.ok()) return failed;
  std::unique_ptr<rocksdb::FSSequentialFile> opened;
  IOStatus status = target()->NewSequentialFile(name, options, &opened, debug);
  if (status.ok()) *file = std::make_unique<SequentialFile>(std::move(opened), name, this);
  return status;
}

IOStatus FailingFileSystem::NewRandomAccessFile(const std::string& name, const FileOptions& options,
                                                std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                                IODebugContext* debug) {
  if (IOStatus failed = Count("open", name); !failed.ok()) return failed;
  std::unique_ptr<rocksdb::FSRandomAccessFile> opened;
  IOStatus status = target()->NewRandomAccessFile(name, options, &opened, debug);
  if (status.ok()) *file = std::make_unique<RandomAccessFile>(std::move(opened), name, this);
  return status;
}

IOStatus FailingFileSystem::NewWritableFile(const std::string& name, const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSWritableFile>* file,
                                            IODebugContext* debug) {
  if (IOStatus failed = Count("make", name); !failed.ok()) return failed;
  std::unique_ptr<rocksdb::FSWritableFile> made;
  IOStatus status = target()->NewWritableFile(name, options, &made, debug);
  if (status.ok()) *file = std::make_unique<WritableFile>(std::move(made), name, this);
  return status;
}

IOStatus FailingFileSystem::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                               std::unique_ptr<rocksdb::FSWritableFile>* file,
                                               IODebugContext* debug) {
  if (IOStatus failed = Count("open", name); !failed.ok()) return failed;
  std::unique_ptr<rocksdb::FSWritableFile> opened;
  IOStatus status = target()->ReopenWritableFile(name, options, &opened, debug);
  if (status.ok()) *file = std::make_unique<WritableFile>(std::move(opened), name, this);
  return status;
}

IOStatus FailingFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                         std::unique_ptr<rocksdb::FSDirectory>* directory,
                                         IODebugContext* debug) {
  if (IOStatus failed = Count("open", name); !failed.ok()) return failed;
  std::unique_ptr<rocksdb::FSDirectory> opened;
  IOStatus status = target()->NewDirectory(name, options, &opened, debug);
  if (status.ok()) *directory = std::make_unique<Directory>(std::move(opened), name, this);
  return status;
}

IOStatus FailingFileSystem::GetChildren(const std::string& name, const IOOptions& options,
                                        std::vector<std::string>* children, IODebugContext* debug) {
  if (IOStatus failed = Count("list", name); !failed.ok()) return failed;
  return target()->GetChildren(name, options, children, debug);
}

IOStatus FailingFileSystem::GetFileSize(const std::string& name, const IOOptions& options,
                                        uint64_t* size, IODebugContext* debug) {
  if (IOStatus failed = Count("size of", name); !failed.ok()) return failed;
  return target()->GetFileSize(name, options, size, debug);
}

IOStatus FailingFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                       IODebugContext* debug) {
  if (IOStatus failed = Count("remove", name); !failed.ok()) return failed;
  return target()->DeleteFile(name, options, debug);
}

IOStatus FailingFileSystem::RenameFile(const std::string& from, const std::string& to,
                                       const IOOptions& options, IODebugContext* debug) {
  if (IOStatus failed = Count("rename", from); !failed.ok()) return failed;
  return target()->RenameFile(from, to, options, debug);
}

IOStatus FailingFileSystem::LinkFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* debug) {
  if (IOStatus failed = Count("link", from); !failed.ok()) return failed;
  return target()->LinkFile(from, to, options, debug);
}

}  // namespace homeport
