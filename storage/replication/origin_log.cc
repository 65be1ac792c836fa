#include "storage/replication/origin_log.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"

namespace homeport {
namespace {

std::string SegmentKey(Origin origin, Sequence last) {
  return absl::StrCat(kLogSegmentPrefix, LogKey(origin, last));
}

}  // namespace

uint64_t LogSegmentBytes(uint64_t log_bytes_max) {
  constexpr uint64_t kSegmentsWanted = 256;
  constexpr uint64_t kBytesMin = 4 * 1024;
  constexpr uint64_t kBytesMax = 32 * 1024 * 1024;
  return std::clamp(log_bytes_max / kSegmentsWanted, kBytesMin, kBytesMax);
}

void OriginLog::Settle(Origin origin, Sequence received, HybridTime now, uint64_t segment_bytes,
                       Staging& staging) {
  if (staged_ == 0) return;
  open_.bytes += std::exchange(staged_, 0);
  open_.last = received;
  open_.logged = now;
  if (open_.bytes < segment_bytes) return;
  internal::v1::StoredLogSegment stored;
  stored.set_bytes(open_.bytes);
  stored.set_logged(open_.logged.value());
  staging.Put(Table::kMeta, SegmentKey(origin, open_.last), stored.SerializeAsString());
  closed_bytes_ += open_.bytes;
  segments_.push_back(open_);
  open_ = {};
}

void OriginLog::Truncate(Origin origin, Sequence begin, Staging& staging) {
  if (begin <= begin_) return;
  staging.DeleteRange(Table::kLog, LogKey(origin, begin_), LogKey(origin, begin));
  if (!segments_.empty() && segments_.front().last < begin) {
    staging.DeleteRange(Table::kMeta, SegmentKey(origin, Sequence(0)), SegmentKey(origin, begin));
  }
  while (!segments_.empty() && segments_.front().last < begin) {
    closed_bytes_ -= segments_.front().bytes;
    segments_.pop_front();
  }
  if (open_.last < begin) open_ = {};
  begin_ = begin;
}

void OriginLog::Restart(Origin origin, Sequence begin, Staging& staging) {
  Truncate(origin, begin, staging);
  staged_ = 0;
}

void OriginLog::LoadOpen(Sequence begin, const LogSegment& open) {
  begin_ = begin;
  open_ = open;
}

void OriginLog::LoadClosed(const LogSegment& segment) {
  closed_bytes_ += segment.bytes;
  segments_.push_back(segment);
}

}  // namespace homeport
