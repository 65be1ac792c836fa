// The calls that a gateway has under way at one replica, and what it says to it.
//
// All decisions of the calling side are here, without a network, threads or a clock: inputs are
// method calls, time is one of them, and what is to be told to callers comes out as Completions,
// which are run by whoever drives the table, outside of its locks.
//
// A call ends exactly once: by an answer, an error, its deadline, its caller, or the stream's end.
// Only a call whose last byte was handed to the stream can have been executed. So when the stream
// ends the others are known not to have happened (REGION_UNREACHABLE), and only those are
// OUTCOME_UNKNOWN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/store/record_store.h"
#include "gateway/backend/frames/fragment_reader.h"
#include "gateway/backend/frames/fragment_writer.h"
#include "homeport/internal/v1/forwarding.pb.h"

namespace homeport {

struct CallTableOptions {
  // Name of the replica, for errors.
  std::string replica;
  absl::Duration ping_interval = absl::Milliseconds(500);
  absl::Duration ping_timeout = absl::Seconds(2);
  size_t fragment_bytes = 64 * 1024;
  // What is put into one message, about.
  size_t message_bytes = 64 * 1024;
  size_t in_flight_max = 16 * 1024;
  size_t in_flight_bytes_max = 256 * 1024 * 1024;
  AssemblyLimits assembly;
};

// A call's end, to be told. Movable.
class Completion {
 public:
  // It failed.
  Completion(RecordStore::Done done, absl::Status status)
      : done_(std::move(done)), status_(std::move(status)) {}
  // It was answered with `answer`, a serialized StoreResponse, which must have the kind `kind`.
  // Without `owned` the answer must live until Run().
  Completion(RecordStore::Done done, internal::v1::StoreResponse* response,
             internal::v1::StoreRequest::OperationCase kind, const std::string* answer)
      : done_(std::move(done)), response_(response), kind_(kind), answer_(answer) {}
  Completion(RecordStore::Done done, internal::v1::StoreResponse* response,
             internal::v1::StoreRequest::OperationCase kind, std::string owned)
      : done_(std::move(done)), response_(response), kind_(kind), owned_(std::move(owned)) {}

  // Parses the answer and calls `done`; once. An answer that can not be read is OUTCOME_UNKNOWN.
  void Run();

 private:
  RecordStore::Done done_;
  absl::Status status_;
  internal::v1::StoreResponse* response_ = nullptr;
  internal::v1::StoreRequest::OperationCase kind_ = internal::v1::StoreRequest::OPERATION_NOT_SET;
  const std::string* answer_ = nullptr;
  std::string owned_;
};

// Thread-compatible. Call ids are never used twice, over all its streams.
class CallTable {
 public:
  enum class State {
    kDown,      // there is no stream
    kStarting,  // started, nothing heard yet
    kUp,        // takes calls
    kDraining,  // the replica will stop; calls under way are finished
  };
  // A call to begin.
  struct Call {
    SteadyTime deadline = absl::InfiniteDuration();
    internal::v1::StoreRequest::OperationCase kind = internal::v1::StoreRequest::OPERATION_NOT_SET;
    std::string serialized;  // the StoreRequest
    internal::v1::StoreResponse* response = nullptr;
    RecordStore::Done done;
  };
  // What a message or a tick brought.
  struct Outcome {
    std::vector<Completion> completions;
    std::optional<absl::Duration> round_trip;
    // What came with the answer to a ping; null if nothing did.
    std::shared_ptr<const StoreFreshness> freshness;
    // The stream is up from now on.
    bool came_up = false;
    // Nothing has been heard for too long: end the stream.
    bool is_silent = false;
  };

  explicit CallTable(CallTableOptions options);

  // A stream was started; there must be none. The first message is a ping.
  void OnStreamStarted(SteadyTime now);
  // The stream is gone, with `reason`. Everything under way ends; `outcome` gets it.
  void OnStreamEnded(absl::string_view reason, Outcome* outcome);

  // Takes a call; returns its id. On error `call` is unchanged, and its `done` not called:
  //   UNAVAILABLE         REGION_UNREACHABLE, DRAINING (replica)
  //   RESOURCE_EXHAUSTED  OVERLOADED (what)
  //   INVALID_ARGUMENT    LIMIT_EXCEEDED (field): longer than the replica takes
  //   DEADLINE_EXCEEDED   the deadline has passed (waited_for: stream)
  absl::StatusOr<uint64_t> Begin(SteadyTime now, Call* call);
  // The caller does not wait any more: the call ends with CANCELLED, if it has not ended.
  void Cancel(uint64_t call, Outcome* outcome);

  // True if Fill() has something to write.
  bool HasOutput() const;
  // Replaces `message` with the next one.
  void Fill(SteadyTime now, internal::v1::ExchangeRequest* message);
  // Takes a message; completions may point into it. An error: the replica broke the protocol, the
  // stream is to be ended; what `outcome` has then still holds.
  absl::Status OnMessage(SteadyTime now, internal::v1::ExchangeResponse* message, Outcome* outcome);

  // Ends calls whose deadline has passed, pings, and notices silence.
  void OnTick(SteadyTime now, Outcome* outcome);
  // When OnTick() has something to do next; later calls may make it earlier.
  SteadyTime next_tick() const;

  State state() const { return state_; }
  size_t in_flight() const { return calls_.size(); }
  size_t in_flight_bytes() const { return call_bytes_; }

 private:
  struct InFlight {
    SteadyTime deadline;
    internal::v1::StoreRequest::OperationCase kind;
    internal::v1::StoreResponse* response;
    RecordStore::Done done;
    size_t bytes;
    bool begun = false;  // a fragment has gone out
    bool sent = false;   // all of them have
  };
  using Calls = absl::flat_hash_map<uint64_t, InFlight>;

  // Takes a call out of the table; tells the replica if it does not know yet that it has ended.
  RecordStore::Done Take(Calls::iterator it, bool answered);
  bool StampFragment(SteadyTime now, internal::v1::Fragment* fragment, bool first, bool last);
  absl::Status OnFragment(SteadyTime now, internal::v1::Fragment* fragment, Outcome* outcome);
  void PushDeadline(SteadyTime deadline, uint64_t call);

  const CallTableOptions options_;
  State state_ = State::kDown;
  bool was_draining_ = false;
  uint64_t last_call_ = 0;
  Calls calls_;
  size_t call_bytes_ = 0;
  // A heap, soonest first. Holds calls that have ended too; rebuilt when those are the most of it.
  std::vector<std::pair<SteadyTime, uint64_t>> deadlines_;
  FragmentWriter writer_;
  FragmentReader reader_;
  std::vector<uint64_t> cancelled_;

  uint64_t last_ping_ = 0;
  bool ping_due_ = false;        // to be written
  bool ping_under_way_ = false;  // written, not answered
  SteadyTime ping_due_at_;       // of the one that is due or under way
  SteadyTime ping_sent_at_;
  SteadyTime next_ping_at_ = absl::InfiniteDuration();
  SteadyTime heard_at_;
  absl::Duration round_trip_;  // the last one measured
};

}  // namespace homeport
