// The deciding part of a replica: numbers writes, keeps the change log, applies entries in causal
// order, and merges. No I/O but the engine that it is given; time is passed in.
//
// Work is staged, then committed: any number of writes, entries and skips make one engine batch and
// one sync. What is staged is seen by what is staged after it, and by nobody else before Commit()
// returns.
//
//   core.StageWrite(write, now);  core.StageEntry(bytes);  ...  core.Commit(now);
//
// Causality: an entry is applied when the origin's entries before it are, and everything that it
// depends on (after "Don't Settle for Eventual", Lloyd et al., SOSP 2011: dependencies are kept as
// one position an origin, and those that the origin's earlier entries imply are left out). An entry
// that has to wait stays in the log and costs no memory but the origin's head.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/session/session_token.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "homeport/v1/key_value.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/model/hybrid_clock.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/log_reader.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/request_ids.h"
#include "storage/replication/staging.h"

namespace homeport {

// Both clocks at one moment.
struct Moment {
  absl::Time wall;
  SteadyTime steady;
};

// A mutation that a client asks for. Validated, and its session token is applied here.
struct LocalWrite {
  const v1::MutateRequest* mutation = nullptr;
  const SessionToken* token = nullptr;
};

// The name that a write was given.
struct WriteName {
  Version version;
  Sequence sequence;
  // The write had been made before under the same request id; this is its name from then.
  bool repeated = false;
};

// Counts since Open(); for metrics.
struct CoreCounters {
  uint64_t writes = 0;             // local writes staged, without repeated ones
  uint64_t writes_repeated = 0;    // answered from the request ids
  uint64_t entries_received = 0;   // of other origins
  uint64_t entries_duplicate = 0;  // of other origins, and already here
  uint64_t entries_applied = 0;    // of other origins
  uint64_t registers_kept = 0;     // changes of entries that an existing version beat
  uint64_t clock_refusals = 0;     // times that an origin was found too far ahead
  uint64_t chain_entries = 0;      // written by this replica
};

// Not thread-safe: one thread stages and commits. view() may be called by any thread that is
// synchronized with Commit() by its caller.
class ReplicaCore {
 public:
  struct Options {
    std::string cluster;
    ReplicaName replica;
    HybridClock::Options clock;
    absl::Duration request_id_window = absl::Minutes(10);
    // Entries that one commit applies at most, so that local writes never wait for a long backlog.
    int apply_max = 2000;
    // Request ids that one commit forgets at most.
    int forget_max = 1000;
  };

  // Takes over what the engine has, or starts a new replica on an empty one, and commits the chain
  // entry of a new origin. `origin` is random and not 0. FAILED_PRECONDITION if the engine belongs
  // to another replica, cluster or format; DATA_LOSS if it is damaged; otherwise the engine's
  // errors. The engine must outlive the core.
  static absl::StatusOr<std::unique_ptr<ReplicaCore>> Open(Options options, KvEngine* engine,
                                                           Origin origin, const Moment& now);

  // Stages a write. INVALID_ARGUMENT (REQUEST_ID_REUSED) if its request id named another mutation;
  // DATA_LOSS and the engine's errors from reading. On error nothing is staged for it.
  absl::StatusOr<WriteName> StageWrite(const LocalWrite& write, const Moment& now);
  // What this region may hold; entries of anything else are refused. Without a policy all are.
  void SetPolicy(HoldingPolicy policy) { policy_.emplace(std::move(policy)); }
  // Namespaces of which entries were ever left out, because this region was not to hold them. What
  // is here of them has holes that nothing fills.
  const std::set<std::string>& left_out() const { return left_out_; }
  // Stages a serialized entry of another origin, or of an earlier one of this replica. One that is
  // already here changes nothing. FAILED_PRECONDITION if the origin's entries before it are not
  // here; DATA_LOSS if it is damaged; PERMISSION_DENIED if this region may not hold what it
  // changes; RESOURCE_EXHAUSTED if it would begin one origin too many. On error nothing is staged
  // for it.
  absl::Status StageEntry(absl::string_view bytes);
  // Stages a note that entries were left out because this region may not hold them. Errors as
  // above; FAILED_PRECONDITION also if by this side's policy it may.
  absl::Status StageSkip(const internal::v1::Skip& skip);
  // Takes note of a watermark; it counts once its position is applied here.
  void ObserveWatermark(Origin origin, Sequence sequence, HybridTime time);
  // Takes note of whose start an origin is, while its chain entry, which says so itself, has to
  // wait. Of an origin that has no entries here nothing is noted.
  void ObserveReplica(Origin origin, const ReplicaName& replica);

  // Applies what can be applied, writes everything staged with one sync, and publishes the new
  // view. On error what was staged is in an unknown state, the core is failed, and every later call
  // returns the same error: only opening again recovers.
  absl::Status Commit(const Moment& now);
  // True if Commit() would have something to do.
  bool HasStaged() const {
    return !staging_.empty() || apply_wanted_ || chain_wanted_ || ceiling_wanted_;
  }
  // True if the last commit met its bound and left entries that can be applied.
  bool HasBacklog() const { return apply_wanted_; }
  // Bytes staged by now.
  size_t staged_bytes() const { return staging_.bytes(); }

  // As of the last commit. Never null.
  const std::shared_ptr<const ReplicaView>& view() const { return view_; }
  // A watermark of this origin that holds from now on: its last committed sequence, and a time
  // after which every later write will be. Must be called with nothing staged.
  internal::v1::Watermark MakeWatermark(const Moment& now);
  // Origins whose next entry waits, and for what.
  std::vector<std::pair<Origin, OriginBlock>> Blocked() const;
  const CoreCounters& counters() const { return counters_; }
  HybridClock& clock() { return clock_; }
  Origin self() const { return self_; }

 private:
  ReplicaCore(Options options, KvEngine* engine, Origin self, const Moment& now, HybridTime floor);

  absl::Status LoadLeftOut();
  void StageChain(const Moment& now);
  void AppendOwn(internal::v1::Entry& entry, const Stamp& stamp);
  void StageCeiling(const Moment& now);

  // Applies entries until none can be, or the bound is met.
  absl::Status ApplyAll(const Moment& now);
  // Applies the next log record of an origin if it can be; false if it has to wait.
  absl::StatusOr<bool> ApplyNext(Origin origin, OriginState& state, LogReader& log,
                                 const Moment& now);
  absl::Status ApplyEntry(const internal::v1::Entry& entry);
  void Publish(const Moment& now);

  absl::Status MayHold(const internal::v1::Entry& entry) const;
  absl::Status MayLack(const internal::v1::Skip& skip) const;

  Options options_;
  KvEngine* engine_;
  Origin self_;
  std::optional<HoldingPolicy> policy_;
  HybridClock clock_;
  absl::Status failed_;
  OriginTable origins_;
  // What the own entries so far imply, by other origin.
  absl::flat_hash_map<Origin, Sequence> implied_;
  Staging staging_;
  ItemWriter items_;
  RequestIds requests_;
  std::set<std::string> left_out_;
  bool apply_wanted_ = false;
  bool chain_wanted_ = false;
  // No reading past this was promised to anyone; on disk, so that a restart begins after it.
  HybridTime ceiling_;
  bool ceiling_wanted_ = false;
  std::shared_ptr<const ReplicaView> view_;
  CoreCounters counters_;
};

}  // namespace homeport
