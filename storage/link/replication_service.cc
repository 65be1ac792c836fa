#include "storage/link/replication_service.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/log/log.h"
#include "common/rpc/server_stream.h"
#include "homeport/internal/v1/replication.grpc.pb.h"
#include "storage/replica/runner.h"
#include "storage/replication/link_sender.h"

namespace homeport {
namespace {

using internal::v1::PullRequest;
using internal::v1::PullResponse;

// Frames are bounded by their senders; a hello of a replica that was started a thousand times fits.
constexpr int kHelloOriginsMax = 100000;

LinkSender::Options SenderOptions(const Replica& replica,
                                  const ReplicationServiceOptions& options) {
  LinkSender::Options sender;
  sender.cluster = replica.topology()->cluster();
  sender.self = replica.name();
  sender.batch_bytes = options.batch_bytes;
  sender.seeding.bytes_per_second = options.seed_bytes_per_second;
  return sender;
}

// What a stream's sender shares with the thread that fills it, on which it also takes in what
// comes. The call goes when gRPC says so; this stays while a closure may still look at it.
class SenderStream : public std::enable_shared_from_this<SenderStream> {
 public:
  using Call = ServerStream<PullRequest, PullResponse>;

  SenderStream(Replica* replica, const ReplicationServiceOptions& options, Runner* runner)
      : replica_(replica),
        options_(options),
        runner_(runner),
        sender_(SenderOptions(*replica, options), replica->engine()) {}

  void Attach(Call* call) {
    absl::MutexLock lock(&mutex_);
    call_ = call;
    call_->StartRead(&request_);
  }
  void Detach() {
    absl::MutexLock lock(&mutex_);
    call_ = nullptr;
  }

  void OnReadDone(bool ok) {
    {
      absl::MutexLock lock(&mutex_);
      if (call_ == nullptr || finished_) return;
      if (!ok) return FinishLocked(grpc::Status::OK);
      const auto view = replica_->view();
      if (!greeted_ && !GreetLocked(*view)) return;
      sender_.OnRequest(request_, *view);
      if (request_.has_hello()) replica_->OnPeerHello(request_.hello());
      replica_->OnPeerAcknowledged(sender_.peer(), request_.acknowledged());
      request_.Clear();
      call_->StartRead(&request_);
    }
    Wake();
  }

  void OnWriteDone(bool ok) {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      if (!ok) return FinishLocked(grpc::Status::OK);
      if (refused_) {
        return FinishLocked(
            grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, response_.refusal_detail()));
      }
    }
    Wake();
  }

  // Sees to it that the filling thread looks at the stream. Takes no lock that is held while a
  // message is filled: the commit thread calls this.
  void Wake() {
    if (woken_.exchange(true)) return;
    runner_->Run([self = shared_from_this()] { self->Pump(); });
  }

  void Finish(const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    FinishLocked(status);
  }

  std::optional<PullingPeer> Peer() const {
    absl::MutexLock lock(&mutex_);
    if (!greeted_) return std::nullopt;
    const Origin self = replica_->view()->self;
    return PullingPeer{sender_.peer(), sender_.PeerReceived(self).value(),
                       sender_.PeerApplied(self).value()};
  }

 private:
  bool GreetLocked(const ReplicaView& view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!request_.has_hello() || request_.hello().origins_size() > kHelloOriginsMax) {
      FinishLocked(
          grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the first message must be a hello"));
      return false;
    }
    topology_ = replica_->topology();
    std::optional<PullResponse> refusal = sender_.OnHello(request_.hello(), topology_, view);
    if (refusal) {
      Log(LogLevel::kWarning, "link refused",
          {{"peer", request_.hello().replica()}, {"why", refusal->refusal_detail()}});
      response_ = std::move(*refusal);
      refused_ = true;
    } else {
      greeted_ = true;
      response_.Clear();
      *response_.mutable_hello() =
          MakeHello(topology_->cluster(), replica_->name(), topology_->fingerprint(), view,
                    replica_->clock()->WallNow());
    }
    writing_ = true;
    call_->StartWrite(&response_);
    return greeted_;
  }

  void Pump() {
    woken_ = false;
    absl::MutexLock lock(&mutex_);
    if (call_ == nullptr || finished_ || writing_ || !greeted_) return;
    if (auto topology = replica_->topology(); topology != topology_) {
      topology_ = topology;
      sender_.OnTopology(std::move(topology));
    }
    const auto view = replica_->view();
    auto next = sender_.Next(*view);
    if (next.ok() && !next->has_value()) {
      next = sender_.NextSeed(*view, replica_->clock()->SteadyNow());
    }
    if (!next.ok()) {
      Log(LogLevel::kError, "the change log can not be read",
          {{"peer", sender_.peer().value()}, {"error", next.status().ToString()}});
      response_.Clear();
      response_.set_refusal(internal::v1::LINK_REFUSAL_DAMAGED);
      response_.set_refusal_detail(std::string(next.status().message()));
      refused_ = true;
    } else {
      const SteadyTime now = replica_->clock()->SteadyNow();
      const bool beat = now >= heartbeat_next_;
      if (sender_.busy()) Wake();
      if (!next->has_value() && !beat) return;
      response_ = next->has_value() ? std::move(**next) : PullResponse();
      if (beat) {
        heartbeat_next_ = now + options_.heartbeat_interval;
        PullResponse heartbeat =
            sender_.MakeHeartbeat(*view, replica_->watermark(), replica_->clock()->WallNow());
        *response_.mutable_heartbeat() = std::move(*heartbeat.mutable_heartbeat());
      }
    }
    writing_ = true;
    call_->StartWrite(&response_);
  }

  void FinishLocked(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || call_ == nullptr) return;
    finished_ = true;
    call_->Finish(status);
  }

  Replica* const replica_;
  const ReplicationServiceOptions options_;
  Runner* const runner_;
  mutable absl::Mutex mutex_;
  Call* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  LinkSender sender_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Topology> topology_ ABSL_GUARDED_BY(mutex_);
  PullRequest request_ ABSL_GUARDED_BY(mutex_);
  PullResponse response_ ABSL_GUARDED_BY(mutex_);
  SteadyTime heartbeat_next_ ABSL_GUARDED_BY(mutex_);
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> woken_ = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

class ReplicationService::Impl {
 public:
  Impl(Replica* replica, ReplicationServiceOptions options) : replica_(replica), options_(options) {
    listener_ = replica_->AddListener([this] { WakeAll(); });
  }
  ~Impl() {
    replica_->RemoveListener(listener_);
    runner_.Stop();
  }

  grpc::Service* service() { return &service_; }
  void Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) {
    (new Call(this))->Await(arrivals, queues);
  }

  void Stop() {
    std::map<int, std::shared_ptr<SenderStream>> streams;
    {
      absl::MutexLock lock(&mutex_);
      stopped_ = true;
      streams = streams_;
    }
    for (auto& [number, stream] : streams) {
      stream->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the replica is stopping"));
    }
  }

  std::vector<PullingPeer> Peers() const {
    std::map<int, std::shared_ptr<SenderStream>> streams;
    {
      absl::MutexLock lock(&mutex_);
      streams = streams_;
    }
    // A peer whose old connection broke without a word comes again before that is noticed; streams
    // stand in the order in which they began.
    std::map<ReplicaName, PullingPeer> newest;
    for (const auto& [number, stream] : streams) {
      std::optional<PullingPeer> peer = stream->Peer();
      if (!peer) continue;
      const ReplicaName name = peer->name;
      newest[name] = std::move(*peer);
    }
    std::vector<PullingPeer> peers;
    peers.reserve(newest.size());
    for (auto& [name, peer] : newest) peers.push_back(std::move(peer));
    return peers;
  }

 private:
  // One call, from when it is waited for. Deletes itself.
  class Call final : public SenderStream::Call {
   public:
    explicit Call(Impl* impl) : impl_(impl) {}

    void Await(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) {
      arrivals_ = arrivals;
      queues_ = queues;
      Post(queues, [&](auto* context, auto* stream, auto* queue, void* tag) {
        impl_->service_.RequestPull(context, stream, queue, arrivals, tag);
      });
    }
    void OnArrival(bool ok) override {
      if (!ok) {
        delete this;
        return;
      }
      (new Call(impl_))->Await(arrivals_, queues_);
      if (grpc::Status taken = impl_->Take(this); !taken.ok()) Finish(taken);
    }
    // What is taken in may wait for a message that is being filled, and a queue must not.
    void OnReadDone(bool ok) override {
      impl_->runner_.Run([stream = stream_, ok] { stream->OnReadDone(ok); });
    }
    void OnWriteDone(bool ok) override {
      impl_->runner_.Run([stream = stream_, ok] { stream->OnWriteDone(ok); });
    }
    void OnCancel() override {
      if (stream_ == nullptr) return;
      impl_->runner_.Run([stream = stream_] { stream->Finish(grpc::Status::CANCELLED); });
    }
    void OnDone() override {
      impl_->runner_.Run([this] {
        if (stream_ != nullptr) impl_->Remove(number_, *stream_);
        delete this;
      });
    }

   private:
    friend class Impl;
    Impl* const impl_;
    grpc::ServerCompletionQueue* arrivals_ = nullptr;
    StreamQueues* queues_ = nullptr;
    // None if it was refused.
    std::shared_ptr<SenderStream> stream_;
    int number_ = 0;
  };

  // An error refuses the call.
  grpc::Status Take(Call* call) {
    auto stream = std::make_shared<SenderStream>(replica_, options_, &runner_);
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return {grpc::StatusCode::UNAVAILABLE, "the replica is stopping"};
      if (static_cast<int>(streams_.size()) >= options_.streams_max) {
        return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many links"};
      }
      call->number_ = ++last_;
      streams_[call->number_] = stream;
      call->stream_ = stream;
      // Before Stop() can end it.
      stream->Attach(call);
    }
    return grpc::Status::OK;
  }
  void Remove(int number, SenderStream& stream) {
    stream.Detach();
    absl::MutexLock lock(&mutex_);
    streams_.erase(number);
  }
  void WakeAll() {
    absl::MutexLock lock(&mutex_);
    for (auto& [number, stream] : streams_) stream->Wake();
  }

  Replica* const replica_;
  const ReplicationServiceOptions options_;
  internal::v1::Replication::AsyncService service_;
  Runner runner_;
  int listener_ = 0;
  mutable absl::Mutex mutex_;
  std::map<int, std::shared_ptr<SenderStream>> streams_ ABSL_GUARDED_BY(mutex_);
  int last_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

ReplicationService::ReplicationService(Replica* replica, ReplicationServiceOptions options)
    : impl_(std::make_unique<Impl>(replica, options)) {}
ReplicationService::~ReplicationService() = default;
grpc::Service* ReplicationService::service() { return impl_->service(); }
void ReplicationService::Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) {
  impl_->Serve(arrivals, queues);
}
void ReplicationService::Stop() { impl_->Stop(); }
std::vector<PullingPeer> ReplicationService::Peers() const { return impl_->Peers(); }

}  // namespace homeport
