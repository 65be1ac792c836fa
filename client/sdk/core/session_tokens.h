// What a session has seen, as tokens that the client can not read.
//
// A reply's token covers the tokens that its request carried, and what the reply has seen. So a
// reply's token takes the place of those; tokens of replies that came in the meantime stay beside
// it, and the next request carries them all (common/session/token_bundle.h). Nothing that the
// session saw is ever left out, whatever the order of the replies.
//
// With at most kInFlightMax requests under way no more than kBundledTokensMax are ever held: a
// token leaves with the first reply to a request that was sent after it came, and before that only
// requests that were under way by then can bring others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace homeport::sdk {

// Thread-safe.
class SessionTokens {
 public:
  // Requests of one session that may be under way at once, and tokens of other sessions that may
  // be joined between two replies; together as many as a request can carry.
  static constexpr size_t kInFlightMax = 48;
  static constexpr size_t kJoinedMax = 16;

  // What a request carries. To be given back with its end.
  struct Carried {
    std::string bytes;
    uint64_t until = 0;  // tokens numbered below this are in `bytes`
  };

  // Of a new session.
  SessionTokens() = default;

  // Adds what another session has seen, by its Export(). INVALID_ARGUMENT (TOKEN_INVALID) if that
  // is not what Export() gives; RESOURCE_EXHAUSTED (LIMIT_EXCEEDED) if there are too many: make a
  // read, then join more. An error changes nothing. A session that has seen nothing takes whatever
  // another has exported.
  absl::Status Join(absl::string_view exported);

  Carried ToSend();
  // The request was answered with `token`, or refused as HISTORY_LOST with a fresh one: it takes
  // the place of what was carried. An empty token changes nothing.
  void Answered(const Carried& carried, std::string token);
  // What was carried is of another cluster, or damaged, and would be refused again and again.
  void Drop(const Carried& carried);
  // To be joined by another session, in another process too. Empty if nothing was seen.
  std::string Export() const;

 private:
  struct Token {
    uint64_t number;
    bool joined;
    std::string bytes;
  };

  std::string BytesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropLocked(const Carried& carried) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<Token> tokens_ ABSL_GUARDED_BY(mutex_);  // in ascending order of the number
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  bool sent_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace homeport::sdk
