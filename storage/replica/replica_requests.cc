// What callers ask of a replica: reads are answered at once, writes and what links bring are
// queued for the commit thread, and what has to wait for its token is put aside.
#include <utility>

#include "common/session/token_bundle.h"
#include "common/status/error.h"
#include "common/store/validate.h"
#include "storage/replica/refusals.h"
#include "storage/replica/replica_impl.h"
#include "storage/replication/item_types.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// A waiting call gives up this early at most, so that it can be answered or tried elsewhere.
constexpr absl::Duration kGiveUpMax = absl::Milliseconds(50);

}  // namespace

void Replica::Impl::Execute(const CallContext& context, const StoreRequest& request,
                            StoreResponse* response, Done done) {
  absl::Status refused = TryExecute(context, request, response, done);
  if (!refused.ok()) done(std::move(refused));
}

void Replica::Impl::SubmitFromPeer(PeerBatch batch, absl::AnyInvocable<void(Taken)> done) {
  QueuedPeerBatch queued{std::move(batch), std::move(done), 0};
  queued.bytes = queued.batch.block.ByteSizeLong();
  {
    absl::MutexLock lock(&mutex_);
    if (!stopping_) {
      peer_batches_.push_back(std::move(queued));
      return;
    }
  }
  queued.done(RefusedBatch(StoppingError(options_.name)));
}

void Replica::Impl::SeedAll(std::vector<std::string> namespaces) {
  absl::MutexLock lock(&mutex_);
  seed_all_ = std::move(namespaces);
}

void Replica::Impl::SetTopology(std::shared_ptr<const Topology> topology) {
  absl::MutexLock lock(&mutex_);
  topology_ = std::move(topology);
}

absl::Status Replica::Impl::WriteState() const {
  if (auto disk = disk_.State(); !disk.ok()) return disk;
  return guards_.MayWrite();
}

absl::Status Replica::Impl::TryExecute(const CallContext& context, const StoreRequest& request,
                                       StoreResponse* response, Done& done) {
  std::optional<RequestParts> parts = PartsOf(request);
  if (!parts) return FieldError("operation", "is not set");
  std::shared_ptr<const Published> published = this->published();
  const NamespaceInfo* info = published->topology->FindNamespace(*parts->name_space);
  if (info == nullptr) return UnknownNamespaceError(*parts->name_space);
  if (!info->HeldBy(published->region)) {
    return NotHereError(*parts->name_space,
                        published->topology->regions()[published->region].name.value());
  }
  const bool write = request.operation_case() == StoreRequest::kMutate;
  if (auto may = write ? guards_.MayWrite() : guards_.MayRead(); !may.ok()) return may;
  // Where the request ids are not whole a retry would be done again.
  if (write && !published->view->HoldsWhole(info->name.value())) {
    return NotWholeError(options_.name, *published->view, *info);
  }
  auto token = ParseTokens(*parts->token, cluster_);
  if (!token.ok()) return token.status();
  if (write) {
    absl::Status acks = CheckAcks(*published, *info, request.mutate().options());
    if (!acks.ok()) return acks;
  }
  v1::ConsistencyLevel level =
      parts->level == v1::CONSISTENCY_LEVEL_UNSPECIFIED ? info->default_consistency : parts->level;
  if (level == v1::CONSISTENCY_LEVEL_SESSION) {
    if (auto lost = published->view->FindLost(*token)) {
      return HistoryLostError(*published->view, std::move(*token), *lost, cluster_);
    }
    SessionToken::Position missing;
    if (!published->view->Covers(*token, &missing)) {
      AskAboutUnknown(*published->view, *token);
      return Wait(context, request, response, done, std::move(*token), missing);
    }
  }
  const SteadyTime now = clock_->SteadyNow();
  const HybridTime clock = published->view->TimeAt(now);
  if (!write && level == v1::CONSISTENCY_LEVEL_BOUNDED) {
    if (!published->view->HoldsWhole(info->name.value())) {
      return NotWholeError(options_.name, *published->view, *info);
    }
    const absl::Duration wait = WaitOf(*published, *info, parts->max_staleness, clock, now);
    if (wait > absl::ZeroDuration()) {
      if (now + wait >= GiveUpTime(context.deadline, now, kGiveUpMax)) {
        return StaleLimitError(options_.name, parts->max_staleness,
                               AgeOf(*published, *info, clock));
      }
      return PutAside(context, request, response, done, std::move(*token), parts->max_staleness);
    }
  }
  if (write) {
    if (auto status = ValidateItemTypes(request.mutate(), info->item_type); !status.ok()) {
      return status;
    }
    return Enqueue(context, request.mutate(), response->mutable_mutate(), done, std::move(*token),
                   ConflictNumber(request.restores_conflict()));
  }
  done(reader_.Read(*published, *info, level, clock, request, *token, response));
  return absl::OkStatus();
}

void Replica::Impl::AskAboutUnknown(const ReplicaView& view, const SessionToken& token) {
  for (const SessionToken::Position& position : token.positions()) {
    if (view.Find(position.origin) != nullptr) continue;
    absl::MutexLock lock(&mutex_);
    if (unknown_.size() < UnheardOrigins::kMax) unknown_.insert(position.origin);
  }
}

absl::Status Replica::Impl::Wait(const CallContext& context, const StoreRequest& request,
                                 StoreResponse* response, Done& done, SessionToken token,
                                 const SessionToken::Position& missing) {
  const SteadyTime now = clock_->SteadyNow();
  const SteadyTime give_up = GiveUpTime(context.deadline, now, kGiveUpMax);
  if (give_up <= now) return TokenAheadError(options_.name, *published()->view, missing);
  return PutAside(context, request, response, done, std::move(token), std::nullopt);
}

absl::Status Replica::Impl::PutAside(const CallContext& context, const StoreRequest& request,
                                     StoreResponse* response, Done& done, SessionToken token,
                                     std::optional<absl::Duration> max_staleness) {
  const SteadyTime give_up = GiveUpTime(context.deadline, clock_->SteadyNow(), kGiveUpMax);
  response->set_waited(true);
  // Before the call is queued: a callback set later could replace one that the next store set.
  waiting_.WatchCancellation(context);
  absl::MutexLock lock(&mutex_);
  if (stopping_) return StoppingError(options_.name);
  if (waiting_.Full()) {
    return OverloadedError("too many requests wait for what they ask for to be applied",
                           "waiting requests");
  }
  waiting_.Add(
      {context, &request, response, std::move(done), std::move(token), max_staleness, give_up});
  // The commit that the call waits for may have come in between.
  waiting_changed_ = true;
  return absl::OkStatus();
}

absl::Status Replica::Impl::CheckAcks(const Published& published, const NamespaceInfo& info,
                                      const v1::WriteOptions& options) const {
  const uint32_t wanted = options.acknowledged_by_regions();
  if (wanted == 0) return absl::OkStatus();
  const size_t others = OtherRegions(published, info).size();
  if (wanted > others) {
    return LimitError("options.acknowledged_by_regions", others, wanted, "regions");
  }
  if (!acks_.Full()) return absl::OkStatus();
  return OverloadedError("too many writes wait for other regions", "writes that wait for regions");
}

absl::Status Replica::Impl::Enqueue(const CallContext& context, const v1::MutateRequest& mutation,
                                    v1::MutateResponse* response, Done& done, SessionToken token,
                                    ConflictNumber restores) {
  const size_t bytes = mutation.ByteSizeLong();
  absl::MutexLock lock(&mutex_);
  if (stopping_) return StoppingError(options_.name);
  if (auto disk = disk_.State(); !disk.ok()) return disk;
  if (writes_.size() >= options_.writes_queued_max ||
      write_bytes_ + bytes > options_.write_bytes_queued_max) {
    return OverloadedError("too many writes wait for the disk", "queued writes");
  }
  write_bytes_ += bytes;
  writes_.push_back(
      {context, &mutation, response, std::move(done), std::move(token), bytes, restores});
  return absl::OkStatus();
}

}  // namespace homeport
