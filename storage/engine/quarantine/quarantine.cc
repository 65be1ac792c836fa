#include "storage/engine/quarantine/quarantine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/status/error.h"
#include "rocksdb/env.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"

namespace homeport {
namespace {

namespace fs = std::filesystem;

constexpr char kMovingName[] = "damaged.moving";
constexpr char kPrefix[] = "damaged-";
constexpr char kLockName[] = "LOCK";
// What a mark may say at most.
constexpr size_t kMarkBytesMax = 4096;

absl::Status Failed(const std::string& path, absl::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return MakeError(full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable,
                   full ? reason::kDiskFull : reason::kStorageFailed,
                   absl::StrCat(path, ": the damaged store is not moved aside: ", what, ": ",
                                std::strerror(error)),
                   {{"path", path}});
}

absl::Status Sync(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Failed(path, "open", errno);
  const int error = fsync(file) == 0 ? 0 : errno;
  close(file);
  return error == 0 ? absl::OkStatus() : Failed(path, "sync", error);
}

// 0: not the name of a store that was moved aside.
int NumberOf(const fs::path& directory) {
  const std::string name = directory.filename().string();
  absl::string_view digits = name;
  int number = 0;
  if (!absl::ConsumePrefix(&digits, kPrefix) || !absl::SimpleAtoi(digits, &number)) return 0;
  return std::max(number, 0);
}

absl::Status MoveFiles(const std::string& path, const std::string& to) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name == kLockName || name == kBallastName || !at->is_regular_file(error)) continue;
    files.push_back(at->path());
  }
  if (error) return Failed(path, "list", error.value());
  for (const fs::path& file : files) {
    fs::rename(file, fs::path(to) / file.filename(), error);
    if (error) return Failed(file.string(), "rename", error.value());
  }
  if (auto status = Sync(to); !status.ok()) return status;
  return Sync(path);
}

absl::StatusOr<Quarantined> Move(const std::string& path) {
  const std::string moving = absl::StrCat(path, "/", kMovingName);
  std::error_code error;
  fs::create_directory(moving, error);
  if (error) return Failed(moving, "make", error.value());
  if (auto status = Sync(path); !status.ok()) return status;
  if (auto status = MoveFiles(path, moving); !status.ok()) return status;

  Quarantined result;
  std::vector<std::string> kept = ListQuarantined(path);
  const int number = kept.empty() ? 1 : NumberOf(kept.back()) + 1;
  while (kept.size() >= static_cast<size_t>(kQuarantinedMax)) {
    fs::remove_all(kept.front(), error);
    if (error) return Failed(kept.front(), "remove", error.value());
    result.removed.push_back(kept.front());
    kept.erase(kept.begin());
  }
  result.directory = absl::StrFormat("%s/%s%06d", path, kPrefix, number);
  fs::rename(moving, result.directory, error);
  if (error) return Failed(result.directory, "rename", error.value());
  if (auto status = Sync(path); !status.ok()) return status;
  return result;
}

}  // namespace

absl::Status MarkDamaged(const std::string& path, const absl::Status& damage) {
  const std::string mark = absl::StrCat(path, "/", kDamagedName);
  {
    std::ofstream file(mark, std::ios::trunc | std::ios::binary);
    file << absl::string_view(damage.message()).substr(0, kMarkBytesMax) << "\n";
    file.flush();
    if (!file) return Failed(mark, "write", errno == 0 ? EIO : errno);
  }
  if (auto status = Sync(mark); !status.ok()) return status;
  return Sync(path);
}

absl::Status CheckNotMarked(const std::string& path) {
  std::error_code error;
  std::string why;
  if (std::ifstream file(absl::StrCat(path, "/", kDamagedName), std::ios::binary); file) {
    why.assign(std::istreambuf_iterator<char>(file), {});
    why = std::string(absl::StripSuffix(why, "\n")).substr(0, kMarkBytesMax);
    if (why.empty()) why = absl::StrCat(path, ": stored data are damaged");
  } else if (fs::exists(absl::StrCat(path, "/", kMovingName), error)) {
    why = absl::StrCat(path, ": stored data are damaged, and were being moved aside");
  }
  if (why.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kDataLoss, reason::kStorageFailed, why, {{"path", path}});
}

absl::StatusOr<Quarantined> Quarantine(const std::string& path) {
  rocksdb::Env* const env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  if (!env->LockFile(absl::StrCat(path, "/", kLockName), &lock).ok()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, reason::kStorageFailed,
                     absl::StrCat(path, ": in use by another process"), {{"path", path}});
  }
  const absl::Cleanup unlock = [env, lock] { env->UnlockFile(lock).PermitUncheckedError(); };
  return Move(path);
}

std::vector<std::string> ListQuarantined(const std::string& path) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    if (NumberOf(at->path()) > 0) found.push_back(at->path());
  }
  std::sort(found.begin(), found.end(),
            [](const fs::path& a, const fs::path& b) { return NumberOf(a) < NumberOf(b); });
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (const fs::path& directory : found) paths.push_back(directory.string());
  return paths;
}

}  // namespace homeport
