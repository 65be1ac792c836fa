// What a link brings, and taking it into a replica's core. No I/O.
//
// A link takes messages off the wire and unpacks them; the thread that owns the core stages them.
// The two are apart, so that several messages can share a commit:
//
//   auto batch = UnpackResponse(peer, response);          // the link
//   Taken taken = TakeIn(*batch, core, now);              // the owner of the core
//   core.Commit(now);
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/replication/compare_initiator.h"
#include "storage/replication/replica_core.h"

namespace homeport {

// What one message of a peer brought.
struct PeerBatch {
  ReplicaName peer;
  // The origin by which the peer opened the stream (LinkReceiver::peer_start); 0: not known.
  Origin peer_start;
  // In the stream's first message.
  std::optional<internal::v1::Hello> hello;
  internal::v1::EntryBlock block;
  std::vector<internal::v1::Skip> skips;
  std::vector<internal::v1::Gap> gaps;
  // The peer goes by another topology, and what it leaves out is owed.
  bool topologies_differ = false;
  std::optional<internal::v1::SeedChunk> seed_chunk;
  internal::v1::Heartbeat heartbeat;
  // Whose start each origin is, as the peer says.
  std::vector<std::pair<Origin, ReplicaName>> names;
  // Items to be merged, which a comparison found to differ.
  std::vector<Repair> repairs;
  // Bytes of the message's batch as it came, which count against the link's credit.
  uint64_t credit_bytes = 0;

  // True if staging it writes something: entries, skips, repairs, or a piece of a seeding.
  bool HasEntries() const {
    return block.entries_size() > 0 || !skips.empty() || seed_chunk.has_value() || !repairs.empty();
  }
};

// Unpacks a message. DATA_LOSS if its batch is damaged, and INVALID_ARGUMENT if it is larger than
// any may be: the stream is of no use then.
absl::StatusOr<PeerBatch> UnpackResponse(const ReplicaName& peer,
                                         const internal::v1::PullResponse& response);

// An origin of which the peer sent something that is not taken here.
struct RefusedOrigin {
  Origin origin;
  // FAILED_PRECONDITION, PERMISSION_DENIED or RESOURCE_EXHAUSTED, as ReplicaCore::StageEntry and
  // StageSkip.
  absl::Status why;
};

// What became of a batch.
struct Taken {
  // Not OK when the peer's messages make no sense (DATA_LOSS), or the core has failed: the link is
  // to end. What came before in the batch is staged nevertheless.
  absl::Status status;
  // Origins that do not go on over this link, each with the first reason. What the batch has of
  // other origins is staged.
  std::vector<RefusedOrigin> refused;
  // Origins of which something was dropped, as it would have to wait and too much does already. The
  // peer is to hold them until there is room (JoinHolds).
  std::vector<Origin> full;
  // Why the piece of a seeding that it has was refused: FAILED_PRECONDITION, PERMISSION_DENIED or
  // RESOURCE_EXHAUSTED, as ReplicaCore::StageSeedChunk. The link goes on.
  absl::Status seed_refused;
  // Why a repair was not taken, as ReplicaCore::StageRepair; OK: all were.
  absl::Status repair_refused;
  // Entries of the batch that are not among the refused.
  uint64_t entries = 0;
};

// Stages everything that the batch has, in the order of PullResponse's fields, and what waited for
// it. What lies beyond a gap in the peer's stream waits (ReplicaCore::joins()). Nothing is
// committed.
Taken TakeIn(const PeerBatch& batch, ReplicaCore& core, const Moment& now);

}  // namespace homeport
