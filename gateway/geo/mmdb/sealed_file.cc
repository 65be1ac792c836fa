#include "gateway/geo/mmdb/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

constexpr size_t kCopyBytes = 1 << 20;

int64_t Nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

absl::Status Failed(absl::StatusCode code, const std::string& path, absl::string_view what) {
  return absl::Status(code, absl::StrCat(path, ": ", what));
}

absl::Status SystemFailed(absl::StatusCode code, const std::string& path, absl::string_view doing) {
  return Failed(code, path, absl::StrCat(doing, ": ", std::strerror(errno)));
}

// Copies everything from `from` to `to`.
absl::Status CopyAll(const std::string& path, int from, int to) {
  std::vector<char> buffer(kCopyBytes);
  uint64_t total = 0;
  while (true) {
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemFailed(absl::StatusCode::kUnavailable, path, "reading");
    if (got == 0) return absl::OkStatus();
    total += static_cast<uint64_t>(got);
    // A file that grows while it is read has no end.
    if (total > SealedFile::kBytesMax) {
      return Failed(absl::StatusCode::kResourceExhausted, path,
                    absl::StrCat("larger than ", SealedFile::kBytesMax, " bytes"));
    }
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = write(to, buffer.data() + done, static_cast<size_t>(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        return SystemFailed(absl::StatusCode::kResourceExhausted, path, "copying to memory");
      }
      done += put;
    }
  }
}

}  // namespace

FileSignature SignatureOf(const struct stat& stat) {
  return {static_cast<uint64_t>(stat.st_dev), static_cast<uint64_t>(stat.st_ino),
          static_cast<uint64_t>(stat.st_size), Nanoseconds(stat.st_mtim),
          Nanoseconds(stat.st_ctim)};
}

FileSignature SignatureOf(const std::string& path) {
  struct stat stat;
  if (::stat(path.c_str(), &stat) != 0) return {};
  return SignatureOf(stat);
}

absl::StatusOr<SealedFile> SealedFile::Copy(const std::string& path) {
  // Not blocking: opening a pipe would wait for its writer.
  const int from = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (from < 0) {
    return SystemFailed(
        errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable, path,
        "opening");
  }
  absl::Cleanup close_from = [from] { close(from); };
  struct stat before, after;
  if (fstat(from, &before) != 0) {
    return SystemFailed(absl::StatusCode::kUnavailable, path, "looking at it");
  }
  if (!S_ISREG(before.st_mode)) {
    return Failed(absl::StatusCode::kFailedPrecondition, path, "not a regular file");
  }
  if (before.st_size == 0) {
    return Failed(absl::StatusCode::kFailedPrecondition, path, "the file is empty");
  }
  if (static_cast<uint64_t>(before.st_size) > kBytesMax) {
    return Failed(absl::StatusCode::kResourceExhausted, path,
                  absl::StrCat("larger than ", kBytesMax, " bytes"));
  }
  const int to = memfd_create("homeport-geoip", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (to < 0) {
    return SystemFailed(absl::StatusCode::kResourceExhausted, path, "making a copy in memory");
  }
  absl::Cleanup close_to = [to] { close(to); };
  if (absl::Status status = CopyAll(path, from, to); !status.ok()) return status;
  struct stat copied;
  if (fstat(from, &after) != 0 || fstat(to, &copied) != 0) {
    return SystemFailed(absl::StatusCode::kUnavailable, path, "looking at it");
  }
  if (SignatureOf(before) != SignatureOf(after) || copied.st_size != after.st_size) {
    return Failed(absl::StatusCode::kUnavailable, path, "it changed while it was read");
  }
  if (fcntl(to, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return SystemFailed(absl::StatusCode::kUnavailable, path, "sealing the copy");
  }
  const auto size = static_cast<size_t>(copied.st_size);
  void* const content = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, to, 0);
  if (content == MAP_FAILED) {
    return SystemFailed(absl::StatusCode::kResourceExhausted, path, "mapping the copy");
  }
  std::move(close_to).Cancel();
  return SealedFile(to, {static_cast<const uint8_t*>(content), size}, SignatureOf(after));
}

SealedFile::SealedFile(SealedFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      content_(std::exchange(other.content_, {})),
      signature_(other.signature_) {}

SealedFile::~SealedFile() {
  if (!content_.empty()) munmap(const_cast<uint8_t*>(content_.data()), content_.size());
  if (fd_ >= 0) close(fd_);
}

std::string SealedFile::ProcPath() const { return absl::StrCat("/proc/self/fd/", fd_); }

}  // namespace homeport
