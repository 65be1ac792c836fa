// A replica in another process, reached over one long-lived stream with many calls in flight.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/rpc/stream_queues.h"
#include "common/store/record_store.h"
#include "common/time/clock.h"

namespace homeport {

struct RemoteStoreOptions {
  std::string address;  // host:port of the replica's internal port
  std::string replica;  // its name, for errors
  absl::Duration ping_interval = absl::Milliseconds(500);
  // A ping that takes longer than this closes the stream.
  absl::Duration ping_timeout = absl::Seconds(2);
  // Pieces into which larger messages are cut, so that they never delay small ones.
  size_t fragment_bytes = 64 * 1024;
  // Calls in flight at most; one more is RESOURCE_EXHAUSTED (OVERLOADED).
  size_t in_flight_max = 16 * 1024;
  size_t in_flight_bytes_max = 256 * 1024 * 1024;
};

// Connects in the background and again after every loss. While there is no stream a call fails at
// once with REGION_UNREACHABLE; when the stream ends, calls that were sent fail with
// OUTCOME_UNKNOWN. Deadlines and cancellation are passed on. Thread-safe. Destroying it ends the
// stream and waits for callbacks.
class RemoteStore : public RecordStore {
 public:
  // `clock` and `queues` must outlive it, and `queues` its callbacks: destroyed on the thread of a
  // queue it does not wait for them. `on_round_trip` gets every measured round trip, `on_lost` the
  // reason of every loss; any thread.
  static std::shared_ptr<RemoteStore> Create(const Clock* clock, StreamQueues* queues,
                                             RemoteStoreOptions options,
                                             absl::AnyInvocable<void(absl::Duration)> on_round_trip,
                                             absl::AnyInvocable<void(std::string)> on_lost);
  // True while a stream is up.
  virtual bool connected() const = 0;
};

}  // namespace homeport
