#include "storage/replica/replica.h"

#include <algorithm>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/check.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "common/store/validate.h"
#include "common/topology/option_ranges.h"
#include "storage/replica/ack_waits.h"
#include "storage/replica/commit_queue.h"
#include "storage/replica/replica_guards.h"
#include "storage/replica/runner.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/identity.h"
#include "storage/replication/item_types.h"
#include "storage/replication/member_view.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// How often things are done that nobody asks for: watermarks, request ids, the disk's free space.
constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::Duration kDiskCheckInterval = absl::Seconds(1);
// A waiting call gives up this share of its time early, so that it can be answered or tried
// elsewhere.
constexpr double kGiveUpShare = 0.1;
constexpr absl::Duration kGiveUpMax = absl::Milliseconds(50);
// A write that waits for other regions can not be tried elsewhere, and its answer may have a long
// way to go.
constexpr absl::Duration kAckGiveUpMax = absl::Milliseconds(250);

// Nothing of what a link brought was taken in.
Taken Refused(absl::Status why) {
  Taken taken;
  taken.status = std::move(why);
  return taken;
}

// When a call with this deadline is to be told that what it waits for did not come.
SteadyTime GiveUpTime(SteadyTime deadline, SteadyTime now, absl::Duration most) {
  if (deadline == absl::InfiniteDuration()) return deadline;
  return deadline - std::min(most, (deadline - now) * kGiveUpShare);
}

// What a request is about, whatever its kind.
struct RequestParts {
  const std::string* name_space;
  const std::string* token;
  v1::ConsistencyLevel level = v1::CONSISTENCY_LEVEL_SESSION;
};

RetentionLimits RetentionOf(const Topology& topology) {
  const internal::v1::StorageOptions& storage = topology.proto().storage();
  return {storage.log_bytes_max(), ToAbslDuration(storage.log_age_max())};
}

template <typename Request>
RequestParts ReadParts(const Request& request) {
  return {&request.namespace_(), &request.options().session_token(),
          request.options().consistency()};
}

std::optional<RequestParts> PartsOf(const StoreRequest& request) {
  switch (request.operation_case()) {
    case StoreRequest::kGet:
      return ReadParts(request.get());
    case StoreRequest::kBatchGet:
      return ReadParts(request.batch_get());
    case StoreRequest::kListItems:
      return ReadParts(request.list_items());
    case StoreRequest::kListRecords:
      return ReadParts(request.list_records());
    case StoreRequest::kMutate:
      return RequestParts{&request.mutate().namespace_(),
                          &request.mutate().options().session_token(),
                          v1::CONSISTENCY_LEVEL_SESSION};
    case StoreRequest::OPERATION_NOT_SET:
      break;
  }
  return std::nullopt;
}

// What readers look at; swapped whole by the commit thread.
struct Published {
  std::shared_ptr<const ReplicaView> view;
  std::shared_ptr<const Topology> topology;
  int region = 0;  // this replica's, in `topology`
  // By namespace of the topology: the oldest watermark of the other replicas that hold it; nullopt
  // if one of them was not heard of yet.
  std::vector<std::optional<HybridTime>> oldest;
};

}  // namespace

class Replica::Impl {
 public:
  Impl(ReplicaOptions options, std::unique_ptr<KvEngine> engine, std::unique_ptr<ReplicaCore> core,
       const Clock* clock, std::shared_ptr<const Topology> topology, JoinState::Phase phase)
      : options_(std::move(options)),
        engine_(std::move(engine)),
        core_(std::move(core)),
        clock_(clock),
        cluster_(ClusterFingerprint(topology->cluster())),
        topology_(std::move(topology)),
        guards_({options_.name, options_.clock_drift_max, options_.clock_confirmed, phase},
                core_->view()->time, *topology_) {
    watermark_ = core_->MakeWatermark(Now());
    core_->SetPolicy(HoldingPolicy(topology_, RegionOf(*topology_)));
    core_->SetMembers(MembersOf(*topology_));
    stats_.conflicts = core_->journal().stats();
    Publish();
    {
      absl::MutexLock lock(&cancel_state_->mutex);
      cancel_state_->wake = [this] {
        absl::MutexLock lock(&mutex_);
        waiting_changed_ = true;
      };
    }
    commit_thread_ = std::thread([this] { CommitLoop(); });
  }

  ~Impl() { Stop(); }

  void Execute(const CallContext& context, const StoreRequest& request, StoreResponse* response,
               Done done) {
    absl::Status refused = TryExecute(context, request, response, done);
    if (!refused.ok()) done(std::move(refused));
  }

  void SubmitFromPeer(PeerBatch batch, absl::AnyInvocable<void(Taken)> done) {
    QueuedPeerBatch queued{std::move(batch), std::move(done), 0};
    queued.bytes = queued.batch.block.ByteSizeLong();
    {
      absl::MutexLock lock(&mutex_);
      if (!stopping_) {
        peer_batches_.push_back(std::move(queued));
        return;
      }
    }
    queued.done(Refused(Stopping()));
  }

  void SeedAll(std::vector<std::string> namespaces) {
    absl::MutexLock lock(&mutex_);
    seed_all_ = std::move(namespaces);
  }

  std::shared_ptr<const Published> published() const {
    absl::MutexLock lock(&published_mutex_);
    return published_;
  }

  void SetTopology(std::shared_ptr<const Topology> topology) {
    absl::MutexLock lock(&mutex_);
    topology_ = std::move(topology);
  }

  std::shared_ptr<const Topology> topology() const {
    absl::MutexLock lock(&mutex_);
    return topology_;
  }

  internal::v1::Watermark watermark() const {
    absl::MutexLock lock(&mutex_);
    return watermark_;
  }

  int AddListener(std::function<void()> listener) {
    absl::MutexLock lock(&listeners_mutex_);
    listeners_[++listener_last_] = std::move(listener);
    return listener_last_;
  }
  void RemoveListener(int number) {
    absl::MutexLock lock(&listeners_mutex_);
    listeners_.erase(number);
  }

  // Why clients' writes are refused.
  absl::Status WriteState() const {
    if (auto disk = DiskState(); !disk.ok()) return disk;
    return guards_.MayWrite();
  }
  // Why nothing at all is written.
  absl::Status DiskState() const {
    absl::MutexLock lock(&mutex_);
    return write_state_;
  }

  ReplicaStats Stats() const {
    absl::MutexLock lock(&mutex_);
    ReplicaStats stats = stats_;
    stats.writes_queued = writes_.size();
    stats.waiting = waiting_.size();
    stats.waiting_for_regions = acks_.size();
    return stats;
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    commit_thread_.join();
    runner_.Stop();
  }

  const ReplicaOptions& options() const { return options_; }
  KvEngine* engine() { return engine_.get(); }
  const Clock* clock() const { return clock_; }
  AckWaits& acks() { return acks_; }
  ReplicaGuards& guards() { return guards_; }

 private:
  Moment Now() const { return {clock_->WallNow(), clock_->SteadyNow()}; }
  int RegionOf(const Topology& topology) const {
    const std::string& name = options_.name.value();
    std::optional<int> region = topology.FindRegion(name.substr(0, name.find('/')));
    HP_CHECK(region.has_value());
    return *region;
  }
  absl::Status Stopping() const {
    return MakeError(absl::StatusCode::kUnavailable, reason::kDraining,
                     absl::StrCat(options_.name.value(), " is stopping"),
                     {{"replica", options_.name.value()}});
  }

  // Answers, queues or lets the call wait, and takes `done`; or returns why it does none of it.
  absl::Status TryExecute(const CallContext& context, const StoreRequest& request,
                          StoreResponse* response, Done& done) {
    std::optional<RequestParts> parts = PartsOf(request);
    if (!parts) return FieldError("operation", "is not set");
    std::shared_ptr<const Published> published = this->published();
    const NamespaceInfo* info = published->topology->FindNamespace(*parts->name_space);
    if (info == nullptr) {
      return MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown,
                       absl::StrCat("namespace: there is no namespace '", *parts->name_space, "'"),
                       {{"namespace", *parts->name_space}});
    }
    if (!info->HeldBy(published->region)) {
      const std::string& region = published->topology->regions()[published->region].name.value();
      return MakeError(absl::StatusCode::kFailedPrecondition, reason::kNotHere,
                       absl::StrCat("namespace '", *parts->name_space, "' is not held in ", region),
                       {{"namespace", *parts->name_space}, {"region", region}});
    }
    const bool write = request.operation_case() == StoreRequest::kMutate;
    if (auto may = write ? guards_.MayWrite() : guards_.MayRead(); !may.ok()) return may;
    auto token = SessionToken::Parse(*parts->token, cluster_);
    if (!token.ok()) return token.status();
    if (write) {
      absl::Status acks = CheckAcks(*published, *info, request.mutate().options());
      if (!acks.ok()) return acks;
    }
    v1::ConsistencyLevel level = parts->level == v1::CONSISTENCY_LEVEL_UNSPECIFIED
                                     ? info->default_consistency
                                     : parts->level;
    if (level == v1::CONSISTENCY_LEVEL_SESSION) {
      if (auto lost = published->view->FindLost(*token)) return HistoryLost(*token, *lost);
      SessionToken::Position missing;
      if (!published->view->Covers(*token, &missing)) {
        return Wait(context, request, response, done, std::move(*token), missing);
      }
    }
    if (request.operation_case() == StoreRequest::kMutate) {
      if (auto status = ValidateItemTypes(request.mutate(), info->item_type); !status.ok()) {
        return status;
      }
      return Enqueue(context, request.mutate(), response->mutable_mutate(), done, std::move(*token),
                     ConflictNumber(request.restores_conflict()));
    }
    absl::Status status = Read(*published, *info, level, request, *token, response);
    done(std::move(status));
    return absl::OkStatus();
  }

  absl::Status Wait(const CallContext& context, const StoreRequest& request,
                    StoreResponse* response, Done& done, SessionToken token,
                    const SessionToken::Position& missing) {
    const SteadyTime now = clock_->SteadyNow();
    const SteadyTime give_up = GiveUpTime(context.deadline, now, kGiveUpMax);
    if (give_up <= now) return TokenAhead(missing);
    // Before the call is queued: a callback set later could replace one that the next store set.
    if (context.cancellation != nullptr) {
      context.cancellation->OnCancel([state = cancel_state_] { state->Wake(); });
    }
    absl::MutexLock lock(&mutex_);
    if (stopping_) return Stopping();
    if (waiting_.size() >= options_.waiting_max) {
      return MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                       "too many requests wait for their session token",
                       {{"what", "waiting requests"}});
    }
    waiting_.push_back({context, &request, response, std::move(done), std::move(token), give_up});
    // The commit that the call waits for may have come in between.
    waiting_changed_ = true;
    return absl::OkStatus();
  }

  // What the session saw was lost with a disk; nobody will ever have it.
  absl::Status HistoryLost(SessionToken token, const SessionToken::Position& lost) const {
    const ReplicaView& view = *published()->view;
    view.DropLost(token);
    const OriginView* origin = view.Find(lost.origin);
    const uint64_t end = origin == nullptr || !origin->closed_end ? 0 : origin->closed_end->value();
    return MakeError(
        absl::StatusCode::kFailedPrecondition, reason::kHistoryLost,
        absl::StrCat("the session saw entry ", lost.sequence.value(), " of origin ",
                     absl::Hex(lost.origin.value()), ", which was lost with a disk behind ", end,
                     "; go on with a new session, or with the token in 'fresh_token' (base64)"),
        {{"origin", absl::StrCat(absl::Hex(lost.origin.value()))},
         {"have", absl::StrCat(end)},
         {"want", absl::StrCat(lost.sequence.value())},
         {"fresh_token", absl::Base64Escape(token.Serialize(cluster_))}});
  }

  // The namespace was given to this region, and has to be brought here first.
  absl::Status NotWhole(const ReplicaView& view, const NamespaceInfo& info) const {
    const NamespaceSeeding& seeding = *view.seeding->Find(info.name.value());
    const std::string progress =
        absl::StrCat(seeding.items, " of ", std::max(seeding.items, seeding.items_total), " items");
    return MakeError(absl::StatusCode::kUnavailable, reason::kCatchingUp,
                     absl::StrCat(options_.name.value(), " does not hold namespace '",
                                  info.name.value(), "' whole yet: ", progress),
                     {{"replica", options_.name.value()}, {"progress", progress}});
  }

  absl::Status TokenAhead(const SessionToken::Position& missing) const {
    const Sequence have = published()->view->AppliedOf(missing.origin);
    return MakeError(
        absl::StatusCode::kUnavailable, reason::kTokenAhead,
        absl::StrCat(options_.name.value(), " has not applied what the session token covers: has ",
                     have.value(), " of origin ", absl::Hex(missing.origin.value()), ", needs ",
                     missing.sequence.value()),
        {{"replica", options_.name.value()},
         {"origin", absl::StrCat(absl::Hex(missing.origin.value()))},
         {"have", absl::StrCat(have.value())},
         {"want", absl::StrCat(missing.sequence.value())}});
  }

  // More regions than there are can never answer, and that is known at once.
  absl::Status CheckAcks(const Published& published, const NamespaceInfo& info,
                         const v1::WriteOptions& options) const {
    const uint32_t wanted = options.acknowledged_by_regions();
    if (wanted == 0) return absl::OkStatus();
    const size_t others = OtherRegions(published, info).size();
    if (wanted > others) {
      return LimitError("options.acknowledged_by_regions", others, wanted, "regions");
    }
    if (!acks_.Full()) return absl::OkStatus();
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                     "too many writes wait for other regions",
                     {{"what", "writes that wait for regions"}});
  }

  static std::vector<std::string> OtherRegions(const Published& published,
                                               const NamespaceInfo& info) {
    std::vector<std::string> names;
    for (const int region : info.regions) {
      if (region == published.region) continue;
      names.push_back(published.topology->regions()[region].name.value());
    }
    return names;
  }

  // Lets an answered write wait for other regions.
  void AwaitRegions(const Published& published, QueuedWrite& write, const WriteName& name,
                    SteadyTime now) {
    AckWait wait;
    wait.context = write.context;
    wait.response = write.response;
    wait.done = std::move(write.done);
    wait.version = name.version;
    wait.sequence = name.sequence;
    wait.name_space = write.mutation->namespace_();
    const NamespaceInfo* info = published.topology->FindNamespace(wait.name_space);
    if (info != nullptr) wait.regions = OtherRegions(published, *info);
    wait.want = write.mutation->options().acknowledged_by_regions();
    wait.give_up = GiveUpTime(write.context.deadline, now, kAckGiveUpMax);
    acks_.Add(std::move(wait));
  }

  absl::Status Enqueue(const CallContext& context, const v1::MutateRequest& mutation,
                       v1::MutateResponse* response, Done& done, SessionToken token,
                       ConflictNumber restores) {
    const size_t bytes = mutation.ByteSizeLong();
    absl::MutexLock lock(&mutex_);
    if (stopping_) return Stopping();
    if (!write_state_.ok()) return write_state_;
    if (writes_.size() >= options_.writes_queued_max ||
        write_bytes_ + bytes > options_.write_bytes_queued_max) {
      return MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                       "too many writes wait for the disk", {{"what", "queued writes"}});
    }
    write_bytes_ += bytes;
    writes_.push_back(
        {context, &mutation, response, std::move(done), std::move(token), bytes, restores});
    return absl::OkStatus();
  }

  absl::Status Read(const Published& published, const NamespaceInfo& info,
                    v1::ConsistencyLevel level, const StoreRequest& request, SessionToken& token,
                    StoreResponse* response) {
    if (!published.view->HoldsWhole(info.name.value())) return NotWhole(*published.view, info);
    const HybridTime now = published.view->TimeAt(clock_->SteadyNow());
    switch (request.operation_case()) {
      case StoreRequest::kGet: {
        v1::GetResponse& answer = *response->mutable_get();
        absl::Status status = ReadItem(engine_.get(), request.get(), now, token, answer);
        Finish(published, &info, level, token, answer);
        return status;
      }
      case StoreRequest::kBatchGet: {
        v1::BatchGetResponse& answer = *response->mutable_batch_get();
        absl::Status status =
            ReadItems(engine_.get(), request.batch_get(), now, options_.read_limits, token, answer);
        Finish(published, &info, level, token, answer);
        return status;
      }
      case StoreRequest::kListItems: {
        v1::ListItemsResponse& answer = *response->mutable_list_items();
        absl::Status status = ListItems(engine_.get(), request.list_items(), now,
                                        options_.read_limits, token, answer);
        Finish(published, &info, level, token, answer);
        return status;
      }
      default: {
        v1::ListRecordsResponse& answer = *response->mutable_list_records();
        absl::Status status = ListRecords(engine_.get(), request.list_records(), now,
                                          options_.read_limits, token, answer);
        Finish(published, &info, level, token, answer);
        return status;
      }
    }
  }

  template <typename Answer>
  void Finish(const Published& published, const NamespaceInfo* info, v1::ConsistencyLevel level,
              SessionToken& token, Answer& answer) const {
    published.view->Normalize(token);
    answer.set_session_token(token.Serialize(cluster_));
    v1::Provenance& provenance = *answer.mutable_provenance();
    provenance.set_region(published.topology->regions()[published.region].name.value());
    provenance.set_replica(options_.name.value());
    provenance.set_level_met(level);
    if (info == nullptr) return;
    const size_t index = static_cast<size_t>(info - published.topology->namespaces().data());
    if (!published.oldest[index]) return;
    const absl::Duration age =
        std::max(absl::ZeroDuration(), clock_->WallNow() - ToWallTime(*published.oldest[index]));
    provenance.mutable_age()->set_seconds(absl::ToInt64Seconds(age));
    provenance.mutable_age()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(age % absl::Seconds(1))));
  }

  // The commit thread.

  void CommitLoop() {
    SteadyTime disk_next = -absl::InfiniteDuration();
    while (true) {
      std::vector<QueuedWrite> writes;
      std::vector<QueuedPeerBatch> batches;
      std::vector<std::string> seed_all;
      bool stopping = false;
      {
        absl::MutexLock lock(&mutex_);
        auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          return stopping_ || waiting_changed_ || !writes_.empty() || !peer_batches_.empty();
        };
        const bool backlog = core_->HasBacklog();
        if (!backlog) mutex_.AwaitWithTimeout(absl::Condition(&wanted), PatienceLocked());
        waiting_changed_ = false;
        stopping = stopping_;
        // What peers sent before is applied first: taking more in than is applied would only move
        // the queue from the peer's disk to this one.
        TakeWork(!backlog || stopping, writes, batches);
        seed_all.swap(seed_all_);
      }
      const Moment now = Now();
      if (now.steady >= disk_next) {
        disk_next = now.steady + kDiskCheckInterval;
        CheckDisk();
        PlanTruncation(now);
        Tend(now);
      }
      if (!seed_all.empty()) core_->StageSeedAll(seed_all);
      CommitGroup(now, writes, batches);
      ServeWaiting(now.steady);
      acks_.Expire(now.steady);
      if (stopping && writes.empty() && batches.empty()) break;
    }
    AbandonWaiting();
  }

  // Origins are closed, and tombstones and expired items dropped.
  void Tend(const Moment& now) {
    if (auto status = core_->Tend(now); !status.ok() && DiskState().ok()) {
      Log(LogLevel::kWarning, "could not look what can be cleaned",
          {{"why", std::string(status.message())}});
    }
  }

  // What everybody has, and what is beyond the bounds, leaves the log.
  void PlanTruncation(const Moment& now) {
    core_->PlanTruncation([this](Origin origin) { return core_->members().MinApplied(origin); },
                          now);
  }

  // How long the commit thread may sleep: no waiting call is to learn too late that it gives up.
  absl::Duration PatienceLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    SteadyTime first = absl::InfiniteDuration();
    for (const WaitingCall& call : waiting_) first = std::min(first, call.give_up);
    first = std::min(first, acks_.NextExpiry());
    return std::clamp(first - clock_->SteadyNow(), absl::Milliseconds(1), kTick);
  }

  void TakeWork(bool from_peers, std::vector<QueuedWrite>& writes,
                std::vector<QueuedPeerBatch>& batches) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    size_t bytes = 0;
    while (!writes_.empty() && writes.size() < options_.group_writes_max &&
           (writes.empty() || bytes + writes_.front().bytes <= options_.group_bytes_max)) {
      bytes += writes_.front().bytes;
      write_bytes_ -= writes_.front().bytes;
      writes.push_back(std::move(writes_.front()));
      writes_.pop_front();
    }
    bytes = 0;
    while (from_peers && !peer_batches_.empty() &&
           (batches.empty() || bytes + peer_batches_.front().bytes <= options_.group_bytes_max)) {
      bytes += peer_batches_.front().bytes;
      batches.push_back(std::move(peer_batches_.front()));
      peer_batches_.pop_front();
    }
  }

  void CommitGroup(const Moment& now, std::vector<QueuedWrite>& writes,
                   std::vector<QueuedPeerBatch>& batches) {
    struct Outcome {
      absl::Status status;
      WriteName name;
    };
    std::vector<Outcome> outcomes;
    outcomes.reserve(writes.size());
    for (QueuedWrite& write : writes) outcomes.push_back(StageWrite<Outcome>(write, now));
    std::vector<Taken> taken;
    taken.reserve(batches.size());
    for (QueuedPeerBatch& batch : batches) taken.push_back(StagePeerBatch(batch.batch, now));

    const size_t bytes = core_->staged_bytes();
    const absl::Status committed = core_->Commit(now);
    if (!committed.ok()) Fail(committed);
    {
      absl::MutexLock lock(&mutex_);
      if (committed.ok()) watermark_ = core_->MakeWatermark(now);
      stats_.core = core_->counters();
      stats_.clock_jumps_ignored = core_->clock().jumps_ignored();
      stats_.blocked = core_->Blocked();
      stats_.conflicts = core_->journal().stats();
      if (bytes > 0) {
        ++stats_.commits;
        stats_.commit_bytes += bytes;
      }
    }
    Publish();
    const std::shared_ptr<const Published> published = this->published();
    if (auto phase = guards_.Update(*published->view, now.steady); phase) {
      if (auto stored = StoreJoinPhase(engine_.get(), *phase); !stored.ok()) Fail(stored);
    }

    for (size_t i = 0; i < writes.size(); ++i) {
      absl::Status status = std::move(outcomes[i].status);
      if (status.ok() && !committed.ok()) status = OutcomeUnknown(committed);
      if (status.ok()) {
        const WriteName& name = outcomes[i].name;
        writes[i].token.Advance(name.version.origin, name.sequence);
        v1::MutateResponse& response = *writes[i].response;
        response.mutable_version()->set_hybrid_time(name.version.time.value());
        response.mutable_version()->set_origin(name.version.origin.value());
        Finish(*published, nullptr, v1::CONSISTENCY_LEVEL_SESSION, writes[i].token, response);
        if (writes[i].mutation->options().acknowledged_by_regions() > 0) {
          AwaitRegions(*published, writes[i], name, now.steady);
          continue;
        }
      }
      runner_.Run([done = std::move(writes[i].done), status = std::move(status)]() mutable {
        done(std::move(status));
      });
    }
    for (size_t i = 0; i < batches.size(); ++i) {
      if (!committed.ok()) taken[i].status = committed;
      runner_.Run([done = std::move(batches[i].done), outcome = std::move(taken[i])]() mutable {
        done(std::move(outcome));
      });
    }
    absl::MutexLock lock(&listeners_mutex_);
    for (auto& [number, listener] : listeners_) listener();
  }

  template <typename Outcome>
  Outcome StageWrite(QueuedWrite& write, const Moment& now) {
    if (write.context.deadline <= now.steady) {
      return {MakeError(absl::StatusCode::kDeadlineExceeded, reason::kDeadline,
                        "the deadline passed before the write was begun; it was not done",
                        {{"waited_for", "queue"}}),
              {}};
    }
    if (write.context.cancellation != nullptr && write.context.cancellation->cancelled()) {
      return {absl::CancelledError("the caller cancelled; the write was not done"), {}};
    }
    // The topology may have changed since the write was queued.
    const std::shared_ptr<const Published> published = this->published();
    const NamespaceInfo* info = published->topology->FindNamespace(write.mutation->namespace_());
    const LocalWrite local{.mutation = write.mutation,
                           .token = &write.token,
                           .ttl = info == nullptr ? absl::ZeroDuration() : info->ttl};
    auto name = write.restores == ConflictNumber(0)
                    ? core_->StageWrite(local, now)
                    : core_->StageRestore(write.restores, local, now);
    if (!name.ok()) return {StorageError(name.status()), {}};
    return {absl::OkStatus(), *name};
  }

  Taken StagePeerBatch(const PeerBatch& batch, const Moment& now) {
    for (const internal::v1::MemberReport& report : batch.heartbeat.members()) {
      acks_.OnMemberReport(report);
    }
    if (batch.HasEntries()) {
      if (auto status = DiskState(); !status.ok()) return Refused(std::move(status));
    }
    return TakeIn(batch, *core_, now);
  }

  absl::Status StorageError(const absl::Status& status) const {
    if (!ReasonOf(status).empty()) return status;
    return MakeError(status.code(), reason::kStorageFailed,
                     absl::StrCat(options_.data_path, ": ", status.message()),
                     {{"path", options_.data_path}});
  }

  absl::Status OutcomeUnknown(const absl::Status& why) const {
    return MakeError(
        absl::StatusCode::kUnavailable, reason::kOutcomeUnknown,
        absl::StrCat("the disk failed while the write was made, so it may or may not be "
                     "there: ",
                     why.message()),
        {{"replica", options_.name.value()}});
  }

  void Fail(const absl::Status& why) {
    absl::MutexLock lock(&mutex_);
    if (failed_) return;
    failed_ = true;
    write_state_ = StorageError(why);
    Log(LogLevel::kError, "storage failed; nothing is acknowledged until a restart",
        {{"path", options_.data_path}, {"error", why.ToString()}});
  }

  void CheckDisk() {
    const std::optional<uint64_t> free = engine_->DiskFreeBytes();
    absl::MutexLock lock(&mutex_);
    if (failed_) return;
    const bool full = free && *free < options_.disk_reserve_bytes;
    if (full == !write_state_.ok()) return;
    if (full) {
      write_state_ =
          MakeError(absl::StatusCode::kResourceExhausted, reason::kDiskFull,
                    absl::StrCat(options_.data_path, ": the disk has ", *free,
                                 " bytes free, writes need ", options_.disk_reserve_bytes),
                    {{"path", options_.data_path}});
      Log(LogLevel::kError, "disk full; writes are refused", {{"path", options_.data_path}});
    } else {
      write_state_ = absl::OkStatus();
      Log(LogLevel::kInfo, "disk has room again; writes are taken", {{"path", options_.data_path}});
    }
  }

  void ServeWaiting(SteadyTime now) {
    std::vector<WaitingCall> ready;
    {
      absl::MutexLock lock(&mutex_);
      if (waiting_.empty()) return;
      const ReplicaView& view = *published()->view;
      // In one pass: when a peer is cut off, all that wait for it end at about the same time.
      const auto left = std::stable_partition(
          waiting_.begin(), waiting_.end(), [&view, now](const WaitingCall& call) {
            const bool cancelled =
                call.context.cancellation != nullptr && call.context.cancellation->cancelled();
            return !cancelled && call.give_up > now && !view.Covers(call.token) &&
                   !view.FindLost(call.token);
          });
      ready.assign(std::make_move_iterator(left), std::make_move_iterator(waiting_.end()));
      waiting_.erase(left, waiting_.end());
    }
    for (WaitingCall& call : ready) {
      runner_.Run([this, call = std::move(call), now]() mutable {
        if (call.context.cancellation != nullptr) {
          call.context.cancellation->OnCancel(nullptr);
          if (call.context.cancellation->cancelled()) {
            call.done(absl::CancelledError("the caller cancelled while waiting for its token"));
            return;
          }
        }
        SessionToken::Position missing;
        const std::shared_ptr<const ReplicaView> view = published()->view;
        if (call.give_up <= now && !view->FindLost(call.token) &&
            !view->Covers(call.token, &missing)) {
          call.done(TokenAhead(missing));
          return;
        }
        Execute(call.context, *call.request, call.response, std::move(call.done));
      });
    }
  }

  void AbandonWaiting() {
    acks_.Abandon();
    std::vector<WaitingCall> left;
    {
      absl::MutexLock lock(&mutex_);
      left.swap(waiting_);
      for (QueuedPeerBatch& batch : peer_batches_) {
        runner_.Run([done = std::move(batch.done), status = Stopping()]() mutable {
          done(Refused(std::move(status)));
        });
      }
      peer_batches_.clear();
    }
    for (WaitingCall& call : left) {
      runner_.Run([done = std::move(call.done), status = Stopping()]() mutable {
        done(std::move(status));
      });
    }
    absl::MutexLock cancel_lock(&cancel_state_->mutex);
    cancel_state_->wake = nullptr;
  }

  // Makes what was committed visible to readers.
  void Publish() {
    auto next = std::make_shared<Published>();
    next->view = core_->view();
    {
      absl::MutexLock lock(&mutex_);
      next->topology = topology_;
    }
    next->region = RegionOf(*next->topology);
    const std::shared_ptr<const Published> last = published();
    if (last != nullptr && last->topology != next->topology) {
      core_->SetPolicy(HoldingPolicy(next->topology, next->region));
      core_->SetMembers(MembersOf(*next->topology));
      next->view = core_->view();  // which says what is not whole by the new policy
      core_->SetRetention(RetentionOf(*next->topology));
      guards_.SetTopology(*next->topology);
      core_->journal().SetBytesMax(next->topology->proto().storage().conflict_journal_bytes());
    }
    const Topology& topology = *next->topology;
    std::vector<std::vector<HybridTime>> watermarks;
    for (const RegionInfo& region : topology.regions()) {
      std::vector<HybridTime>& marks = watermarks.emplace_back();
      for (const ReplicaInfo& replica : region.replicas) {
        marks.push_back(next->view->WatermarkOf(replica.name));
      }
    }
    for (const NamespaceInfo& info : topology.namespaces()) {
      std::optional<HybridTime> oldest = HybridTime(~uint64_t{0});
      for (int region : info.regions) {
        for (size_t i = 0; i < watermarks[region].size(); ++i) {
          if (topology.regions()[region].replicas[i].name == options_.name) continue;
          const HybridTime mark = watermarks[region][i];
          if (mark == HybridTime(0)) oldest.reset();
          if (oldest) oldest = std::min(*oldest, mark);
        }
      }
      // Nobody else writes it: the only replica is never behind.
      if (oldest == HybridTime(~uint64_t{0})) oldest = FromWallTime(clock_->WallNow() + kTick);
      next->oldest.push_back(oldest);
    }
    absl::MutexLock lock(&published_mutex_);
    published_ = std::move(next);
  }

  // A cancelled call wakes the commit thread, also when the replica is gone by then.
  struct CancelState {
    void Wake() {
      absl::MutexLock lock(&mutex);
      if (wake) wake();
    }
    absl::Mutex mutex;
    std::function<void()> wake ABSL_GUARDED_BY(mutex);
  };

  const ReplicaOptions options_;
  const std::unique_ptr<KvEngine> engine_;
  const std::unique_ptr<ReplicaCore> core_;  // the commit thread's, after the constructor
  const Clock* const clock_;
  const uint64_t cluster_;

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
  std::vector<WaitingCall> waiting_ ABSL_GUARDED_BY(mutex_);
  bool waiting_changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status write_state_ ABSL_GUARDED_BY(mutex_);
  internal::v1::Watermark watermark_ ABSL_GUARDED_BY(mutex_);
  ReplicaStats stats_ ABSL_GUARDED_BY(mutex_);

  absl::Mutex listeners_mutex_;
  std::map<int, std::function<void()>> listeners_ ABSL_GUARDED_BY(listeners_mutex_);
  int listener_last_ ABSL_GUARDED_BY(listeners_mutex_) = 0;

  std::shared_ptr<CancelState> cancel_state_ = std::make_shared<CancelState>();
  ReplicaGuards guards_;
  Runner runner_;
  AckWaits acks_{options_.waiting_max, &runner_};
  std::thread commit_thread_;
};

absl::StatusOr<std::shared_ptr<Replica>> Replica::Open(ReplicaOptions options,
                                                       std::unique_ptr<KvEngine> engine,
                                                       const Clock* clock,
                                                       std::shared_ptr<const Topology> topology,
                                                       Origin origin) {
  ReplicaCore::Options core_options;
  core_options.cluster = topology->cluster();
  core_options.replica = options.name;
  core_options.clock.drift_max = options.clock_drift_max;
  core_options.request_id_window = options.request_id_window;
  core_options.retention = RetentionOf(*topology);
  core_options.conflict_journal_bytes = topology->proto().storage().conflict_journal_bytes();
  if (topology->FindReplica(options.name) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the topology has no replica ", options.name.value()));
  }
  const std::optional<int> region =
      topology->FindRegion(options.name.value().substr(0, options.name.value().find('/')));
  HP_CHECK(region.has_value());
  // First of all: without its owner's name a disk with anything on it is refused.
  if (auto status = ClaimIdentity(engine.get(), topology->cluster(), options.name); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(options.data_path, ": ", status.message()));
  }
  auto phase = LoadJoinPhase(engine.get(), topology->cluster(), options.name,
                             topology->proto().regions(*region).joining());
  if (!phase.ok()) {
    return absl::Status(phase.status().code(),
                        absl::StrCat(options.data_path, ": ", phase.status().message()));
  }
  auto core = ReplicaCore::Open(std::move(core_options), engine.get(), origin,
                                {clock->WallNow(), clock->SteadyNow()});
  if (!core.ok()) {
    return absl::Status(core.status().code(),
                        absl::StrCat(options.data_path, ": ", core.status().message()));
  }
  if (auto status = CheckItemTypes(engine.get(), *topology); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(options.data_path, ": ", status.message()));
  }
  return std::shared_ptr<Replica>(
      new Replica(std::make_unique<Impl>(std::move(options), std::move(engine), std::move(*core),
                                         clock, std::move(topology), *phase)));
}

Replica::Replica(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Replica::~Replica() = default;

void Replica::Execute(const CallContext& context, const StoreRequest& request,
                      StoreResponse* response, Done done) {
  impl_->Execute(context, request, response, std::move(done));
}
void Replica::SubmitFromPeer(PeerBatch batch, absl::AnyInvocable<void(Taken)> done) {
  impl_->SubmitFromPeer(std::move(batch), std::move(done));
}
void Replica::OnPeerHello(const internal::v1::Hello& hello) { impl_->acks().OnHello(hello); }
void Replica::OnPeerAcknowledged(
    const ReplicaName& peer,
    const google::protobuf::RepeatedPtrField<internal::v1::OriginReport>& reports) {
  impl_->acks().OnAcknowledged(peer, reports);
}
void Replica::ObservePeerClock(const ReplicaName& peer, const ClockBounds& bounds) {
  impl_->guards().ObserveClock(peer, bounds);
}
void Replica::OnPulledHello(const internal::v1::Hello& hello) {
  impl_->guards().OnPeer(hello, clock()->SteadyNow());
}
void Replica::OnCompared(SteadyTime since) { impl_->guards().OnCompared(since); }
bool Replica::joining() const { return impl_->guards().joining(); }
absl::Time Replica::ClockReading() const {
  return std::max(clock()->WallNow(), ToWallTime(view()->TimeAt(clock()->SteadyNow())));
}
void Replica::SeedAll(std::vector<std::string> namespaces) {
  impl_->SeedAll(std::move(namespaces));
}
std::shared_ptr<const ReplicaView> Replica::view() const { return impl_->published()->view; }
std::shared_ptr<const Topology> Replica::topology() const { return impl_->topology(); }
void Replica::SetTopology(std::shared_ptr<const Topology> topology) {
  impl_->SetTopology(std::move(topology));
}
internal::v1::Watermark Replica::watermark() const { return impl_->watermark(); }
KvEngine* Replica::engine() { return impl_->engine(); }
const ReplicaName& Replica::name() const { return impl_->options().name; }
const Clock* Replica::clock() const { return impl_->clock(); }
int Replica::AddListener(std::function<void()> listener) {
  return impl_->AddListener(std::move(listener));
}
void Replica::RemoveListener(int number) { impl_->RemoveListener(number); }
absl::Status Replica::WriteState() const { return impl_->WriteState(); }
ReplicaStats Replica::Stats() const { return impl_->Stats(); }
void Replica::Stop() { impl_->Stop(); }

namespace {

// What other members have of the entries of this replica, of all its starts.
void AddMembers(const Topology& topology, const ReplicaName& self, const ReplicaView& view,
                v1::ReplicaStatus& status) {
  for (const RegionInfo& region : topology.regions()) {
    for (const ReplicaInfo& replica : region.replicas) {
      if (replica.name == self) continue;
      v1::MemberStatus* member = status.add_members();
      member->set_replica(replica.name.value());
      const Member* known = nullptr;
      if (view.members != nullptr) {
        auto found = view.members->find(replica.name);
        if (found != view.members->end()) known = found->second.get();
      }
      member->set_known(known != nullptr);
      uint64_t missing = 0;
      for (const OriginView& origin : view.origins) {
        if (origin.replica == nullptr || *origin.replica != self) continue;
        const Sequence has = known == nullptr ? Sequence(0) : known->Of(origin.origin).applied;
        if (has < origin.applied) missing += origin.applied.value() - has.value();
      }
      member->set_missing_entries(missing);
    }
  }
}

}  // namespace

v1::ReplicaStatus Replica::Status() const {
  const std::shared_ptr<const ReplicaView> view = this->view();
  v1::ReplicaStatus status;
  status.set_name(name().value());
  status.set_origin(view->self.value());
  auto add = [&status](const OriginView& origin) {
    v1::OriginPosition* position = status.add_positions();
    position->set_origin(origin.origin.value());
    if (origin.replica != nullptr) position->set_replica(origin.replica->value());
    position->set_received(origin.received.value());
    position->set_applied(origin.applied.value());
    if (origin.watermark == HybridTime(0)) return;
    const absl::Time time = ToWallTime(origin.watermark);
    position->mutable_watermark()->set_seconds(absl::ToUnixSeconds(time));
    position->mutable_watermark()->set_nanos(
        static_cast<int32_t>(absl::ToUnixMicros(time) % 1000000 * 1000));
  };
  if (const OriginView* self = view->Find(view->self); self != nullptr) add(*self);
  for (const OriginView& origin : view->origins) {
    if (origin.origin != view->self) add(origin);
  }
  status.set_disk_bytes(impl_->engine()->DiskBytes());
  impl_->guards().AddTo(status, *view, clock()->SteadyNow());
  for (const OriginView& origin : view->origins) {
    status.set_log_bytes(status.log_bytes() + origin.log_bytes);
  }
  AddMembers(*topology(), name(), *view, status);
  const std::shared_ptr<const ConflictStats> conflicts = Stats().conflicts;
  v1::ConflictJournalStatus& journal = *status.mutable_conflict_journal();
  journal.set_conflicts(conflicts->conflicts);
  journal.set_bytes(conflicts->bytes);
  journal.set_bytes_max(conflicts->bytes_max);
  journal.set_evicted(conflicts->evicted);
  if (absl::Status state = WriteState(); !state.ok()) {
    status.set_writes_refused(std::string(state.message()));
  }
  return status;
}

}  // namespace homeport
