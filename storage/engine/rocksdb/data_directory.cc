#include "storage/engine/rocksdb/data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"

namespace homeport {
namespace {

// The ballast is made only where this many times its size is free.
constexpr uint64_t kBallastRoomFactor = 2;

absl::Status Precondition(const std::string& path, absl::string_view problem) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason::kStorageFailed,
                   absl::StrCat(path, ": ", problem), {{"path", path}});
}

absl::Status SystemError(const std::string& path, absl::string_view what, int error) {
  const std::string message = absl::StrCat(path, ": ", what, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kDiskFull, message,
                     {{"path", path}});
  }
  if (error == EACCES || error == EPERM || error == EROFS || error == ENOTDIR) {
    return MakeError(absl::StatusCode::kFailedPrecondition, reason::kStorageFailed, message,
                     {{"path", path}});
  }
  return MakeError(absl::StatusCode::kUnavailable, reason::kStorageFailed, message,
                   {{"path", path}});
}

absl::Status SyncDirectory(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return SystemError(path, "cannot open directory", errno);
  const int error = fsync(file) == 0 ? 0 : errno;
  close(file);
  return error == 0 ? absl::OkStatus() : SystemError(path, "cannot sync directory", error);
}

absl::Status MakeDirectories(const std::filesystem::path& path) {
  if (path.empty()) return absl::OkStatus();
  std::error_code error;
  if (std::filesystem::exists(path, error)) return absl::OkStatus();
  const std::filesystem::path parent = path.parent_path();
  if (absl::Status status = MakeDirectories(parent); !status.ok()) return status;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError(path.string(), "cannot make directory", errno);
  }
  return SyncDirectory(parent.empty() ? "." : parent.string());
}

std::optional<uint64_t> FreeBytes(const std::string& path) {
  struct statvfs disk;
  if (statvfs(path.c_str(), &disk) != 0) return std::nullopt;
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
}

std::string BallastPath(const std::string& path) { return absl::StrCat(path, "/", kBallastName); }

}  // namespace

absl::Status PrepareDataDirectory(const std::string& path, bool create) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return SystemError(path, "cannot use as data directory", errno);
    if (!create) {
      return MakeError(absl::StatusCode::kNotFound, reason::kStorageFailed,
                       absl::StrCat(path, ": no such data directory"), {{"path", path}});
    }
    std::string bare = path;
    while (bare.size() > 1 && bare.back() == '/') bare.pop_back();
    return MakeDirectories(bare);
  }
  if (!S_ISDIR(info.st_mode)) return Precondition(path, "the data directory is not a directory");
  if (access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Precondition(path, "the data directory may not be read and written by this user");
  }
  return absl::OkStatus();
}

absl::Status CheckStoreIsWhole(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path + "/CURRENT", error)) return absl::OkStatus();
  // The manifest of a store that was just being made may be there before it.
  for (const auto& file : std::filesystem::directory_iterator(path, error)) {
    const std::string extension = file.path().extension().string();
    if (extension != ".sst" && extension != ".log") continue;
    return MakeError(absl::StatusCode::kDataLoss, reason::kStorageFailed,
                     absl::StrCat(path, ": stored data are damaged: ",
                                  file.path().filename().string(), " is there, CURRENT is not"),
                     {{"path", path}});
  }
  return absl::OkStatus();
}

void ReleaseBallastIfFull(const std::string& path, uint64_t bytes) {
  const std::optional<uint64_t> free = FreeBytes(path);
  if (free && *free < bytes) unlink(BallastPath(path).c_str());
}

void RestoreBallast(const std::string& path, uint64_t bytes) {
  const std::optional<uint64_t> free = FreeBytes(path);
  if (!free || *free < kBallastRoomFactor * bytes) return;
  if (access(BallastPath(path).c_str(), F_OK) == 0) return;
  const int file = open(BallastPath(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return;
  const bool made = posix_fallocate(file, 0, static_cast<off_t>(bytes)) == 0;
  close(file);
  if (!made) unlink(BallastPath(path).c_str());
}

}  // namespace homeport
