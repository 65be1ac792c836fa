#include "storage/replica/disk_gate.h"

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/error.h"

namespace homeport {

absl::Status DiskGate::State() const {
  absl::MutexLock lock(&mutex_);
  return state_;
}

void DiskGate::Check(std::optional<uint64_t> free_bytes) {
  absl::MutexLock lock(&mutex_);
  const bool full = free_bytes && *free_bytes < reserve_bytes_;
  room_ = !full;
  if (failed_) return;
  if (full == !state_.ok()) return;
  if (full) {
    state_ = MakeError(absl::StatusCode::kResourceExhausted, reason::kDiskFull,
                       absl::StrCat(path_, ": the disk has ", *free_bytes,
                                    " bytes free, writes need ", reserve_bytes_),
                       {{"path", path_}});
    Log(LogLevel::kError, "disk full; writes are refused", {{"path", path_}});
  } else {
    state_ = absl::OkStatus();
    Log(LogLevel::kInfo, "disk has room again; writes are taken", {{"path", path_}});
  }
}

void DiskGate::Fail(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  if (failed_) return;
  failed_ = true;
  room_ = false;  // what was seen before the failure says nothing
  state_ = Explain(why);
  Log(LogLevel::kError, "storage failed; nothing is acknowledged until a restart",
      {{"path", path_}, {"error", why.ToString()}});
}

bool DiskGate::MayBeReopened() const {
  absl::MutexLock lock(&mutex_);
  return failed_ && room_ && state_.code() == absl::StatusCode::kResourceExhausted;
}

absl::Status DiskGate::Explain(const absl::Status& status) const {
  if (!ReasonOf(status).empty()) return status;
  return MakeError(status.code(), reason::kStorageFailed,
                   absl::StrCat(path_, ": ", status.message()), {{"path", path_}});
}

}  // namespace homeport
