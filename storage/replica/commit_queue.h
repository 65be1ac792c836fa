// What waits for the next commit.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/session/session_token.h"
#include "common/store/record_store.h"
#include "storage/model/journal_keys.h"
#include "storage/replica/replica.h"

namespace homeport {

// A client's write whose token is applied here.
struct QueuedWrite {
  CallContext context;
  const v1::MutateRequest* mutation;
  v1::MutateResponse* response;
  RecordStore::Done done;
  SessionToken token;
  size_t bytes = 0;
  // The conflict that it restores; 0: none.
  ConflictNumber restores;
};

struct QueuedPeerBatch {
  PeerBatch batch;
  absl::AnyInvocable<void(Taken)> done;
  size_t bytes = 0;
};

// A request whose token is not applied here yet, or a read that asks for less staleness than there
// is.
struct WaitingCall {
  CallContext context;
  const internal::v1::StoreRequest* request;
  internal::v1::StoreResponse* response;
  RecordStore::Done done;
  SessionToken token;
  // Of a BOUNDED read, which waits for watermarks and not for its token.
  std::optional<absl::Duration> max_staleness;
  // When it is told that what it waits for did not come in time.
  SteadyTime give_up;
};

}  // namespace homeport
