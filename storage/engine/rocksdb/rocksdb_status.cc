#include "storage/engine/rocksdb/rocksdb_status.h"

#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace homeport {

absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kDiskFull,
                     absl::StrCat(path, ": the disk is full: ", status.ToString()),
                     {{"path", path}});
  }
  if (status.IsCorruption()) {
    return MakeError(absl::StatusCode::kDataLoss, reason::kStorageFailed,
                     absl::StrCat(path, ": stored data are damaged: ", status.ToString()),
                     {{"path", path}});
  }
  return MakeError(absl::StatusCode::kUnavailable, reason::kStorageFailed,
                   absl::StrCat(path, ": the disk failed: ", status.ToString()), {{"path", path}});
}

}  // namespace homeport
