// What the receiving end of a link keeps for seeding: what the peer's log has no more, what is
// asked of the peer, and what it declined. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/v1/admin.pb.h"
#include "storage/replication/replica_view.h"

namespace homeport {

// Of one link. Thread-compatible.
class SeedLink {
 public:
  // After the peer declined, or sent something that was refused here, it is asked again after this.
  static constexpr absl::Duration kRetry = absl::Seconds(5);

  explicit SeedLink(ReplicaName peer) : peer_(std::move(peer)) {}

  // A new stream begins: the peer knows of no request.
  void OnConnected();
  // Takes note of a message of the established peer.
  void OnResponse(const internal::v1::PullResponse& response, SteadyTime now);
  // What the peer sent was refused here.
  void OnRefused(const absl::Status& why, SteadyTime now);
  // The namespace that is to be asked of this peer; nullopt: none.
  void Want(std::optional<std::string> name_space) { wanted_ = std::move(name_space); }
  // Adds what the peer is to be told by now.
  void AddTo(internal::v1::PullRequest& request, const ReplicaView& view, SteadyTime now);

  // The namespace that is asked of this peer; nullopt: none.
  const std::optional<std::string>& wanted() const { return wanted_; }
  // If the peer's log has not the entry that follows `after`, the last that it has not.
  std::optional<Sequence> TruncatedAt(Origin origin, Sequence after) const;
  bool DeclinedLately(absl::string_view name_space) const;
  // True if the peer does not hold the namespace whole.
  bool PeerIsPartial(absl::string_view name_space) const { return partial_.contains(name_space); }
  // True if the peer keeps what it had of the namespace, for those that may hold it.
  bool PeerKeeps(absl::string_view name_space) const { return kept_.contains(name_space); }
  // Sets state, reason and progress if the link is SEEDING or SNAPSHOT_NEEDED.
  void AddTo(v1::LinkStatus& status, const ReplicaView& view, SteadyTime now) const;

 private:
  struct Asked {
    std::string name_space;
    uint64_t generation = 0;
    SteadyTime since;
    uint64_t items = 0;  // that were here then
  };
  struct Declined {
    SteadyTime until;
    std::string why;
  };

  ReplicaName peer_;
  std::map<Origin, Sequence> truncated_;
  std::set<std::string, std::less<>> partial_;
  std::set<std::string, std::less<>> kept_;
  std::optional<std::string> wanted_;
  std::optional<Asked> asked_;
  uint64_t number_ = 0;  // of the last request; grows over all streams
  std::map<std::string, Declined, std::less<>> declined_;
};

}  // namespace homeport
