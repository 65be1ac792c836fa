// A storage replica: the replication core, an engine, and the threads that drive them.
//
// One thread stages and commits: it takes what clients and links have brought since the last sync,
// makes one batch of it, syncs once, and only then answers (group commit). Another runs the
// answers, so that the next sync does not wait for them. Reads run in the caller's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/store/record_store.h"
#include "common/time/clock.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/v1/admin.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replication/clock_guard.h"
#include "storage/replication/intake.h"
#include "storage/replication/record_reader.h"
#include "storage/replication/replica_core.h"

namespace homeport {

struct ReplicaOptions {
  ReplicaName name;
  // Where the data is; for error messages.
  std::string data_path;
  absl::Duration clock_drift_max = absl::Milliseconds(500);
  absl::Duration request_id_window = absl::Minutes(10);
  // The operator says that this machine's clock is right, whatever the peers' say.
  bool clock_confirmed = false;
  // Writes are refused for so long at most after the start, until a peer's clock was compared with
  // this one or no peer can be reached.
  absl::Duration clock_hold = absl::ZeroDuration();
  // Writes are refused when the disk has less than this free.
  uint64_t disk_reserve_bytes = 64 * 1024 * 1024;
  ReadLimits read_limits;
  // Writes that wait for a commit at most; one more is RESOURCE_EXHAUSTED (OVERLOADED).
  size_t writes_queued_max = 16 * 1024;
  size_t write_bytes_queued_max = 128 * 1024 * 1024;
  // Requests that wait for their session token at most.
  size_t waiting_max = 16 * 1024;
  // What one commit takes at most, beyond the first.
  size_t group_writes_max = 1024;
  size_t group_bytes_max = 4 * 1024 * 1024;
};

// How a replica stands; for metrics.
struct ReplicaStats {
  CoreCounters core;
  uint64_t commits = 0;
  uint64_t commit_bytes = 0;
  uint64_t clock_jumps_ignored = 0;
  size_t writes_queued = 0;
  size_t waiting = 0;
  size_t waiting_for_regions = 0;
  std::vector<std::pair<Origin, OriginBlock>> blocked;
  std::shared_ptr<const ConflictStats> conflicts;  // never null
};

// Thread-safe.
class Replica : public RecordStore {
 public:
  // Opens the replica on `engine`, with a new `origin` (random, not 0), and starts its threads.
  // `clock` must outlive it. Errors as ReplicaCore::Open;
  // FAILED_PRECONDITION also if the region holds a namespace of which this data has holes.
  static absl::StatusOr<std::shared_ptr<Replica>> Open(ReplicaOptions options,
                                                       std::unique_ptr<KvEngine> engine,
                                                       const Clock* clock,
                                                       std::shared_ptr<const Topology> topology,
                                                       Origin origin);
  ~Replica() override;

  void Execute(const CallContext& context, const internal::v1::StoreRequest& request,
               internal::v1::StoreResponse* response, Done done) override;

  std::shared_ptr<const StoreFreshness> freshness() const override;

  // Takes in what a link brought. `done` is called once it is durable, with what became of it: the
  // status also is RESOURCE_EXHAUSTED if the disk is full, UNAVAILABLE while stopping.
  void SubmitFromPeer(PeerBatch batch, absl::AnyInvocable<void(Taken)> done);

  // What a peer says that it has, on the stream on which it pulls: writes may wait for it.
  void OnPeerHello(const internal::v1::Hello& hello);
  void OnPeerAcknowledged(
      const ReplicaName& peer,
      const google::protobuf::RepeatedPtrField<internal::v1::OriginReport>& reports);

  // A peer's clock was read.
  void ObservePeerClock(const ReplicaName& peer, const ClockBounds& bounds);
  // A link to a peer could not be established.
  void OnPeerUnreachable(const ReplicaName& peer);
  // What a peer has, at the start of a link that pulls from it.
  void OnPulledHello(const internal::v1::Hello& hello);
  // A peer refuses this replica as one that left, and says what is to be done.
  void OnLeft(const ReplicaName& peer, const std::string& detail);
  // Everything shared with some peer was compared since `since`, and no difference found.
  void OnCompared(SteadyTime since);
  // True while the replica is new, and waits for that.
  bool joining() const;
  // True while writes are refused because the clock is not compared with the peers' yet.
  bool clock_held() const;
  // The replica's clock: what is compared with the peers' clocks. A write now gets no earlier time,
  // whether the wall clock is ahead or the times on the disk are.
  absl::Time ClockReading() const;

  // Begins to seed the whole replica with these namespaces; nothing if that is under way.
  void SeedAll(std::vector<std::string> namespaces);

  // As of the last commit. Never null.
  std::shared_ptr<const ReplicaView> view() const;
  std::shared_ptr<const Topology> topology() const;
  // The namespaces' regions must not have changed (the caller checks).
  void SetTopology(std::shared_ptr<const Topology> topology);
  // A watermark of this start; renewed while the replica runs.
  internal::v1::Watermark watermark() const;
  // For reading the log.
  KvEngine* engine();
  const ReplicaName& name() const;
  const Clock* clock() const;

  // `listener` is called after every commit, and at least ten times a second, from the commit
  // thread: it must return at once. Returns its number. After RemoveListener returns it is not
  // called any more.
  int AddListener(std::function<void()> listener);
  void RemoveListener(int number);

  // Name, origin, positions, disk and why writes are refused; links are the caller's to add.
  v1::ReplicaStatus Status() const;
  ReplicaStats Stats() const;
  // OK while writes are taken; else why not.
  absl::Status WriteState() const;
  // The storage failed because the disk was full, and there is room again: a replica opened anew on
  // the same data would take writes.
  bool MayBeReopened() const;
  // Finishes what is queued and stops the threads; later calls get DRAINING. Idempotent.
  void Stop();

 private:
  class Impl;
  explicit Replica(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport
