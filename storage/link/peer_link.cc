#include "storage/link/peer_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/log/log.h"
#include "common/rpc/client_stream.h"
#include "homeport/internal/v1/replication.grpc.pb.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/intake.h"
#include "storage/replication/link_receiver.h"

namespace homeport {
namespace {

using internal::v1::PullRequest;
using internal::v1::PullResponse;

// Acknowledgements cost a message; this often is enough for status and retention.
constexpr absl::Duration kAckInterval = absl::Milliseconds(10);

// Of one peer, what the replica has not answered yet: no more is read beyond so many messages, or
// so many bytes once they are unpacked. Credit bounds a peer that keeps to it, and neither skips
// nor heartbeats, nor how far a batch was compressed.
constexpr int kSubmittedMax = 1024;
constexpr uint64_t kSubmittedBytesMax = 64 * 1024 * 1024;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kBlockBytesMax) + 1024 * 1024);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 1);
  // Windows for a long fat link: what a 150 ms round trip needs at 200 MB/s.
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 32 * 1024 * 1024);
  // A connection of its own, so that entries and forwarded calls do not share a TCP stream.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // In spite of its name this is how long connecting may take; a far link needs two round trips.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

class GrpcPeerLink final : public PeerLink, public std::enable_shared_from_this<GrpcPeerLink> {
 public:
  GrpcPeerLink(Replica* replica, StreamQueues* queues, Runner* runner, ReplicaName peer,
               const std::string& address, const LinkOptions& options)
      : replica_(replica),
        queues_(queues),
        runner_(runner),
        options_(options),
        address_(address),
        channel_(MakeChannel(address)),
        stub_(internal::v1::Replication::NewStub(channel_)),
        receiver_({replica->topology()->cluster(), replica->name(), std::move(peer),
                   options.credit_bytes}),
        backoff_(options.backoff_min),
        down_since_(replica->clock()->SteadyNow()) {
    CompareInitiator::Options compare;
    compare.interval = options.compare_interval;
    receiver_.EnableComparisons(replica->engine(), compare);
  }

  void Tick() override {
    const SteadyTime now = replica_->clock()->SteadyNow();
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    if (stream_ == nullptr) {
      // What the last stream brought is answered first, or it would count for the next one.
      if (now >= connect_next_ && submitted_ == 0) ConnectLocked(now);
      return;
    }
    if (!read_due_ && now - heard_ > options_.silence_max) {
      EndLocked(absl::UnavailableError(
          absl::StrCat("nothing was heard for ", absl::FormatDuration(options_.silence_max))));
      // A connection that a network has swallowed heals late, if ever; a new one at once.
      new_channel_ = true;
      return;
    }
    SendLocked(now);
  }

  void WithCandidate(absl::FunctionRef<void(const RelayCandidate&)> use) override {
    const SteadyTime now = replica_->clock()->SteadyNow();
    absl::MutexLock lock(&mutex_);
    RelayCandidate candidate;
    candidate.peer = receiver_.peer();
    candidate.established = receiver_.established();
    candidate.down = !receiver_.established() && now - down_since_ > options_.relay_after;
    candidate.receiver = &receiver_;
    use(candidate);
  }

  void OnTopology() override {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || stream_ == nullptr) return;
    if (fingerprint_ != replica_->topology()->fingerprint()) {
      EndLocked(absl::CancelledError("the topology has changed"));
    }
  }

  void WantRelay(std::map<Origin, Sequence> wanted, std::string waits) override {
    absl::MutexLock lock(&mutex_);
    receiver_.WantRelay(std::move(wanted));
    receiver_.Waits(std::move(waits));
  }

  void StandBy(bool stand_by) override {
    absl::MutexLock lock(&mutex_);
    receiver_.StandBy(stand_by);
  }

  void WantSeed(std::optional<std::string> name_space) override {
    absl::MutexLock lock(&mutex_);
    receiver_.seeds().Want(std::move(name_space));
  }

  v1::LinkStatus Status() const override {
    absl::MutexLock lock(&mutex_);
    return receiver_.Status(*replica_->view(), replica_->clock()->WallNow());
  }

  std::optional<absl::Duration> ClockOffset() const override {
    absl::MutexLock lock(&mutex_);
    return receiver_.clock_offset();
  }

  void Stop() override {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (stream_ != nullptr) EndLocked(absl::CancelledError("stopping"));
    auto quiet = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stream_ == nullptr && submitted_ == 0;
    };
    mutex_.Await(absl::Condition(&quiet));
  }

 private:
  // One life of the stream; OnDone comes last, and frees it.
  class Stream final : public ClientStream<PullRequest, PullResponse> {
   public:
    explicit Stream(std::shared_ptr<GrpcPeerLink> link) : link_(std::move(link)) {}
    void OnReadDone(bool ok) override {
      link_->runner_->Run([this, ok] { link_->OnRead(this, ok); });
    }
    void OnWriteDone(bool ok) override {
      link_->runner_->Run([this, ok] { link_->OnWritten(this, ok); });
    }
    void OnDone(const grpc::Status& status) override {
      link_->runner_->Run([this, status] {
        link_->OnEnded(this, status);
        delete this;
      });
    }

    PullRequest request;
    PullResponse response;
    bool writing = false;
    bool holds = false;

   private:
    std::shared_ptr<GrpcPeerLink> link_;
  };

  // What was given to the replica with one message.
  struct Submitted {
    uint64_t bytes = 0;  // of the batch, as it came
    uint64_t unpacked_bytes = 0;
    bool hello = false;
  };

  bool FullLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return submitted_ >= kSubmittedMax || submitted_bytes_ >= kSubmittedBytesMax;
  }

  void ConnectLocked(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(new_channel_, false)) {
      channel_ = MakeChannel(address_);
      stub_ = internal::v1::Replication::NewStub(channel_);
    }
    stream_ = new Stream(shared_from_this());
    heard_ = now;
    ended_ = absl::OkStatus();
    read_due_ = false;
    const auto topology = replica_->topology();
    fingerprint_ = topology->fingerprint();
    hello_sent_ = replica_->ClockReading();
    receiver_.SetShared(SharedNamespaces(*topology, replica_->name(), receiver_.peer()));
    stream_->request =
        receiver_.OnConnected(fingerprint_, *replica_->view(), replica_->clock()->WallNow());
    stream_->writing = true;
    // Writes start from other threads than the stream's own, so the call is held open for them.
    stream_->AddHold();
    stream_->holds = true;
    stream_->StartWrite(&stream_->request);
    stream_->StartRead(&stream_->response);
    auto* const stub = stub_.get();
    stream_->Start(queues_, [stub](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
      return stub->PrepareAsyncPull(context, queue);
    });
  }

  void EndLocked(absl::Status why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_.ok()) ended_ = std::move(why);
    if (stream_ == nullptr) return;
    stream_->context().TryCancel();
    if (stream_->holds) {
      stream_->holds = false;
      stream_->RemoveHold();
    }
  }

  void SendLocked(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (stream_ == nullptr || stream_->writing || !stream_->holds || now < send_next_) return;
    std::optional<PullRequest> request = receiver_.NextRequest(*replica_->view());
    if (!request) return;
    send_next_ = now + kAckInterval;
    stream_->request = std::move(*request);
    stream_->writing = true;
    stream_->StartWrite(&stream_->request);
  }

  void OnWritten(Stream* stream, bool ok) {
    absl::MutexLock lock(&mutex_);
    stream->writing = false;
    if (!ok) EndLocked(absl::UnavailableError("the stream ended"));
  }

  void OnRead(Stream* stream, bool ok) {
    PeerBatch batch;
    Submitted submitted;
    {
      absl::MutexLock lock(&mutex_);
      if (!ok) return EndLocked(absl::UnavailableError("the stream ended"));
      if (!ended_.ok()) return;
      const SteadyTime now = replica_->clock()->SteadyNow();
      heard_ = now;
      const bool was_established = receiver_.established();
      const PullResponse& response = stream->response;
      if (response.refusal() == internal::v1::LINK_REFUSAL_LEFT) {
        replica_->OnLeft(receiver_.peer(), response.refusal_detail());
      }
      if (auto status = receiver_.OnResponse(response, now); !status.ok()) {
        return EndLocked(std::move(status));
      }
      if (!was_established) {
        Log(LogLevel::kInfo, "link up", {{"peer", receiver_.peer().value()}});
      }
      auto unpacked = UnpackResponse(receiver_.peer(), response);
      if (!unpacked.ok()) return EndLocked(unpacked.status());
      batch = std::move(*unpacked);
      batch.peer_start = receiver_.peer_start();
      batch.repairs = receiver_.TakeRepairs();
      if (!batch.repairs.empty()) {
        Log(LogLevel::kWarning, "what is here differs from a peer's and is merged with it",
            {{"peer", receiver_.peer().value()}, {"items", absl::StrCat(batch.repairs.size())}});
      }
      ObserveClockLocked(response);
      if (response.has_hello()) replica_->OnPulledHello(response.hello());
      if (response.has_heartbeat()) {
        receiver_.ObserveWall(response.heartbeat().wall_micros(), replica_->clock()->WallNow());
      }
      submitted.bytes = batch.credit_bytes;
      submitted.hello = response.has_hello();
      submitted.unpacked_bytes = batch.block.ByteSizeLong() + stream->response.ByteSizeLong();
      stream->response.Clear();
      ++submitted_;
      submitted_bytes_ += submitted.unpacked_bytes;
    }
    replica_->SubmitFromPeer(std::move(batch), [self = shared_from_this(), submitted](Taken taken) {
      self->OnTaken(std::move(taken), submitted);
    });
    absl::MutexLock lock(&mutex_);
    if (!ended_.ok()) return;
    if (FullLocked()) {
      read_due_ = true;
    } else {
      stream->StartRead(&stream->response);
    }
  }

  // The peer's hello was made after this side's was sent, which bounds its clock from both sides; a
  // heartbeat may have waited behind entries, and bounds it from one.
  void ObserveClockLocked(const PullResponse& response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Time now = replica_->ClockReading();
    const ReplicaName& peer = receiver_.peer();
    const auto observe = [&](uint64_t micros, absl::Time before) {
      if (micros == 0) return;
      replica_->ObservePeerClock(
          peer, BoundsOf(absl::FromUnixMicros(static_cast<int64_t>(micros)), before, now));
    };
    if (response.has_hello()) observe(response.hello().wall_micros(), hello_sent_);
    if (response.has_heartbeat()) {
      observe(response.heartbeat().wall_micros(), absl::InfinitePast());
    }
  }

  void OnTaken(Taken taken, const Submitted& submitted) {
    absl::MutexLock lock(&mutex_);
    --submitted_;
    submitted_bytes_ -= submitted.unpacked_bytes;
    const SteadyTime now = replica_->clock()->SteadyNow();
    absl::Status status = std::move(taken.status);
    for (const RefusedOrigin& refused : taken.refused) {
      if (!status.ok()) break;
      auto news = receiver_.OnRefused(refused.origin, refused.why);
      status = news.status();
      if (!news.ok() || !*news) continue;
      Log(LogLevel::kWarning, "an origin's entries were not taken",
          {{"peer", receiver_.peer().value()},
           {"origin", absl::StrCat(absl::Hex(refused.origin.value(), absl::kZeroPad16))},
           {"why", refused.why.ToString()}});
    }
    for (const Origin origin : taken.full) receiver_.OnFull(origin);
    if (!taken.seed_refused.ok()) {
      Log(LogLevel::kWarning, "a piece of a seeding was not taken",
          {{"peer", receiver_.peer().value()}, {"why", taken.seed_refused.ToString()}});
      receiver_.seeds().OnRefused(taken.seed_refused, now);
    }
    if (!taken.repair_refused.ok()) {
      Log(LogLevel::kWarning, "a peer's items were not merged",
          {{"peer", receiver_.peer().value()}, {"why", taken.repair_refused.ToString()}});
    }
    if (status.ok()) {
      // Not at the hello: a peer whose first batch is refused would be asked for it ever again.
      if (!submitted.hello) backoff_ = options_.backoff_min;
      receiver_.OnCommitted(submitted.bytes, taken.entries, now);
      if (read_due_ && ended_.ok() && stream_ != nullptr && !FullLocked()) {
        read_due_ = false;
        heard_ = now;
        stream_->StartRead(&stream_->response);
      }
      SendLocked(now);
      return;
    }
    if (ended_.ok()) {
      Log(LogLevel::kWarning, "entries of a peer were not taken",
          {{"peer", receiver_.peer().value()}, {"why", status.ToString()}});
    }
    EndLocked(status);
  }

  void OnEnded(Stream* stream, const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (stream != stream_) return;
    stream_ = nullptr;
    absl::Status why = ended_;
    if (!status.ok() && (why.ok() || why.message() == "the stream ended")) {
      why = absl::UnavailableError(status.error_message());
    }
    const SteadyTime now = replica_->clock()->SteadyNow();
    if (receiver_.established()) {
      down_since_ = now;
      if (!stopped_) {
        Log(LogLevel::kInfo, "link down",
            {{"peer", receiver_.peer().value()}, {"why", why.ToString()}});
      }
    } else {
      replica_->OnPeerUnreachable(receiver_.peer());
    }
    receiver_.OnDisconnected(why);
    connect_next_ = now + backoff_;
    backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  }

  Replica* const replica_;
  StreamQueues* const queues_;
  Runner* const runner_;
  const LinkOptions options_;
  const std::string address_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<internal::v1::Replication::Stub> stub_ ABSL_GUARDED_BY(mutex_);
  bool new_channel_ ABSL_GUARDED_BY(mutex_) = false;
  LinkReceiver receiver_ ABSL_GUARDED_BY(mutex_);
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // This replica's clock when the stream's hello was sent.
  absl::Time hello_sent_ ABSL_GUARDED_BY(mutex_);
  // The topology that the stream's hello named.
  std::string fingerprint_ ABSL_GUARDED_BY(mutex_);
  // Why the present stream is being ended; OK while it is not.
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
  // Messages given to the replica and not answered, and their bytes.
  int submitted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t submitted_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // A message was taken in, and the next one is asked for when one is answered.
  bool read_due_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyTime heard_ ABSL_GUARDED_BY(mutex_);
  SteadyTime connect_next_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  SteadyTime send_next_ ABSL_GUARDED_BY(mutex_);
  absl::Duration backoff_ ABSL_GUARDED_BY(mutex_);
  SteadyTime down_since_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::shared_ptr<PeerLink> PeerLink::Create(Replica* replica, StreamQueues* queues, Runner* runner,
                                           ReplicaName peer, const std::string& address,
                                           const LinkOptions& options) {
  return std::make_shared<GrpcPeerLink>(replica, queues, runner, std::move(peer), address, options);
}

}  // namespace homeport
