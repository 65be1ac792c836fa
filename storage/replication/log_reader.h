// Reads the change log in order, an origin at a time or several in turn.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

// What stands in an origin's log: an entry, or a note that some were left out. One of both is set.
struct LoggedRecord {
  Sequence sequence;  // of a skip: the last
  std::optional<internal::v1::Entry> entry;
  std::optional<internal::v1::Skip> skip;
};

// Keeps its place in each origin, so that reading on costs a step and not a search. Sees the log as
// it was when an origin was first asked for: to be thrown away once the log was written to.
// Thread-compatible. The engine must outlive it.
class LogReader {
 public:
  // Places kept at most. Each pins memory of the engine; when there are more, all are given up.
  static constexpr size_t kPlacesMax = 64;

  explicit LogReader(KvEngine* engine) : engine_(engine) {}

  // The record that covers the sequence. OUT_OF_RANGE if it has left the log, which begins behind
  // it; DATA_LOSS if the log lacks it or it is damaged; otherwise the engine's errors.
  absl::StatusOr<LoggedRecord> Read(Origin origin, Sequence sequence);

 private:
  struct Place {
    Sequence next;  // the iterator stands on the first record at or after it
    std::unique_ptr<KvIterator> iterator;
  };

  // What to say of a sequence that is not there.
  absl::Status Lacks(Origin origin, Sequence sequence) const;

  KvEngine* engine_;
  std::map<Origin, Place> places_;
};

// The first sequence that the log has of an origin by what is on the disk now: what a reader does
// not find before that is not damage. 1 of an origin that is not known. Errors as Read().
absl::StatusOr<Sequence> StoredLogBegin(KvEngine* engine, Origin origin);

}  // namespace homeport
