// The sending end of a link: walks the change log for one peer. No I/O but reading the engine.
//
// The queue for a peer is its position in the log on disk; what is kept here is one position an
// origin. The other side may end the link anywhere and come again with older positions; entries are
// then sent again, unchanged.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/compare_responder.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/member_table.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/seed_sender.h"

namespace homeport {

// Thread-compatible. The engine must outlive it.
class LinkSender {
 public:
  struct Options {
    std::string cluster;
    ReplicaName self;
    // A batch is closed at this many bytes before compression; a larger entry goes alone.
    size_t batch_bytes = 256 * 1024;
    // Sequences that one message may leave out, so that a message never walks the whole log.
    int skips_max = 10000;
    SeedSender::Options seeding{};
    // The greatest version of the frames that is sent.
    uint32_t frame_version = kFrameVersion;
  };

  LinkSender(Options options, KvEngine* engine);

  // The receiver's first message. A refusal (to be sent, then the link ends) if it may not pull.
  std::optional<internal::v1::PullResponse> OnHello(const internal::v1::Hello& hello,
                                                    std::shared_ptr<const Topology> topology,
                                                    const ReplicaView& view);
  // This side's topology has changed.
  void OnTopology(std::shared_ptr<const Topology> topology);
  // Credit, acknowledgements, relay sets and holds of any message, the first included.
  void OnRequest(const internal::v1::PullRequest& request, const ReplicaView& view);

  // The next message with entries, or nullopt when there is nothing to send or no credit. Only what
  // `view` says is durable is sent. DATA_LOSS if the log is damaged.
  absl::StatusOr<std::optional<internal::v1::PullResponse>> Next(const ReplicaView& view);
  // True while Next() has work to do that ends in a message some calls later.
  bool busy() const { return compare_.busy(); }
  // The next piece of a namespace that is being seeded, or nullopt; to be asked when Next() has
  // nothing, as entries go first. Errors as SeedSender::Next().
  absl::StatusOr<std::optional<internal::v1::PullResponse>> NextSeed(const ReplicaView& view,
                                                                     SteadyTime now);
  // A message that says how far this side is.
  internal::v1::PullResponse MakeHeartbeat(const ReplicaView& view,
                                           const internal::v1::Watermark& own, absl::Time wall);

  const ReplicaName& peer() const { return peer_; }
  // What the peer has acknowledged of an origin; 0 if nothing.
  Sequence PeerReceived(Origin origin) const;
  Sequence PeerApplied(Origin origin) const;

 private:
  struct Report {
    Sequence received;
    Sequence applied;
  };
  enum class Verdict { kSend, kSkip, kNotFromMe };

  absl::StatusOr<std::optional<internal::v1::PullResponse>> NextEntries(const ReplicaView& view);
  // Why the namespace can not be compared with the peer now; empty: it can.
  std::string CompareRefusal(const std::string& name_space, const ReplicaView& view) const;

  void TakeOwnOrigins(const ReplicaView& view);
  void TakeHolds(const internal::v1::PullRequest& request);
  void TakeReports(const google::protobuf::RepeatedPtrField<internal::v1::OriginReport>& reports);
  // Adds what follows `sent` in the origin's log to `response`; false when the message is full.
  absl::StatusOr<bool> Fill(Origin origin, Sequence limit, Origin self,
                            internal::v1::EntryBlock& block, size_t& bytes, int& skips_left,
                            internal::v1::PullResponse& response);
  Verdict Judge(const internal::v1::ChangeClass& change_class) const;
  absl::StatusOr<Verdict> JudgeEntry(absl::string_view bytes, bool own, std::string& trimmed,
                                     internal::v1::Skip& skip) const;
  void AddSkip(internal::v1::Skip skip, internal::v1::PullResponse& response) const;
  // What was left out for this side, and which the peer may hold in part: none of it is given.
  void AddGap(Origin origin, Sequence last,
              const google::protobuf::RepeatedPtrField<internal::v1::ChangeClass>& classes,
              Sequence sent, internal::v1::PullResponse& response);
  // What follows `sent` is not in the log: says so if it was truncated. DATA_LOSS if it was not.
  absl::Status AddTruncated(Origin origin, Sequence sent, internal::v1::PullResponse& response);
  absl::Status MayGive(const std::string& name_space, const ReplicaView& view) const;

  Options options_;
  KvEngine* engine_;
  CompareResponder compare_;
  std::shared_ptr<const Topology> topology_;
  ReplicaName peer_;
  std::string peer_fingerprint_;
  uint32_t frame_version_ = 1;  // of this link
  std::optional<HoldingPolicy> policy_;
  // Of this side's region.
  std::optional<HoldingPolicy> own_policy_;
  bool topologies_agree_ = false;
  // The receiver takes what is beyond a gap.
  bool takes_gaps_ = false;
  // The receiver takes what is owed while topologies differ.
  bool takes_owed_ = false;
  // What is being judged is owed if the peer may not hold it: only the origin's own replica owes,
  // as others may know better.
  bool owing_ = false;
  // Origins of which the peer was told of a gap.
  std::set<Origin> gapped_;
  int64_t credit_ = 0;
  // The last sequence sent (or known to be there), by origin that is being sent.
  std::map<Origin, Sequence> sent_;
  // Origins of other replicas that the receiver asked for.
  std::map<Origin, Sequence> relay_;
  // Origins that the receiver wants nothing of for now.
  std::set<Origin> held_;
  // The receiver wants no entries at all for now.
  bool standby_ = false;
  // Where an origin can not be sent on from here.
  std::map<Origin, Sequence> not_from_me_;
  // Where the log begins behind what the receiver needs.
  std::map<Origin, Sequence> truncated_;
  SeedSender seeds_;
  std::map<Origin, Report> acknowledged_;
  // What the last heartbeats said, so that only changes are repeated.
  std::map<Origin, Report> reported_;
  ReportSender members_;
};

// What this side says of itself at the start of a link.
internal::v1::Hello MakeHello(const std::string& cluster, const ReplicaName& self,
                              const std::string& topology_fingerprint, const ReplicaView& view,
                              absl::Time wall, uint32_t frame_version = kFrameVersion);

}  // namespace homeport
