// What a client does after an attempt. Pure: time left and chance are passed in.
//
// Only what can not have a second effect is sent again:
// - What was not sent, and what was refused before anything was done and may go better later or
//   elsewhere (OVERLOADED, DRAINING, NO_REGION, REGION_UNREACHABLE, or RESOURCE_EXHAUSTED and
//   UNAVAILABLE with a google.rpc.RetryInfo). Other refusals are the request's own and final.
// - A read, after any failure of a gateway, at another one.
// - A write that was not answered, only if it was sent `local_only`: then at the same gateway, with
//   the same request id, so that the same replica is asked, which knows the id. Anywhere else, or
//   if the gateway was free to choose the replica, the write could be done twice; its outcome is
//   UNAVAILABLE (OUTCOME_UNKNOWN). Once an attempt was not answered, no later refusal says that
//   nothing happened, so that is the outcome then, too.
//
// Backoff has full jitter: a time between nothing and base * 2^n, up to a cap, after what RetryInfo
// asks for (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace homeport::sdk {

// Returns 64 random bits.
using Chance = absl::FunctionRef<uint64_t()>;

struct RetryOptions {
  // Attempts of one call, the first included.
  int attempts_max = 5;
  absl::Duration backoff_base = absl::Milliseconds(20);
  absl::Duration backoff_max = absl::Seconds(2);
};

// What is known of a call when an attempt of it has ended.
struct CallFacts {
  bool write = false;
  bool local_only = false;  // and so done at one replica or not at all
  bool sent = true;         // false: no connection, so the gateway has not seen this attempt
  bool maybe_done = false;  // a write: an attempt before this one was not answered
  int attempts = 1;         // so far, the one that ended included
  absl::Duration left;      // until the call's deadline
};

// What an attempt says of its gateway.
enum class GatewayVerdict {
  kAnswers,    // answered, be it with an error
  kFailed,     // refused the connection or broke it, or says that it is going away
  kTimedOut,   // no answer in the time that the attempt had
  kNoVerdict,  // the caller's own doing
};

enum class NextStep {
  kReturn,     // `status` is the call's outcome
  kSame,       // once more, at the same gateway
  kElsewhere,  // once more, at another gateway if there is one that is fit
};

struct Decision {
  NextStep step = NextStep::kReturn;
  // Before the next attempt.
  absl::Duration delay = absl::ZeroDuration();
  // For kReturn.
  absl::Status status;
  GatewayVerdict verdict = GatewayVerdict::kAnswers;
  // A write may have been done by this attempt or one before; the next one's facts.
  bool maybe_done = false;
};

// After an attempt that ended with `status`; OK is an end as well.
Decision Decide(const absl::Status& status, const CallFacts& facts, const RetryOptions& options,
                Chance chance);

// How long the server asks to wait; nothing if it does not.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// Between nothing and the backoff after `attempts` attempts.
absl::Duration Backoff(int attempts, const RetryOptions& options, Chance chance);

// The time that an attempt of a read may take when there are other gateways to ask: half of what is
// left, so that a gateway that went silent does not cost the whole call. A write has all of it.
absl::Duration AttemptTime(const CallFacts& facts, bool others);

// 128 random bits in hexadecimal: a name for a write that no other write has.
std::string NewRequestId(Chance chance);

}  // namespace homeport::sdk
