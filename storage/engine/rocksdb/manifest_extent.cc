#include "storage/engine/rocksdb/manifest_extent.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status/error.h"
#include "storage/engine/rocksdb/rocksdb_status.h"

namespace homeport {
namespace {

constexpr absl::string_view kManifest = "MANIFEST-";

std::string ExtentPath(const std::string& path) { return path + "/EXTENT"; }

struct Extent {
  uint64_t manifest = 0;  // its number
  uint64_t bytes = 0;
};

// FNV-1a: what is guarded against is a flipped bit.
uint64_t SumOf(const Extent& extent) {
  uint64_t sum = 14695981039346656037u;
  for (uint64_t word : {extent.manifest, extent.bytes}) {
    for (int i = 0; i < 8; ++i, word >>= 8) sum = (sum ^ (word & 0xff)) * 1099511628211u;
  }
  return sum;
}

std::string ToText(const Extent& extent) {
  return absl::StrCat(extent.manifest, " ", extent.bytes, " ", SumOf(extent), "\n");
}

std::optional<Extent> FromText(const std::string& text) {
  const std::vector<std::string> parts =
      absl::StrSplit(absl::StripSuffix(text, "\n"), absl::MaxSplits(' ', 2));
  Extent extent;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &extent.manifest) ||
      !absl::SimpleAtoi(parts[1], &extent.bytes) || ToText(extent) != text) {
    return std::nullopt;
  }
  return extent;
}

// The number in a name such as "/MANIFEST-000005".
std::optional<uint64_t> ManifestNumber(absl::string_view name) {
  uint64_t number = 0;
  absl::ConsumePrefix(&name, "/");
  if (!absl::ConsumePrefix(&name, kManifest) || !absl::SimpleAtoi(name, &number)) {
    return std::nullopt;
  }
  return number;
}

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, reason::kStorageFailed,
                   absl::StrCat(path, ": stored data are damaged: ", what), {{"path", path}});
}

// Why a file can not be looked at. A disk that fails to answer has not lost what it holds: only a
// file that is not there is damage.
absl::Status Unreadable(const std::string& path, absl::string_view file,
                        const rocksdb::Status& status) {
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return Damaged(path, absl::StrCat("a file is missing: ", file));
  }
  return FromRocksdb(status, path);
}

}  // namespace

absl::Status CheckManifestExtent(rocksdb::Env* env, const std::string& path) {
  std::string text;
  rocksdb::Status status = env->FileExists(ExtentPath(path));
  if (status.IsNotFound()) return absl::OkStatus();
  if (status.ok()) status = rocksdb::ReadFileToString(env, ExtentPath(path), &text);
  if (!status.ok()) return Unreadable(path, "EXTENT", status);
  const std::optional<Extent> extent = FromText(text);
  if (!extent) return Damaged(path, "EXTENT does not parse");
  std::string current;
  status = rocksdb::ReadFileToString(env, path + "/CURRENT", &current);
  if (!status.ok()) return Unreadable(path, "CURRENT", status);
  const absl::string_view name = absl::StripSuffix(current, "\n");
  const std::optional<uint64_t> number = ManifestNumber(name);
  if (!number) return Damaged(path, "CURRENT does not name a manifest");
  // A later one was begun in the moment before a crash.
  if (*number > extent->manifest) return absl::OkStatus();
  uint64_t bytes = 0;
  if (*number == extent->manifest) {
    status = env->GetFileSize(absl::StrCat(path, "/", name), &bytes);
    if (!status.ok()) return Unreadable(path, name, status);
  }
  if (*number < extent->manifest || bytes < extent->bytes) {
    return Damaged(path, absl::StrCat(name, " has ", bytes, " bytes, and ", extent->bytes,
                                      " of manifest ", extent->manifest, " have been there"));
  }
  return absl::OkStatus();
}

void KeepsManifestExtent::Keep(rocksdb::DB* db) {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> files;
  Extent extent;
  if (!db->GetLiveFiles(files, &extent.bytes, /*flush_memtable=*/false).ok()) return;
  for (const std::string& file : files) {
    if (const auto number = ManifestNumber(file); number) extent.manifest = *number;
  }
  rocksdb::Env* const env = db->GetEnv();
  const std::string path = ExtentPath(db->GetName());
  // By rename, so that a crash leaves the old one or the new one.
  if (rocksdb::WriteStringToFile(env, ToText(extent), path + ".part", /*should_sync=*/true).ok()) {
    env->RenameFile(path + ".part", path).PermitUncheckedError();
  }
}

}  // namespace homeport
