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
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
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
#include "storage/model/entry_codec.h"
#include "storage/model/hybrid_clock.h"
#include "storage/model/hybrid_time.h"
#include "storage/replication/admission.h"
#include "storage/replication/conflict_journal.h"
#include "storage/replication/core_counters.h"
#include "storage/replication/digest_sums.h"
#include "storage/replication/entry_applier.h"
#include "storage/replication/expiry_index.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/holdings.h"
#include "storage/replication/item_writer.h"
#include "storage/replication/membership.h"
#include "storage/replication/moment.h"
#include "storage/replication/origin_table.h"
#include "storage/replication/replica_view.h"
#include "storage/replication/request_ids.h"
#include "storage/replication/retention.h"
#include "storage/replication/seed_receiver.h"
#include "storage/replication/staging.h"
#include "storage/replication/stream_join.h"
#include "storage/replication/unheard_origins.h"

namespace homeport {

// A mutation that a client asks for. Validated, and its session token is applied here.
struct LocalWrite {
  const v1::MutateRequest* mutation = nullptr;
  const SessionToken* token = nullptr;
  // How long values of the namespace live whose change does not say; zero: for ever.
  absl::Duration ttl = absl::ZeroDuration();
};

// The name that a write was given.
struct WriteName {
  Version version;
  Sequence sequence;
  // The write had been made before under the same request id; this is its name from then.
  bool repeated = false;
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
    RetentionLimits retention;
    // The conflict journal's size at most.
    uint64_t conflict_journal_bytes = 64 * 1024 * 1024;
    SeedReceiver::Options seeding;
    StreamJoin::Options joining_streams;
  };

  // Takes over what the engine has, or starts a new replica on an empty one, and commits the chain
  // entry of a new origin. `origin` is random and not 0. FAILED_PRECONDITION if the engine belongs
  // to another replica, cluster or format; DATA_LOSS if it is damaged; otherwise the engine's
  // errors. The engine must outlive the core.
  static absl::StatusOr<std::unique_ptr<ReplicaCore>> Open(Options options, KvEngine* engine,
                                                           Origin origin, const Moment& now);

  // Stages a write. INVALID_ARGUMENT (REQUEST_ID_REUSED) if its request id named another mutation;
  // UNAVAILABLE (CATCHING_UP) if it would replace what a seeding brought and is not applied yet;
  // DATA_LOSS and the engine's errors from reading. On error nothing is staged for it.
  absl::StatusOr<WriteName> StageWrite(const LocalWrite& write, const Moment& now);
  // Stages a write that restores a conflict of the journal, and that it did. If that was done
  // before, nothing is staged and the answer is the same. Errors also NOT_FOUND (CONFLICT_UNKNOWN).
  absl::StatusOr<WriteName> StageRestore(ConflictNumber conflict, const LocalWrite& write,
                                         const Moment& now);
  // What this region may hold; entries of anything else are refused. Without a policy all are.
  // A namespace that it gives to this region after entries of it were left out is seeded, which the
  // view says at once; one that it takes away is kept here until another member has all of it.
  void SetPolicy(HoldingPolicy policy);
  // Namespaces of which entries were ever left out, because this region was not to hold them. What
  // is here of them has holes that nothing fills.
  const std::set<std::string>& left_out() const { return holdings_.left_out(); }
  // Stages a serialized entry of another origin, or of an earlier one of this replica. One that is
  // already here changes nothing. FAILED_PRECONDITION if the origin's entries before it are not
  // here, or the origin is closed or about to be; DATA_LOSS if it is damaged, or not
  // later than the entry before it; PERMISSION_DENIED if this region may not hold what it
  // changes; RESOURCE_EXHAUSTED if it would begin one origin too many. On error nothing is staged
  // for it.
  absl::Status StageEntry(absl::string_view bytes);
  // Stages a note that entries were left out because this region may not hold them. Errors as
  // above; FAILED_PRECONDITION also if by this side's policy it may.
  absl::Status StageSkip(const internal::v1::Skip& skip);
  // The same for entries that a peer left out by a topology that differs from the one here. Those
  // of a namespace that this region may hold are owed: it is not whole here from now on, and is
  // seeded once the topologies agree.
  absl::Status StageOwed(const internal::v1::Skip& skip);
  // What waits for entries of its origin that other peers bring.
  StreamJoin& joins() { return joins_; }
  // Which entries and skips may come in.
  const Admission& admission() const { return admission_; }
  // Merges a peer's item, of which a comparison found that both sides should have the same.
  // PERMISSION_DENIED if this region may not hold it; FAILED_PRECONDITION if it is from too far in
  // the future; DATA_LOSS and the engine's errors. On error nothing is staged for it.
  absl::Status StageRepair(absl::string_view item_key, const internal::v1::StoredItem& item,
                           const Moment& now);
  // The items of a peer were merged here, all that this region may hold, as of `cut` or later:
  // positions become the greater of what they are and the cut, in the commit that follows. What is
  // received beyond the cut is applied then; where the cut is beyond what is received, the log
  // begins behind it. FAILED_PRECONDITION if the cut has more of this start than there is, or what
  // is too far in the future, which is worth another try later; RESOURCE_EXHAUSTED if it names more
  // origins than a replica can know. On error nothing is staged for it.
  absl::Status StageSeeded(const std::vector<SeededOrigin>& cut, const Moment& now);
  // Queues a piece of a seeding, for the commits that follow. PERMISSION_DENIED if this region may
  // not hold the namespace; otherwise errors as SeedReceiver::Add(). On error nothing is queued.
  absl::Status StageSeedChunk(const ReplicaName& peer, const internal::v1::SeedChunk& chunk,
                              const Moment& now);
  // Begins to seed the whole replica, or goes on without what is not done and not among these.
  void StageSeedAll(const std::vector<std::string>& namespaces) { seeds_.SeedAll(namespaces); }
  // Stages a chain entry that names origins which this replica is about to close (`closing`), and
  // such that it closes with their ends.
  absl::Status StageClosing(const std::vector<Origin>& closing,
                            const std::vector<std::pair<Origin, Sequence>>& closed,
                            const Moment& now);
  // Looks what of the log can go; it goes with the commits that follow, one origin each.
  // `applied_by_members`: what of an origin every other member is known to have applied; 0 while
  // anybody's is not known. Costs time by origins and segments: about once a second is enough.
  void PlanTruncation(absl::FunctionRef<Sequence(Origin)> applied_by_members, const Moment& now);
  // The limits by a new topology.
  void SetRetention(const RetentionLimits& limits) { options_.retention = limits; }
  // Who the members are, by the topology in force. Without members nothing is closed or cleaned.
  void SetMembers(MemberSet members) { membership_.SetMembers(std::move(members)); }
  // A member begins a stream by that start, as MemberTable::TakeBackPast().
  void TakeBackPast(const ReplicaName& member, Origin start) {
    membership_.TakeBackPast(member, start);
  }
  // Takes note of what a member has, as `from` says.
  void ObserveMember(const internal::v1::MemberReport& report, const ReplicaName& from) {
    membership_.Observe(report, from);
  }
  // True if the origin's process is known to be gone: a stream that it serves is to end.
  bool Finished(Origin origin) const { return membership_.Finished(origin); }
  // A session token names an origin of which nothing is known here. The view says when it turns out
  // that nobody has ever heard of it.
  void AskAbout(Origin origin, const Moment& now) {
    unheard_.Ask(origin, FromWallTime(clock_.Physical(now.wall, now.steady)));
  }
  // Looks after what has to be done because of other members, for the commits that follow: closes
  // origins, drops tombstones and what has expired. To be called about once a second. The engine's
  // errors.
  absl::Status Tend(const Moment& now);
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
    return !staging_.empty() || apply_wanted_ || chain_wanted_ || ceiling_wanted_ ||
           !truncations_.empty() || seeds_.HasWork() || membership_.HasNews();
  }
  // True if the last commit met its bound and left entries that can be applied, or pieces of a
  // seeding. A failed core has none: no later commit would make it less.
  bool HasBacklog() const { return failed_.ok() && (apply_wanted_ || seeds_.HasWork()); }
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
  ConflictJournal& journal() { return journal_; }
  HybridClock& clock() { return clock_; }
  Origin self() const { return self_; }
  const OriginTable& origins() const { return origins_; }
  const MemberTable& members() const { return membership_.table(); }

 private:
  ReplicaCore(Options options, KvEngine* engine, Origin self, const Moment& now, HybridTime floor);

  void StageChain(internal::v1::OriginChain chain, const Moment& now);
  // Bytes that the record has in the log.
  uint64_t PutRecord(Origin origin, Sequence sequence, LogRecord::Kind kind,
                     absl::string_view body);
  void AppendOwn(internal::v1::Entry& entry, const Stamp& stamp);
  // What of the token is not applied here, the first in its order.
  std::optional<SessionToken::Position> NotApplied(const SessionToken& token) const;
  void StageCeiling(const Moment& now);
  void StageTruncation();
  absl::Status ApplyAll(const Moment& now);
  void LogSkip(const internal::v1::Skip& skip);
  void NoteLeftOut(const google::protobuf::RepeatedPtrField<internal::v1::ChangeClass>& classes);

  // Merges what came of seedings, and raises positions at the end of one.
  absl::Status MergeSeeds(const Moment& now);
  void Publish(const Moment& now);

  Options options_;
  KvEngine* engine_;
  Origin self_;
  HybridClock clock_;
  absl::Status failed_;
  OriginTable origins_;
  Admission admission_;
  // What the own entries so far imply, by other origin.
  absl::flat_hash_map<Origin, Sequence> implied_;
  Staging staging_;
  ItemWriter items_;
  ExpiryIndex expiry_;
  DigestSums digests_;
  ConflictJournal journal_;
  RequestIds requests_;
  EntryApplier applier_;
  SeedReceiver seeds_;
  std::shared_ptr<const SeedView> seeds_view_;
  Holdings holdings_;
  StreamJoin joins_;
  Membership membership_;
  UnheardOrigins unheard_;
  // To be carried out, in turn.
  std::deque<Truncation> truncations_;
  bool apply_wanted_ = false;
  bool chain_wanted_ = false;
  // No reading past this was promised to anyone; on disk, so that a restart begins after it.
  HybridTime ceiling_;
  bool ceiling_wanted_ = false;
  std::shared_ptr<const ReplicaView> view_;
  CoreCounters counters_;
};

}  // namespace homeport
