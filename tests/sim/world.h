// Replicas on disks in memory, links between them, and the virtual time in which all of it happens.
//
// One thread and one queue of events. The replicas are ReplicaCore, LinkSender, LinkReceiver,
// PlanRelays and what else production drives with threads, gRPC and RocksDB; here they are driven
// by the events. Nothing reads a clock or draws a number but from the seed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "common/session/session_token.h"
#include "common/topology/topology.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/replication/clock_guard.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/intake.h"
#include "storage/replication/join_phase.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/link_sender.h"
#include "storage/replication/puller.h"
#include "storage/replication/region_acks.h"
#include "storage/replication/relay_planner.h"
#include "storage/replication/replica_core.h"
#include "tests/sim/coverage.h"
#include "tests/sim/fault_engine.h"
#include "tests/sim/faults.h"
#include "tests/sim/history.h"
#include "tests/sim/random.h"
#include "tests/sim/shape.h"
#include "tests/sim/trace.h"

namespace homeport::sim {

class Invariants;

inline std::string StatusText(const absl::Status& status) { return std::string(status.message()); }

// A client's write on its way through a replica.
struct Operation {
  v1::MutateRequest mutation;
  // The conflict that it restores.
  std::optional<ConflictNumber> restores;
  SessionToken token;
  std::vector<int> items;
  std::vector<Effect> effects;
  int name_space = 0;
  // What its session had seen, and the latest time among it.
  Past past;
  uint64_t seen_time = 0;
  // Told once: OK after the commit; INVALID_ARGUMENT and the like when nothing happened; UNKNOWN
  // when nobody can say.
  std::function<void(const absl::Status&, const WriteName&)> done;
};

struct Node {
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::shared_ptr<MemoryDisk> copy;  // an old state of it
  std::unique_ptr<FaultEngine> engine;
  KvEngine* raw = nullptr;  // `engine` without its faults
  FaultPlan plan;
  std::unique_ptr<ReplicaCore> core;
  // Counts starts and ends, so that events of before are told.
  uint64_t life = 0;
  Micros paused_until = 0;
  // Clocks: the wall is off by `offset`; both run at 1 + rate / 10^6 since `rate_since`.
  Micros offset = 0;
  int64_t rate = 0;
  Micros rate_since = 0;
  Micros steady_then = 0;
  bool commit_pending = false;
  // Peers' records were merged here, so items may be newer than the positions say.
  bool seeded = false;
  struct PeerWork {
    int link = 0;
    uint64_t generation = 0;
    PeerBatch batch;
  };
  std::deque<PeerWork> peer_work;
  // Items that comparisons have brought since the last commit, each for a reason.
  uint64_t repairs = 0;
  std::deque<Operation> operations;
  // What was committed last on this disk; empty for a new disk.
  std::shared_ptr<const ReplicaView> last_view;
  // No own entry on this disk may be at or before this.
  uint64_t time_floor = 0;
  // Of the topology, as its file says there.
  int version = 0;
  // The greatest version of the frames that its program knows.
  uint32_t frame_version = kFrameVersion;
  // While the replica is new.
  std::optional<JoinState> join;
  // It left, and was started again with the disk that it had.
  bool old_disk = false;
  // It is not the disk that the run began with.
  bool disk_lost = false;
  // Since the start: which links to pull over, whether its clock is believed, and which regions
  // have what.
  std::unique_ptr<PullerChoice> puller;
  std::unique_ptr<ClockGuard> guard;
  RegionAcks acks;
  // How far the next start's clock is set ahead, whoever sees to it.
  Micros start_offset = 0;
  // Its clock was set so much ahead when it started.
  Micros started_ahead = 0;
  // Writes that are answered once so many other regions have them.
  struct Wanted {
    Origin origin;
    Sequence sequence;
    int name_space = 0;
    int regions = 0;
  };
  std::vector<Wanted> wanted;

  bool running() const { return core != nullptr; }
};

struct Link {
  int from = 0;
  int to = 0;
  bool up = false;
  uint64_t generation = 0;
  int cuts = 0;  // faults that hold it down
  int64_t slow = 1;
  int repeats = 0;  // faults that make it repeat what it carries
  // What the receiver's clock showed when it said hello, and how long the answer took.
  absl::Time hello_sent;
  Micros hello_sent_at = 0;
  Micros hello_took = 0;
  bool stands_by = false;
  bool pump_pending = false;
  // Whose state has changed since the last pump.
  bool receiver_stirred = false;
  bool sender_stirred = false;
  bool connect_pending = false;
  Micros down_since = 0;
  std::unique_ptr<LinkSender> sender;
  std::unique_ptr<LinkReceiver> receiver;
  std::deque<internal::v1::PullRequest> requests;
  std::deque<internal::v1::PullResponse> responses;
  Micros request_at = 0;  // arrival of the last one
  Micros response_at = 0;
  // Of the sender's topology: at the stream's begin, and by now.
  int version_first = 0;
  int version = 0;
  // Bytes that the receiver has granted and not been sent, and that it was sent and has not
  // committed: what it has to hold in memory.
  int64_t granted = 0;
  int64_t uncommitted = 0;
  // A message came twice on this stream, which gives back its bytes twice.
  bool repeated = false;
};

// Runs until told to stop. A failure stops it.
class World {
 public:
  World(const Shape& shape, Random random, Trace* trace, Coverage* coverage);
  ~World();

  // Starts all replicas.
  void Begin();
  // Handles events until `until` or a failure.
  void RunUntil(Micros until);
  // Calls `what` at `at`; events of one moment come in the order in which they were asked for.
  void Schedule(Micros at, std::function<void()> what);

  // Faults. Each is harmless where it does not apply.
  void Begin(const Fault& fault);
  void End(const Fault& fault);
  // All faults stop, and every replica is started.
  void HealAll();
  // Every replica runs, has received all that any has, and has applied it.
  bool Converged();

  // An item of a replica becomes another one, or goes, as by a bug: what is stored and its digests
  // agree. False if there is nothing that lends itself to it. To be called once all have converged;
  // comparisons have to find it, and to repair it as it was.
  bool Damage();
  bool DamageRepaired();
  // The item that Damage() has changed; empty before that.
  const std::string& damaged_key() const { return damaged_key_; }
  // Nothing is left that only waits: no tombstone, and no origin whose closing has begun and not
  // ended. To be asked for once all have converged. True of a run whose topologies never agree.
  bool Settled();
  // No replica's clock is further from another's than they believe each other: watermarks of one
  // that started ahead are put off for as long as it is.
  bool ClocksAgree();
  // What is left of it, for people.
  std::string Unsettled();
  // Tells the trace what replicas have not the same of.
  void TellDifferences();

  // Gives an operation to a replica that runs.
  void Submit(int node, Operation operation);
  // False while the replica refuses writes because its clock is ahead; checks that it does so
  // rightly.
  bool MayWrite(int node);

  const Shape& shape() const { return shape_; }
  Micros now() const { return now_; }
  int size() const { return static_cast<int>(nodes_.size()); }
  Node& node(int at) { return nodes_[at]; }
  // Whether the replica takes reads, and writes, as far as the topology goes.
  bool ServesReads(int at) const;
  bool ServesWrites(int at) const;
  // By the topology that the replica has in force.
  bool Holds(int at, int name_space) const {
    return shape_.Holds(at, name_space, nodes_[at].version);
  }
  bool RegionHolds(int at, int region, int name_space) const {
    const TopologyVersion& file = shape_.story.versions[nodes_[at].version];
    return file.listed[region] && file.held[name_space][region];
  }
  bool Listed(int at) const { return shape_.Lists(at, nodes_[at].version); }
  // The namespace was given to the replica's region and is not whole there.
  bool IsPartial(int at, int name_space) const;
  Moment MomentAt(int at) const;
  History& history() { return history_; }
  Trace& trace() { return *trace_; }
  Coverage& coverage() { return *coverage_; }
  Random& random() { return random_; }

  // The first thing that was wrong; empty if nothing is.
  const std::string& failure() const { return failure_; }
  void Fail(std::string what);
  uint64_t events() const { return events_; }
  // True once all have everything, and nothing is under way.
  bool converged() const { return converged_; }
  // Disks that were lost, which sessions may have to be told of.
  std::function<void()> on_disk_lost;
  int writes_lost() const { return writes_lost_; }

 private:
  // How long a stream that ended, and a process that ended itself, stay away.
  static constexpr Micros kReconnect = 40 * kMilli;
  static constexpr Micros kRestart = 60 * kMilli;
  // Messages that a link may have under way before its sender waits for the network.
  static constexpr size_t kUnderWayMax = 64;

  enum class Kind { kCall, kCommit, kPump, kRequest, kResponse, kConnect, kTick, kStart };
  struct Event {
    Micros at;
    uint64_t order;
    Kind kind;
    int subject;          // a node, a link, or a call
    uint64_t generation;  // of the subject when it was asked for
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  Link& LinkOf(int from, int to) { return links_[from * size() + to]; }
  int IndexOf(const Link& link) const { return link.from * size() + link.to; }
  void Push(Micros at, Kind kind, int subject, uint64_t generation);
  void Handle(const Event& event);
  Micros Delay(const Link& link);

  void Start(int at);
  void Crash(int at, bool power, size_t keep);
  void EndProcess(int at, bool power, size_t keep);
  void RestartLater(int at, Micros delay);
  void LoseDisk(int at, std::shared_ptr<MemoryDisk> disk);
  // Marks what no disk, no copy of one and no message that waits to be written has any more; how
  // many acknowledged writes are among it. To be called once disks were lost.
  int MarkLost();
  void WantCommit(int at);
  void Commit(int at);
  // The entries that a write replaces, or removes something of, at a replica with this view.
  std::vector<const EntryRecord*> Replaced(const Node& node, int name_space, const Effect& effect,
                                           const ReplicaView& view) const;
  // Notes what a seeding has brought of the items from which the planned entry removes something.
  void AddShown(const Node& node, EntryRecord& planned) const;
  void Tick(int at);

  const Topology& TopologyOf(int at) const;
  HoldingPolicy PolicyOf(int at) const;
  void BeginRollouts();
  // Begins with the next version if it may begin by now, or looks again later.
  void TryRollOut();
  // As `homeport region leave` sees it.
  bool HandedOver(int region) const;
  bool KnownToHaveLeft(int region) const;
  void TakeVersion(int at, int version);
  void MakeReceiver(Link& link);
  // How far the replica is with joining, by its disk and its topology.
  void LoadJoin(int at);
  void StepJoin(int at);

  void WantConnect(Link& link, Micros delay);
  void Connect(Link& link);
  void EndStream(Link& link, const absl::Status& why);
  void Cut(Link& link);
  void Uncut(Link& link);
  void SendRequest(Link& link, internal::v1::PullRequest request);
  void SendResponse(Link& link, internal::v1::PullResponse response);
  void Deliver(Link& link, internal::v1::PullResponse response);
  void TakeRequest(Link& link);
  // One side of the link does not let the other in.
  void Refused(Link& link, const std::string& why);
  void TakeResponse(Link& link);
  enum class Side { kReceiver, kSender };
  // Lets that end of the link say what it has to say, a little later.
  void WantPump(Link& link, Side side);
  void Pump(Link& link);
  void PlanAllRelays(int at);
  // By who pulls over which link what the candidates are good for, and tells the links.
  void ChoosePullers(int at, std::vector<RelayCandidate>& candidates);
  // Takes note of a peer's clock.
  void ObserveClock(Link& link, const internal::v1::PullResponse& response);
  absl::Time ClockReading(int at) const;
  // Answers the writes that enough regions have by now.
  void AnswerWanted(int at);

  const Shape& shape_;
  Random random_;
  Trace* trace_;
  Coverage* coverage_;
  std::vector<std::shared_ptr<const Topology>> topologies_;  // by version
  size_t rollouts_done_ = 0;
  History history_;
  std::vector<Node> nodes_;
  std::vector<Link> links_;
  std::unique_ptr<Invariants> invariants_;
  std::priority_queue<Event> queue_;
  std::map<uint64_t, std::function<void()>> calls_;
  uint64_t order_ = 0;
  uint64_t events_ = 0;
  uint64_t origins_ = 0;
  uint64_t copies_ = 0;
  int disks_lost_ = 0;
  bool clocks_bent_ = false;
  // What Damage() has changed: where, and what it was.
  int damaged_at_ = -1;
  std::string damaged_key_;
  std::string damaged_value_;
  Micros now_ = 0;
  bool converged_ = false;
  std::string failure_;
  int writes_lost_ = 0;
};

}  // namespace homeport::sim
