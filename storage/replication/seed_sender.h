// The sending end of a seeding: walks a namespace for one receiver. No I/O but reading the engine.
//
// First the applied vector is taken, then a snapshot of the engine, so the snapshot shows every
// effect of the vector. Of a namespace that is not held whole any more and kept for others, the
// vector is that of the last moment at which it was. Nothing grows with the namespace: the place is
// one key. While a request is served the snapshot is held, which keeps disk space from being freed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/seed.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/seed_chunk.h"

namespace homeport {

// Thread-compatible. The engine must outlive it.
class SeedSender {
 public:
  struct Options {
    // A chunk is closed at this many bytes before compression; a larger item goes alone.
    size_t chunk_bytes = 256 * 1024;
    // Items or request ids of a chunk at most.
    int chunk_items = 5000;
    // What is sent at most, on average; a second's worth may go at once.
    uint64_t bytes_per_second = 64 * 1024 * 1024;
  };

  SeedSender(Options options, KvEngine* engine) : options_(options), engine_(engine) {}

  // Takes the place of what was asked for before. With `allowed` not OK the next chunk says so.
  void OnRequest(const internal::v1::SeedRequest& request, absl::Status allowed);
  // The next chunk, or nullopt: nothing is asked for, what was asked for is sent, it waits for
  // `at_least`, or it would be too fast. DATA_LOSS if what is stored does not parse; otherwise the
  // engine's errors.
  absl::StatusOr<std::optional<internal::v1::SeedChunk>> Next(const ReplicaView& view,
                                                              SteadyTime now);
  // True while something is asked for of which nothing is read yet.
  bool waiting() const { return request_.has_value() && snapshot_ == nullptr; }
  // The namespace that is asked for, of a request that is waiting; and whether it is given.
  const std::string& name_space() const { return request_->namespace_(); }
  void Allow(absl::Status allowed) { allowed_ = std::move(allowed); }
  // True while something is asked for and not sent.
  bool active() const { return request_.has_value(); }

 private:
  bool HasSpeed(SteadyTime now);
  absl::Status Begin(const ReplicaView& view, internal::v1::SeedChunk& chunk);
  absl::Status Fill(internal::v1::SeedBlock& block, SeedRange& range) const;

  Options options_;
  KvEngine* engine_;
  std::optional<internal::v1::SeedRequest> request_;
  absl::Status allowed_;
  std::unique_ptr<KvSnapshot> snapshot_;  // null: not begun
  SeedPlace place_;
  // Bytes that may be sent at once by now; below 0 after a large chunk.
  double tokens_ = 0;
  std::optional<SteadyTime> refilled_;
};

}  // namespace homeport
