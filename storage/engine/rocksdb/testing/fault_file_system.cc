#include "storage/engine/rocksdb/testing/fault_file_system.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"

namespace homeport {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// RocksDB names the same file with one slash or two.
std::string Clean(const std::string& name) {
  std::string clean;
  for (const char c : name) {
    if (c != '/' || clean.empty() || clean.back() != '/') clean.push_back(c);
  }
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  return clean;
}

std::string DirectoryOf(const std::string& clean) { return clean.substr(0, clean.rfind('/')); }

}  // namespace

class FaultFileSystem::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name, uint64_t size,
       FaultFileSystem* system)
      : FSWritableFileOwnerWrapper(std::move(file)),
        name_(std::move(name)),
        size_(size),
        system_(system) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    if (IOStatus full = system_->BeforeAppend(name_); !full.ok()) return full;
    const IOStatus status = FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (status.ok()) system_->OnWritten(name_, size_ += data.size());
    return status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus cut = system_->BeforeChange(); !cut.ok()) return cut;
    const IOStatus status = FSWritableFileOwnerWrapper::Truncate(size, options, debug);
    if (status.ok()) system_->OnWritten(name_, size_ = size);
    return status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus failed = system_->BeforeSync(name_); !failed.ok()) return failed;
    const IOStatus status = FSWritableFileOwnerWrapper::Sync(options, debug);
    if (status.ok()) system_->OnSynced(name_, size_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus failed = system_->BeforeSync(name_); !failed.ok()) return failed;
    const IOStatus status = FSWritableFileOwnerWrapper::Fsync(options, debug);
    if (status.ok()) system_->OnSynced(name_, size_);
    return status;
  }
  // A sync beside an append could claim bytes that came after it.
  bool IsSyncThreadSafe() const override { return false; }

 private:
  const std::string name_;
  uint64_t size_;
  FaultFileSystem* const system_;
};

class FaultFileSystem::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> directory, std::string name,
            FaultFileSystem* system)
      : FSDirectoryWrapper(std::move(directory)), name_(std::move(name)), system_(system) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    if (IOStatus cut = system_->BeforeChange(); !cut.ok()) return cut;
    const IOStatus status = FSDirectoryWrapper::Fsync(options, debug);
    if (status.ok()) system_->OnDirectorySynced(name_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& directory_options) override {
    if (IOStatus cut = system_->BeforeChange(); !cut.ok()) return cut;
    const IOStatus status =
        FSDirectoryWrapper::FsyncWithDirOptions(options, debug, directory_options);
    if (status.ok()) system_->OnDirectorySynced(name_);
    return status;
  }

 private:
  const std::string name_;
  FaultFileSystem* const system_;
};

FaultFileSystem::FaultFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target)
    : FileSystemWrapper(target) {}

void FaultFileSystem::CutPower() {
  absl::MutexLock lock(&mutex_);
  cut_ = true;
}

void FaultFileSystem::DropUnsynced() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, file] : files_) {
    // RocksDB's own file system cannot truncate by name.
    int result = 0;
    if (!file.in_directory) {
      result = unlink(name.c_str());
    } else if (file.synced < file.written) {
      result = truncate(name.c_str(), static_cast<off_t>(file.synced));
    }
    // A cut that did not cut would let every test after it pass.
    if (result != 0 && errno != ENOENT) std::abort();
  }
  files_.clear();
  cut_ = false;
}

void FaultFileSystem::FailNextLogSync() {
  absl::MutexLock lock(&mutex_);
  fail_log_sync_ = true;
}

void FaultFileSystem::FailNextLogAppend() {
  absl::MutexLock lock(&mutex_);
  fail_log_append_ = true;
}

void FaultFileSystem::SetFull(bool full) {
  absl::MutexLock lock(&mutex_);
  full_ = full;
}

int FaultFileSystem::free_space_questions() {
  absl::MutexLock lock(&mutex_);
  return free_space_questions_;
}

IOStatus FaultFileSystem::BeforeChange() {
  absl::MutexLock lock(&mutex_);
  return cut_ ? IOStatus::IOError("injected power cut") : IOStatus::OK();
}

IOStatus FaultFileSystem::BeforeAppend(const std::string& name) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  absl::MutexLock lock(&mutex_);
  const bool failing = absl::EndsWith(name, ".log") && std::exchange(fail_log_append_, false);
  return full_ || failing ? IOStatus::NoSpace("injected") : IOStatus::OK();
}

IOStatus FaultFileSystem::BeforeSync(const std::string& name) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  absl::MutexLock lock(&mutex_);
  if (!absl::EndsWith(name, ".log") || !std::exchange(fail_log_sync_, false)) return IOStatus::OK();
  return IOStatus::IOError("injected failure of a sync");
}

void FaultFileSystem::OnWritten(const std::string& name, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  Tracked& file = files_[name];
  file.written = size;
  file.synced = std::min(file.synced, size);
}

void FaultFileSystem::OnSynced(const std::string& name, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  files_[name].synced = size;
}

void FaultFileSystem::OnDirectorySynced(const std::string& directory) {
  absl::MutexLock lock(&mutex_);
  for (auto& [name, file] : files_) {
    if (DirectoryOf(name) == directory) file.in_directory = true;
  }
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& name, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file,
                                          IODebugContext* debug) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  std::unique_ptr<rocksdb::FSWritableFile> made;
  const IOStatus status = target()->NewWritableFile(name, options, &made, debug);
  if (!status.ok()) return status;
  const std::string clean = Clean(name);
  {
    absl::MutexLock lock(&mutex_);
    files_[clean] = Tracked();
  }
  *file = std::make_unique<File>(std::move(made), clean, 0, this);
  return status;
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                                             IODebugContext* debug) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  std::unique_ptr<rocksdb::FSWritableFile> opened;
  const IOStatus status = target()->ReopenWritableFile(name, options, &opened, debug);
  if (!status.ok()) return status;
  const std::string clean = Clean(name);
  const uint64_t size = opened->GetFileSize(IOOptions(), debug);
  {
    absl::MutexLock lock(&mutex_);
    files_.try_emplace(clean, Tracked{size, size, true});
  }
  *file = std::make_unique<File>(std::move(opened), clean, size, this);
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory,
                                       IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> opened;
  const IOStatus status = target()->NewDirectory(name, options, &opened, debug);
  if (status.ok()) *directory = std::make_unique<Directory>(std::move(opened), Clean(name), this);
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                     IODebugContext* debug) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  const IOStatus status = target()->DeleteFile(name, options, debug);
  absl::MutexLock lock(&mutex_);
  if (status.ok()) files_.erase(Clean(name));
  return status;
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* debug) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  const IOStatus status = target()->RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  OnDirectorySynced(DirectoryOf(Clean(to)));
  absl::MutexLock lock(&mutex_);
  auto moved = files_.extract(Clean(from));
  files_.erase(Clean(to));
  if (moved.empty()) return status;
  moved.key() = Clean(to);
  moved.mapped().in_directory = true;
  files_.insert(std::move(moved));
  return status;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to,
                                   const IOOptions& options, IODebugContext* debug) {
  if (IOStatus cut = BeforeChange(); !cut.ok()) return cut;
  const IOStatus status = target()->LinkFile(from, to, options, debug);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  auto it = files_.find(Clean(from));
  if (it == files_.end()) return status;
  Tracked linked = it->second;
  linked.in_directory = true;
  files_[Clean(to)] = linked;
  return status;
}

IOStatus FaultFileSystem::GetFreeSpace(const std::string& path, const IOOptions& options,
                                       uint64_t* free, IODebugContext* debug) {
  {
    absl::MutexLock lock(&mutex_);
    ++free_space_questions_;
    if (full_) {
      *free = 0;
      return IOStatus::OK();
    }
  }
  return target()->GetFreeSpace(path, options, free, debug);
}

}  // namespace homeport
