// The inside of a Replica: what its requests, its commit thread and its status share.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "storage/replica/ack_waits.h"
#include "storage/replica/call_waits.h"
#include "storage/replica/commit_queue.h"
#include "storage/replica/disk_gate.h"
#include "storage/replica/freshness_tracker.h"
#include "storage/replica/published.h"
#include "storage/replica/replica.h"
#include "storage/replica/replica_guards.h"
#include "storage/replica/request_reader.h"
#include "storage/replica/runner.h"
#include "storage/replication/moment.h"
#include "storage/replication/retention.h"

namespace homeport {

// How often things are done that nobody asks for: watermarks, request ids.
inline constexpr absl::Duration kReplicaTick = absl::Milliseconds(100);

// The bounds of the log that a topology sets.
RetentionLimits RetentionOf(const Topology& topology);
// Nothing of what a link brought was taken in.
Taken RefusedBatch(absl::Status why);

// Thread-safe.
class Replica::Impl {
 public:
  Impl(ReplicaOptions options, std::unique_ptr<KvEngine> engine, std::unique_ptr<ReplicaCore> core,
       const Clock* clock, std::shared_ptr<const Topology> topology, JoinState::Phase phase);
  ~Impl() { Stop(); }

  // replica_requests.cc: the caller's thread.
  void Execute(const CallContext& context, const internal::v1::StoreRequest& request,
               internal::v1::StoreResponse* response, Done done);
  void SubmitFromPeer(PeerBatch batch, absl::AnyInvocable<void(Taken)> done);
  void SeedAll(std::vector<std::string> namespaces);
  void SetTopology(std::shared_ptr<const Topology> topology);
  // Why clients' writes are refused.
  absl::Status WriteState() const;
  bool MayBeReopened() const { return disk_.MayBeReopened(); }

  // replica_impl.cc
  std::shared_ptr<const Published> published() const;
  std::shared_ptr<const Topology> topology() const;
  internal::v1::Watermark watermark() const;
  int AddListener(std::function<void()> listener);
  void RemoveListener(int number);
  ReplicaStats Stats() const;
  void Stop();

  const ReplicaOptions& options() const { return options_; }
  KvEngine* engine() { return engine_.get(); }
  const Clock* clock() const { return clock_; }
  AckWaits& acks() { return acks_; }
  ReplicaGuards& guards() { return guards_; }

 private:
  Moment Now() const { return {clock_->WallNow(), clock_->SteadyNow()}; }

  // Answers, queues or lets the call wait, and takes `done`; or returns why it does none of it.
  absl::Status TryExecute(const CallContext& context, const internal::v1::StoreRequest& request,
                          internal::v1::StoreResponse* response, Done& done);
  absl::Status Wait(const CallContext& context, const internal::v1::StoreRequest& request,
                    internal::v1::StoreResponse* response, Done& done, SessionToken token,
                    const SessionToken::Position& missing);
  // Lets the call wait for its token or, with `max_staleness`, for watermarks.
  absl::Status PutAside(const CallContext& context, const internal::v1::StoreRequest& request,
                        internal::v1::StoreResponse* response, Done& done, SessionToken token,
                        std::optional<absl::Duration> max_staleness);
  // Lets the commit thread find out whether anybody knows what the token names and is not known
  // here.
  void AskAboutUnknown(const ReplicaView& view, const SessionToken& token);
  // More regions than there are can never answer, and that is known at once.
  absl::Status CheckAcks(const Published& published, const NamespaceInfo& info,
                         const v1::WriteOptions& options) const;
  absl::Status Enqueue(const CallContext& context, const v1::MutateRequest& mutation,
                       v1::MutateResponse* response, Done& done, SessionToken token,
                       ConflictNumber restores);

  // replica_commits.cc: the commit thread.
  struct WriteOutcome {
    absl::Status status;
    WriteName name;
  };
  void CommitLoop();
  // What nobody asks for, about once a second.
  void Tend(const Moment& now);
  // How long the commit thread may sleep: no waiting call is to learn too late that it gives up.
  absl::Duration PatienceLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeWork(bool from_peers, std::vector<QueuedWrite>& writes,
                std::vector<QueuedPeerBatch>& batches) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CommitGroup(const Moment& now, std::vector<QueuedWrite>& writes,
                   std::vector<QueuedPeerBatch>& batches);
  WriteOutcome StageWrite(QueuedWrite& write, const Moment& now);
  Taken StagePeerBatch(const PeerBatch& batch, const Moment& now);
  void NoteCommit(const absl::Status& committed, size_t bytes, const Moment& now);
  // Makes what was committed visible to readers, and follows a topology that has changed.
  void Publish();
  void AnswerWrites(const Published& published, const absl::Status& committed, SteadyTime now,
                    std::vector<QueuedWrite>& writes, std::vector<WriteOutcome>& outcomes);
  // Lets an answered write wait for other regions.
  void AwaitRegions(const Published& published, QueuedWrite& write, const WriteName& name,
                    SteadyTime now);
  // True if what a call waits for is not there and may still come in time.
  bool MustWait(const Published& published, const WaitingCall& call, SteadyTime now) const;
  // Why a call that gave up did not get what it waited for; OK if it is there after all.
  absl::Status GaveUp(const Published& published, const WaitingCall& call, SteadyTime now) const;
  void ServeWaiting(SteadyTime now);
  void AbandonWaiting();

  const ReplicaOptions options_;
  const std::unique_ptr<KvEngine> engine_;
  const std::unique_ptr<ReplicaCore> core_;  // the commit thread's, after the constructor
  const Clock* const clock_;
  const uint64_t cluster_;
  const RequestReader reader_;
  FreshnessTracker freshness_tracker_;  // the commit thread's, after the constructor
  DiskGate disk_;

  // Held for the copy of a pointer only.
  mutable absl::Mutex published_mutex_;
  std::shared_ptr<const Published> published_ ABSL_GUARDED_BY(published_mutex_);

  mutable absl::Mutex mutex_;
  std::shared_ptr<const Topology> topology_ ABSL_GUARDED_BY(mutex_);
  std::deque<QueuedWrite> writes_ ABSL_GUARDED_BY(mutex_);
  size_t write_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<QueuedPeerBatch> peer_batches_ ABSL_GUARDED_BY(mutex_);
  // Namespaces with which the whole replica is to be seeded; empty: that is not asked for.
  std::vector<std::string> seed_all_ ABSL_GUARDED_BY(mutex_);
  // Origins that tokens named and that are not known here; so many at most are looked for at once.
  std::set<Origin> unknown_ ABSL_GUARDED_BY(mutex_);
  bool waiting_changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  internal::v1::Watermark watermark_ ABSL_GUARDED_BY(mutex_);
  ReplicaStats stats_ ABSL_GUARDED_BY(mutex_);

  absl::Mutex listeners_mutex_;
  std::map<int, std::function<void()>> listeners_ ABSL_GUARDED_BY(listeners_mutex_);
  int listener_last_ ABSL_GUARDED_BY(listeners_mutex_) = 0;

  CallWaits waiting_;
  ReplicaGuards guards_;
  Runner runner_;
  AckWaits acks_{options_.waiting_max, &runner_};
  std::thread commit_thread_;
};

}  // namespace homeport
