// The receiving end of a link: what to ask of a peer, and what its messages mean. No I/O.
//
// The peer may end the link anywhere, repeat entries after a reconnect and deliver late; it never
// alters an entry. What it sends is taken only in sequence, which ReplicaCore checks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/v1/admin.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/compare_initiator.h"
#include "storage/replication/gap_notes.h"
#include "storage/replication/join_holds.h"
#include "storage/replication/paused_origins.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/seed_link.h"

namespace homeport {

// What a peer was last heard to have of an origin.
struct PeerOrigin {
  Sequence received;
  Sequence applied;
  ReplicaName replica;  // empty while not known
};

// Thread-compatible.
class LinkReceiver {
 public:
  struct Options {
    std::string cluster;
    ReplicaName self;
    ReplicaName peer;
    // Bytes of batches that the peer may have under way.
    uint64_t credit_bytes = 32 * 1024 * 1024;
    // At most this many entries behind counts as streaming.
    uint64_t streaming_entries = 1000;
    // The greatest version of the frames that is taken.
    uint32_t frame_version = kFrameVersion;
  };

  explicit LinkReceiver(Options options);

  // The first message of a new stream.
  internal::v1::PullRequest OnConnected(const std::string& topology_fingerprint,
                                        const ReplicaView& view, absl::Time wall);
  // Takes note of a message. An error ends the stream: UNAUTHENTICATED if the other side is not the
  // expected peer, FAILED_PRECONDITION when it refuses (state() says what that means), DATA_LOSS
  // when the message makes no sense. Entries, skips and watermarks in it are the caller's to stage.
  absl::Status OnResponse(const internal::v1::PullResponse& response, SteadyTime now);
  // `bytes` of batches were committed, so as much credit can be granted again.
  void OnCommitted(uint64_t bytes, uint64_t entries, SteadyTime now);
  // What the peer sent of the origin was refused: the origin pauses on this link. As
  // PausedOrigins::OnRefused; an error ends the stream, as with OnResponse.
  absl::StatusOr<bool> OnRefused(Origin origin, absl::Status why) {
    return paused_.OnRefused(origin, std::move(why));
  }
  // Something of the origin was dropped, as too much waits already.
  void OnFull(Origin origin) { holds_.OnFull(origin); }
  // A message for the peer if there is something to say: credit, acknowledgements, relays. What the
  // peer gives is acknowledged at once, as writers may wait for it there; all else twice a second.
  std::optional<internal::v1::PullRequest> NextRequest(const ReplicaView& view);
  // Compares what is here with what the peer has, from now on. The engine must outlive this.
  void EnableComparisons(KvEngine* engine, CompareInitiator::Options options) {
    compare_ = std::make_unique<CompareInitiator>(engine, options);
  }
  // Namespaces that both sides may hold, in name order. None are compared before.
  void SetShared(const std::vector<std::string>& namespaces) {
    if (compare_ != nullptr) compare_->SetNamespaces(namespaces);
  }
  // Items of the peer that the last message brought to be merged here.
  std::vector<Repair> TakeRepairs() {
    return compare_ == nullptr ? std::vector<Repair>() : compare_->TakeRepairs();
  }
  // The stream ended; `why` as far as is known.
  void OnDisconnected(const absl::Status& why);
  // Other replicas' origins that this peer is to send, from the received positions on.
  void WantRelay(std::map<Origin, Sequence> wanted);

  // Why an origin waits that the peer relays; empty: none does.
  void Waits(std::string why) { waits_ = std::move(why); }

  // True: another replica of this region pulls what the peer has, and this one stands by.
  void StandBy(bool stand_by) { stand_by_ = stand_by; }
  // What is kept for seeding, and what the peer is to be asked for.
  SeedLink& seeds() { return seeds_; }
  const SeedLink& seeds() const { return seeds_; }

  // True between the peer's hello and the end of the stream.
  bool established() const { return established_; }
  // The link's state, positions and counts for status and metrics.
  v1::LinkStatus Status(const ReplicaView& view, absl::Time wall) const;
  // What the peer reported, by origin.
  const std::map<Origin, PeerOrigin>& peer_origins() const { return peer_origins_; }
  // True if the peer said that it can not send the origin beyond `after`.
  bool NotFromPeer(Origin origin, Sequence after) const;
  // Namespaces of which the peer does not give entries behind `after`, and up to `last`.
  std::set<std::string> Gaps(Origin origin, Sequence after,
                             Sequence last = Sequence(~uint64_t{0})) const {
    return gaps_.Namespaces(origin, after, last);
  }
  // True if the peer said that it does not give something of the origin which, as it was told last,
  // is not here.
  bool Withholds(Origin origin) const;
  const ReplicaName& peer() const { return options_.peer; }
  // The origin by which the peer opened the stream; 0 before its hello.
  Origin peer_start() const { return peer_start_; }
  // The peer's wall clock less this one's when its last message came, the way there included.
  std::optional<absl::Duration> clock_offset() const { return clock_offset_; }
  void ObserveWall(uint64_t peer_wall_micros, absl::Time wall);

 private:
  void TakeReports(const google::protobuf::RepeatedPtrField<internal::v1::OriginReport>& reports);
  uint64_t EntriesBehind(const ReplicaView& view) const;
  void Acknowledge(const ReplicaView& view, internal::v1::PullRequest& request);

  Options options_;
  bool established_ = false;
  Origin peer_start_;
  std::shared_ptr<const LeftReplicas> left_;
  v1::LinkState refused_state_ = v1::LINK_STATE_UNSPECIFIED;
  std::string reason_ = "not connected yet";
  std::map<Origin, PeerOrigin> peer_origins_;
  std::map<Origin, Sequence> not_from_peer_;
  std::map<Origin, std::pair<Sequence, Sequence>> acknowledged_;
  SteadyTime acknowledge_all_ = -absl::InfiniteDuration();  // when all is due
  GapNotes gaps_;
  JoinHolds holds_;
  std::string waits_;
  PausedOrigins paused_;
  bool stand_by_ = false;
  bool peer_holds_back_ = false;               // as it was told
  std::unique_ptr<CompareInitiator> compare_;  // null: nothing is compared
  SeedLink seeds_;
  SteadyTime now_ = -absl::InfiniteDuration();  // of the last message
  std::map<Origin, Sequence> relay_;
  bool relay_changed_ = false;
  uint64_t credit_due_ = 0;
  uint64_t bytes_received_ = 0;
  uint64_t bytes_committed_ = 0;
  uint64_t entries_received_ = 0;
  uint64_t connects_ = 0;
  std::optional<absl::Duration> clock_offset_;
};

}  // namespace homeport
