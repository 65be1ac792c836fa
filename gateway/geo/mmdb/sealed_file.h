// A file's content as it was at one moment, which nobody can change any more.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace homeport {

// What tells one content of a path from another without reading it.
struct FileSignature {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t modified_ns = 0, changed_ns = 0;
  friend bool operator==(const FileSignature&, const FileSignature&) = default;
};

FileSignature SignatureOf(const struct stat& stat);
// Of the file that `path` leads to, symbolic links followed. All zero if there is none or it can
// not be looked at.
FileSignature SignatureOf(const std::string& path);

// A copy of a file in memory that the kernel lets nobody shrink or write (memfd with seals), so
// that a mapping of it can neither change nor raise SIGBUS when the file is truncated or rewritten.
// Immutable and thread-safe; unmapped when destroyed.
class SealedFile {
 public:
  // Larger files are refused; GeoIP2 Enterprise has under 1 GiB.
  static constexpr uint64_t kBytesMax = uint64_t{2} << 30;

  // NOT_FOUND: no such file. FAILED_PRECONDITION: it is no regular file, or is empty.
  // RESOURCE_EXHAUSTED: it is over kBytesMax, or there is no memory. UNAVAILABLE: it changed while
  // it was read, or can not be read. All with the path.
  static absl::StatusOr<SealedFile> Copy(const std::string& path);

  SealedFile(SealedFile&& other) noexcept;
  SealedFile& operator=(SealedFile&&) = delete;
  ~SealedFile();

  absl::Span<const uint8_t> content() const { return content_; }
  // A path that opens the same memory again, for libraries that want a path; valid while this
  // lives.
  std::string ProcPath() const;
  // Of the file when it was copied.
  const FileSignature& signature() const { return signature_; }

 private:
  SealedFile(int fd, absl::Span<const uint8_t> content, FileSignature signature)
      : fd_(fd), content_(content), signature_(signature) {}

  int fd_;
  absl::Span<const uint8_t> content_;
  FileSignature signature_;
};

}  // namespace homeport
