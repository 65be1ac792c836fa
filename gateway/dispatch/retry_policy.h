// What the end of an attempt means: for the request, and for what is thought of the replica. Pure.
//
// Whether a retry is safe goes by what is known, not by hope. A read changes nothing, so any
// failure of a replica lets it go on to the next. A write goes on only when the error proves that
// it was not done:
//
//   REGION_UNREACHABLE, DRAINING   it was not sent
//   OVERLOADED, DISK_FULL          it was refused before anything was written
//   TOKEN_AHEAD, DEADLINE_EXCEEDED that waited for "token"
//                                  it was waiting for its session's past and was not begun
//   STALE_LIMIT                    reads: another replica may be less far behind
//   NAMESPACE_UNKNOWN, NAMESPACE_NOT_HERE
//                                  the replica runs another version of the topology
//
// OUTCOME_UNKNOWN may have been done. With a request id it may be asked for again where it was
// sent: there the id gives the same answer and no second effect. Elsewhere the id may not have
// arrived yet, so the outcome is reported as unknown. STORAGE_FAILED, INTERNAL and the like may
// have left the write on the disk, and so are reported too. All other errors are the request's own,
// and any replica would say the same.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "gateway/dispatch/health_tracker.h"
#include "homeport/internal/v1/store.pb.h"

namespace homeport {

// What matters of a request for retries.
struct RetryFacts {
  bool write = false;
  bool has_request_id = false;  // writes
  bool may_wait = false;        // reads: the latency may be that of a token or of watermarks
  bool scan = false;            // reads: of however much there is
};

RetryFacts FactsOf(const internal::v1::StoreRequest& request);

// What to do after an attempt.
enum class NextStep {
  kAnswer,  // this is the request's answer, success or not
  kNext,    // go on with another replica; if there is none, this is the error
  kRepeat,  // ask the same replica once more; if that says nothing new, this is the error
};

struct Judgement {
  NextStep step = NextStep::kAnswer;
  // Nothing reached the replica.
  bool unsent = false;
  // What the health tracker is told; nothing if the attempt says nothing of the replica.
  std::optional<HealthTracker::Outcome> outcome;
};

Judgement Judge(const absl::Status& status, const RetryFacts& facts);

}  // namespace homeport
