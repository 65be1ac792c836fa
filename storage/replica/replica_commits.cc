// The commit thread of a replica: it takes what is queued, stages it, syncs once, makes it visible
// and answers.
#include <algorithm>
#include <set>
#include <utility>

#include "common/log/log.h"
#include "common/status/error.h"
#include "storage/replica/refusals.h"
#include "storage/replica/replica_impl.h"
#include "storage/replication/holding_policy.h"
#include "storage/replication/member_view.h"

namespace homeport {
namespace {

// How often the disk's free space is looked at, and the log and what is deleted are tended.
constexpr absl::Duration kTendInterval = absl::Seconds(1);
// A write that waits for other regions can not be tried elsewhere, and its answer may have a long
// way to go.
constexpr absl::Duration kAckGiveUpMax = absl::Milliseconds(250);

}  // namespace

void Replica::Impl::CommitLoop() {
  SteadyTime tend_next = -absl::InfiniteDuration();
  while (true) {
    std::vector<QueuedWrite> writes;
    std::vector<QueuedPeerBatch> batches;
    std::vector<std::string> seed_all;
    std::set<Origin> unknown;
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
      unknown.swap(unknown_);
    }
    const Moment now = Now();
    if (now.steady >= tend_next) {
      tend_next = now.steady + kTendInterval;
      Tend(now);
    }
    if (!seed_all.empty()) core_->StageSeedAll(seed_all);
    for (const Origin origin : unknown) core_->AskAbout(origin, now);
    CommitGroup(now, writes, batches);
    ServeWaiting(now.steady);
    acks_.Expire(now.steady);
    if (stopping && writes.empty() && batches.empty()) break;
  }
  AbandonWaiting();
}

void Replica::Impl::Tend(const Moment& now) {
  disk_.Check(engine_->DiskFreeBytes());
  // What everybody has, and what is beyond the bounds, leaves the log.
  core_->PlanTruncation([this](Origin origin) { return core_->members().MinApplied(origin); }, now);
  // Origins are closed, and tombstones and expired items dropped.
  if (auto status = core_->Tend(now); !status.ok() && disk_.State().ok()) {
    Log(LogLevel::kWarning, "could not look what can be cleaned",
        {{"why", std::string(status.message())}});
  }
}

absl::Duration Replica::Impl::PatienceLocked() const {
  const SteadyTime first = std::min(waiting_.NextExpiry(), acks_.NextExpiry());
  return std::clamp(first - clock_->SteadyNow(), absl::Milliseconds(1), kReplicaTick);
}

void Replica::Impl::TakeWork(bool from_peers, std::vector<QueuedWrite>& writes,
                             std::vector<QueuedPeerBatch>& batches) {
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

void Replica::Impl::CommitGroup(const Moment& now, std::vector<QueuedWrite>& writes,
                                std::vector<QueuedPeerBatch>& batches) {
  std::vector<WriteOutcome> outcomes;
  outcomes.reserve(writes.size());
  for (QueuedWrite& write : writes) outcomes.push_back(StageWrite(write, now));
  std::vector<Taken> taken;
  taken.reserve(batches.size());
  for (QueuedPeerBatch& batch : batches) taken.push_back(StagePeerBatch(batch.batch, now));

  const size_t bytes = core_->staged_bytes();
  const absl::Status committed = core_->Commit(now);
  if (!committed.ok()) disk_.Fail(committed);
  NoteCommit(committed, bytes, now);
  Publish();
  const std::shared_ptr<const Published> published = this->published();
  if (auto phase = guards_.Update(*published->view, now.steady); phase) {
    if (auto stored = StoreJoinPhase(engine_.get(), *phase); !stored.ok()) disk_.Fail(stored);
  }

  AnswerWrites(*published, committed, now.steady, writes, outcomes);
  for (size_t i = 0; i < batches.size(); ++i) {
    if (!committed.ok()) taken[i].status = committed;
    runner_.Run([done = std::move(batches[i].done), outcome = std::move(taken[i])]() mutable {
      done(std::move(outcome));
    });
  }
  absl::MutexLock lock(&listeners_mutex_);
  for (auto& [number, listener] : listeners_) listener();
}

void Replica::Impl::NoteCommit(const absl::Status& committed, size_t bytes, const Moment& now) {
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

void Replica::Impl::Publish() {
  const std::shared_ptr<const Topology> topology = this->topology();
  const std::shared_ptr<const Published> last = published();
  if (last != nullptr && last->topology != topology) {
    core_->SetPolicy(HoldingPolicy(topology, RegionOf(*topology, options_.name)));
    core_->SetMembers(MembersOf(*topology));
    core_->SetRetention(RetentionOf(*topology));
    guards_.SetTopology(*topology);
    acks_.SetTopology(topology->fingerprint());
    core_->journal().SetBytesMax(topology->proto().storage().conflict_journal_bytes());
  }
  // The view says what is not whole by the policy in force.
  auto next = MakePublished(options_.name, core_->view(), topology, freshness_tracker_);
  absl::MutexLock lock(&published_mutex_);
  published_ = std::move(next);
}

void Replica::Impl::AnswerWrites(const Published& published, const absl::Status& committed,
                                 SteadyTime now, std::vector<QueuedWrite>& writes,
                                 std::vector<WriteOutcome>& outcomes) {
  for (size_t i = 0; i < writes.size(); ++i) {
    absl::Status status = std::move(outcomes[i].status);
    if (status.ok() && !committed.ok()) status = OutcomeUnknownError(options_.name, committed);
    if (status.ok()) {
      const WriteName& name = outcomes[i].name;
      writes[i].token.Advance(name.version.origin, name.sequence);
      v1::MutateResponse& response = *writes[i].response;
      response.mutable_version()->set_hybrid_time(name.version.time.value());
      response.mutable_version()->set_origin(name.version.origin.value());
      reader_.Finish(published, v1::CONSISTENCY_LEVEL_SESSION, writes[i].token, response);
      if (writes[i].mutation->options().acknowledged_by_regions() > 0) {
        AwaitRegions(published, writes[i], name, now);
        continue;
      }
    }
    runner_.Run([done = std::move(writes[i].done), status = std::move(status)]() mutable {
      done(std::move(status));
    });
  }
}

void Replica::Impl::AwaitRegions(const Published& published, QueuedWrite& write,
                                 const WriteName& name, SteadyTime now) {
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

Replica::Impl::WriteOutcome Replica::Impl::StageWrite(QueuedWrite& write, const Moment& now) {
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
  auto name = write.restores == ConflictNumber(0) ? core_->StageWrite(local, now)
                                                  : core_->StageRestore(write.restores, local, now);
  if (!name.ok()) return {disk_.Explain(name.status()), {}};
  return {absl::OkStatus(), *name};
}

Taken Replica::Impl::StagePeerBatch(const PeerBatch& batch, const Moment& now) {
  for (const internal::v1::MemberReport& report : batch.heartbeat.members()) {
    acks_.OnMemberReport(report);
  }
  if (batch.HasEntries()) {
    if (auto status = disk_.State(); !status.ok()) return RefusedBatch(std::move(status));
  }
  return TakeIn(batch, *core_, now);
}

bool Replica::Impl::MustWait(const Published& published, const WaitingCall& call,
                             SteadyTime now) const {
  const ReplicaView& view = *published.view;
  if (!call.max_staleness) return !view.Covers(call.token) && !view.FindLost(call.token);
  const NamespaceInfo* info =
      published.topology->FindNamespace(*PartsOf(*call.request)->name_space);
  if (info == nullptr) return false;
  const absl::Duration wait = WaitOf(published, *info, *call.max_staleness, view.TimeAt(now), now);
  return wait > absl::ZeroDuration() && now + wait < call.give_up;
}

absl::Status Replica::Impl::GaveUp(const Published& published, const WaitingCall& call,
                                   SteadyTime now) const {
  const ReplicaView& view = *published.view;
  if (call.max_staleness) {
    const NamespaceInfo* info =
        published.topology->FindNamespace(*PartsOf(*call.request)->name_space);
    const HybridTime clock = view.TimeAt(now);
    if (info == nullptr ||
        WaitOf(published, *info, *call.max_staleness, clock, now) == absl::ZeroDuration()) {
      return absl::OkStatus();
    }
    return StaleLimitError(options_.name, *call.max_staleness, AgeOf(published, *info, clock));
  }
  SessionToken::Position missing;
  if (view.FindLost(call.token) || view.Covers(call.token, &missing)) return absl::OkStatus();
  return TokenAheadError(options_.name, view, missing);
}

void Replica::Impl::ServeWaiting(SteadyTime now) {
  const std::shared_ptr<const Published> current = published();
  const auto must_wait = [&](const WaitingCall& call) { return MustWait(*current, call, now); };
  for (WaitingCall& call : waiting_.TakeReady(must_wait, now)) {
    runner_.Run([this, call = std::move(call), now]() mutable {
      if (call.context.cancellation != nullptr) {
        call.context.cancellation->OnCancel(nullptr);
        if (call.context.cancellation->cancelled()) {
          call.done(absl::CancelledError("the caller cancelled while its request waited"));
          return;
        }
      }
      if (call.give_up <= now) {
        if (absl::Status why = GaveUp(*published(), call, now); !why.ok()) {
          call.done(std::move(why));
          return;
        }
      }
      Execute(call.context, *call.request, call.response, std::move(call.done));
    });
  }
}

void Replica::Impl::AbandonWaiting() {
  acks_.Abandon();
  const absl::Status why = StoppingError(options_.name);
  {
    absl::MutexLock lock(&mutex_);
    for (QueuedPeerBatch& batch : peer_batches_) {
      runner_.Run([done = std::move(batch.done), status = why]() mutable {
        done(RefusedBatch(std::move(status)));
      });
    }
    peer_batches_.clear();
  }
  for (WaitingCall& call : waiting_.TakeAll()) {
    runner_.Run([done = std::move(call.done), status = why]() mutable { done(std::move(status)); });
  }
}

}  // namespace homeport
