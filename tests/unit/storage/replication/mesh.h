// Replica cores in one process, linked by queues that a test delivers, cuts and loses by hand.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/session/session_token.h"
#include "common/topology/topology.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/link_sender.h"
#include "storage/replication/relay_planner.h"
#include "storage/replication/replica_core.h"
#include "storage/replication/seed_planner.h"

namespace homeport {

// Replica i is "r<i>/a" in region "r<i>". Time stands still until a test moves it; each replica's
// wall clock can be off. Not thread-safe.
class Mesh {
 public:
  // Every region holds "all"; "some" is held by regions 0 and 1 only.
  explicit Mesh(int size) : Mesh(size, {}) {}
  // Besides, these namespaces are held by these regions.
  using Namespaces = std::map<std::string, std::vector<int>>;
  Mesh(int size, Namespaces more);

  int size() const { return static_cast<int>(nodes_.size()); }
  // Opens the replica on its disk with a new origin.
  void Start(int at);
  // The same, but false if the disk failed; the replica is down then.
  bool TryStart(int at);
  // The process dies; with `power`, so does what was not synced.
  void Crash(int at, bool power = false);
  // The disk is replaced by an empty one. The replica must be down.
  void WipeDisk(int at);
  // Copies the disk as it is now; RestoreDisk() puts the last copy in its place, as a backup would.
  // To restore, the replica must be down; false if there is no copy.
  void CopyDisk(int at);
  bool RestoreDisk(int at);
  // The replica's next write to its disk fails.
  void FailNextWrite(int at, MemoryDisk::Fate fate) {
    nodes_[at].disk->FailNextWrite(absl::StatusCode::kUnavailable, fate);
  }
  // True once a write to the disk has failed; only Crash() and Start() help.
  bool failed(int at) const { return nodes_[at].failed; }
  // What the replica's disk has of an origin, also while it is down.
  Sequence ReceivedOnDisk(int at, Origin origin);
  bool running(int at) const { return nodes_[at].core != nullptr; }
  ReplicaCore& core(int at) { return *nodes_[at].core; }
  KvEngine& engine(int at) { return *nodes_[at].engine; }
  // The replica's disk; to be opened by others only while the replica is down.
  const std::shared_ptr<MemoryDisk>& disk(int at) { return nodes_[at].disk; }

  // Writes and commits. `token` (may be null) is waited for by nobody: it must be applied.
  absl::StatusOr<WriteName> Put(int at, const std::string& name_space, const std::string& id,
                                const std::string& value, SessionToken* token = nullptr,
                                const std::string& request_id = "");
  // Makes any mutation and commits it.
  absl::StatusOr<WriteName> Mutate(int at, const v1::MutateRequest& mutation,
                                   const SessionToken& token);
  absl::StatusOr<WriteName> Delete(int at, const std::string& name_space, const std::string& id);
  // The value of item "" of a record; nullopt if there is none.
  std::optional<std::string> Get(int at, const std::string& name_space, const std::string& id,
                                 SessionToken* token = nullptr);

  // Links that are connected from now on compare what both sides hold.
  void EnableComparisons() { comparisons_ = true; }
  // From now on Settle() lets replicas close origins, and drop tombstones and what has expired.
  void EnableUpkeep() { upkeep_ = true; }
  void Tend(int at);
  // The topology lists these replicas only, all of regions 0 and 1 among them. Links are cut.
  void SetListed(const std::set<int>& listed);
  // The state of `to`'s link from `from`.
  v1::LinkStatus LinkStatusOf(int from, int to) {
    return links_.at({from, to})->receiver->Status(*core(to).view(), Now(to).wall);
  }
  // Connects `to`'s link from `from`, dropping what the last stream had under way.
  void Connect(int from, int to);
  void Cut(int from, int to, const absl::Status& why = absl::UnavailableError("cut"));
  bool connected(int from, int to) const { return links_.at({from, to})->up; }
  void ConnectAll();
  // Lets the sender say what it has to say, then delivers at most one message each way. True if
  // anything moved.
  bool Step(int from, int to, bool heartbeat);
  // Steps all links and commits until nothing moves. False if that takes too long. Without `relays`
  // only an origin's own replica sends its entries.
  bool Settle(bool relays = true);
  // Asks relays of whoever can send what a down link does not bring.
  void PlanAllRelays(int at);
  // Begins a seeding that is needed, and asks for the next namespace.
  void PlanAllSeeding(int at);
  // Gives "some" to these regions, at once everywhere; streams are to be connected again.
  void SetRegionsOfSome(const std::vector<int>& regions);
  // The same at one replica only, as in a rollout. What it pulls ends; what others pull goes on.
  void SetRegionsOfSomeAt(int at, const std::vector<int>& regions);
  // The replica's log loses everything that is applied there.
  void TruncateLog(int at);
  // How the replicas that start from now on seed.
  void SetSeeding(const SeedReceiver::Options& receiver, const SeedSender::Options& sender) {
    seed_receiver_ = receiver;
    seed_sender_ = sender;
  }
  // How much may wait for other links' entries at replicas that start from now on.
  void SetJoining(const StreamJoin::Options& options) { joining_ = options; }
  // What `to` says of its link from `from`.
  v1::LinkStatus Status(int from, int to) {
    return links_.at({from, to})->receiver->Status(*core(to).view(), Now(to).wall);
  }
  // Everything stored under items, for comparing replicas.
  std::map<std::string, std::string> Items(int at);
  void Advance(absl::Duration by) { now_ += by; }
  void SkewWall(int at, absl::Duration by) { nodes_[at].skew = by; }
  Moment Now(int at) const {
    return {absl::FromUnixSeconds(1'700'000'000) + now_ + nodes_[at].skew, now_};
  }
  const std::shared_ptr<const Topology>& topology() const { return topology_; }
  static ReplicaName NameOf(int at) { return ReplicaName("r" + std::to_string(at) + "/a"); }

 private:
  struct Node {
    std::shared_ptr<const Topology> topology;  // null: that of all
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<KvEngine> engine;
    std::unique_ptr<ReplicaCore> core;
    std::shared_ptr<MemoryDisk> copy;
    absl::Duration skew;
    bool failed = false;
  };
  struct Link {
    bool up = false;
    std::unique_ptr<LinkSender> sender;
    std::unique_ptr<LinkReceiver> receiver;
    std::deque<internal::v1::PullRequest> requests;
    std::deque<internal::v1::PullResponse> responses;
  };

  const std::shared_ptr<const Topology>& TopologyOf(int at) const {
    return nodes_[at].topology == nullptr ? topology_ : nodes_[at].topology;
  }
  absl::Status Commit(int at);
  absl::Status Take(int to, const internal::v1::PullResponse& response, Link& link);

  Namespaces more_;
  std::shared_ptr<const Topology> topology_;
  std::vector<Node> nodes_;
  std::map<std::pair<int, int>, std::unique_ptr<Link>> links_;
  absl::Duration now_ = absl::Hours(1);
  uint64_t origins_ = 0;
  uint64_t copies_ = 0;
  int quiet_from_round_ = 0;
  SeedReceiver::Options seed_receiver_;
  SeedSender::Options seed_sender_;
  StreamJoin::Options joining_;
  bool comparisons_ = false;
  bool upkeep_ = false;
};

}  // namespace homeport
