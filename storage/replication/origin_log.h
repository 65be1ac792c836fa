// How large and how old an origin's part of the change log is, without reading it.
#pragma once

#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/staging.h"

namespace homeport {

// A stretch of an origin's log: it begins behind the one before.
struct LogSegment {
  Sequence last;
  uint64_t bytes = 0;
  // When its last record was logged here, by this replica's clock.
  HybridTime logged;
};

// One mark on the disk a closed segment, in Table::kMeta; the open one stands with the origin's
// position. Thread-compatible.
class OriginLog {
 public:
  // First sequence that the log still has; never 0.
  Sequence begin() const { return begin_; }
  // Closed segments, oldest first.
  const std::deque<LogSegment>& segments() const { return segments_; }
  // What is behind the closed ones; its `last` is the last sequence that was received.
  const LogSegment& open() const { return open_; }
  uint64_t bytes() const { return closed_bytes_ + open_.bytes; }

  // A record of so many bytes was staged.
  void Add(uint64_t bytes) { staged_ += bytes; }
  // Counts what was staged; to be called before the origin's position is staged. Closes the open
  // segment if it has at least `segment_bytes`.
  void Settle(Origin origin, Sequence received, HybridTime now, uint64_t segment_bytes,
              Staging& staging);
  // Stages the removal of everything before `begin`, which is behind a segment's last sequence.
  void Truncate(Origin origin, Sequence begin, Staging& staging);
  // The same for everything that is there, also what was staged by now.
  void Restart(Origin origin, Sequence begin, Staging& staging);

  // As loaded from the origin's position.
  void LoadOpen(Sequence begin, const LogSegment& open);
  // As loaded from a mark; marks come in order.
  void LoadClosed(const LogSegment& segment);

 private:
  Sequence begin_{1};
  std::deque<LogSegment> segments_;
  uint64_t closed_bytes_ = 0;
  LogSegment open_;
  uint64_t staged_ = 0;
};

// Of Table::kMeta: "log_segment/", origin and last sequence, big endian.
inline constexpr absl::string_view kLogSegmentPrefix = "log_segment/";

// Which segment size suits a log of at most `log_bytes_max`: small enough that truncating by
// segments leaves most of what may stay, large enough that there are few.
uint64_t LogSegmentBytes(uint64_t log_bytes_max);

}  // namespace homeport
