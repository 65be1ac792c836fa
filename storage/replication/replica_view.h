// What a replica has, as of its last commit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/session/session_token.h"
#include "common/time/clock.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/last_changes.h"
#include "storage/replication/member_view.h"
#include "storage/replication/seed_view.h"
#include "storage/replication/stream_join.h"

namespace homeport {

// What the applied entries of an origin depend on, by themselves or by the chain entries among it.
// One position an origin, in ascending order.
using KnownPositions = std::vector<std::pair<Origin, Sequence>>;

// A replica's place in one origin.
struct OriginView {
  Origin origin;
  Sequence received;        // durably in the log
  Sequence applied;         // visible; never more than received
  HybridTime applied_time;  // timestamp of entry `applied`
  // Up to here everything that the origin has issued or will issue is applied.
  HybridTime watermark;
  // The chain entry that covers the origin; `covered_by` 0: the origin is live.
  Origin covered_by;
  Sequence covered_at;
  Sequence covered_end;
  // Names the replica whose start the origin is; empty while not known. Shared, as it never
  // changes.
  std::shared_ptr<const ReplicaName> replica;
  // First sequence that the log still has; what is before it was applied here, and can only be
  // had by seeding.
  Sequence log_begin{1};
  // Bytes of the origin's log.
  uint64_t log_bytes = 0;
  // The origin is about to be closed: nothing more of it is taken.
  bool frozen = false;
  // The end by the chain entry that closed the origin; later sequences are lost.
  std::optional<Sequence> closed_end;
  // Timestamp of the origin's first entry; 0 while that is not applied.
  HybridTime first_time;
  // May be null: nothing.
  std::shared_ptr<const KnownPositions> knows;
  // The disk had nothing of it when this process started.
  bool came_since_start = false;
  // What applied entries changed; null: not known.
  std::shared_ptr<const LastChanges> changes;
};

// Origins that a replica can know. One is added at each start of each replica, and each costs a
// little memory and a few bytes in every hello.
inline constexpr size_t kOriginsMax = 50'000;

struct KeptView;

// Immutable, shared between threads; a commit makes a new one.
struct ReplicaView {
  // In ascending order of the origin.
  std::vector<OriginView> origins;
  // This start of this replica.
  Origin self;
  // The clock at the commit, and the steady time then.
  HybridTime time;
  SteadyTime steady;
  // What the commit's next write would at least be named by: later than `time` while the disk knows
  // later times than the clock shows.
  HybridTime stamp;
  // Null if nothing is being seeded.
  std::shared_ptr<const SeedView> seeding;
  // Namespaces of which something is kept for others (kept_items.h). May be null.
  std::shared_ptr<const KeptView> kept;
  // Of the topology in force; empty before one is.
  std::string topology_fingerprint;
  // What other members have, as far as is known. May be null.
  std::shared_ptr<const MemberReports> members;
  // Every member was heard of.
  bool members_complete = false;
  // Entries that wait for others of their origin which come from elsewhere. Null if there are none.
  std::shared_ptr<const JoinView> joins;
  // Replicas that have left, with their origins. May be null.
  std::shared_ptr<const LeftReplicas> left;
  // Origins that a token named and that no member has ever heard of (unheard_origins.h). May be
  // null.
  std::shared_ptr<const std::set<Origin>> unheard;

  // The clock at a later steady time: what tells whether an item has expired.
  HybridTime TimeAt(SteadyTime now) const;
  // False while the namespace was given to this region and is not whole here yet.
  bool HoldsWhole(absl::string_view name_space) const;
  // Null if nothing is known of the origin.
  const OriginView* Find(Origin origin) const;
  Sequence ReceivedOf(Origin origin) const;
  Sequence AppliedOf(Origin origin) const;
  // Up to where the peer's stream of the origin was taken, if that is beyond what is received:
  // nothing of what lies between comes from that peer. Otherwise 0.
  Sequence SeenOf(const ReplicaName& peer, Origin origin) const;
  // True if everything that the token names is applied here. If not, `missing` (may be null) is one
  // position that is not.
  bool Covers(const SessionToken& token, SessionToken::Position* missing = nullptr) const;
  // The end of an origin of which nothing more exists: it was closed, or every member is known to
  // have nothing beyond the end that a chain entry gives it, and to have learned of that end before
  // it said so. nullopt: there may be more.
  std::optional<Sequence> EndOf(const OriginView& origin) const;
  // A position of the token that was lost with a disk: it is beyond the end of its origin, or of an
  // origin that went whole. nullopt: none is. And the token without such positions.
  std::optional<SessionToken::Position> FindLost(const SessionToken& token) const;
  void DropLost(SessionToken& token) const;
  // Replaces positions in origins that a chain entry applied here covers by that chain entry's, so
  // that a token has one position a replica however often replicas were restarted.
  void Normalize(SessionToken& token) const;
  // The latest watermark among the origins of `replica`; 0 if it was never heard of.
  HybridTime WatermarkOf(const ReplicaName& replica) const;
};

}  // namespace homeport
