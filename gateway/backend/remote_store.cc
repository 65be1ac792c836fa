#include "gateway/backend/remote_store.h"

#include <grpcpp/grpcpp.h>

#include <limits>
#include <thread>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/client_stream.h"
#include "common/status/error.h"
#include "gateway/backend/frames/backoff.h"
#include "gateway/backend/frames/call_table.h"
#include "homeport/internal/v1/forwarding.grpc.pb.h"

namespace homeport {
namespace {

using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::Forwarding;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

constexpr absl::Duration kBackoffFirst = absl::Milliseconds(100);
constexpr absl::Duration kBackoffMax = absl::Seconds(2);
// TCP and HTTP/2 take two round trips, and a lost packet one second more.
constexpr int kConnectTimeoutMs = 5000;
constexpr int kKeepaliveTimeMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
// Enough for 200 MB/s at a round trip of 40 ms before bandwidth probing has learned the link.
constexpr int kStreamWindowBytes = 8 * 1024 * 1024;
// A message is a few fragments; this is what a peer with larger fragments may send.
constexpr int kMessageBytesMax = 16 * 1024 * 1024;

// The object whose callbacks this thread runs, if any: whoever is destroyed from one of its own
// callbacks can not wait for it.
thread_local const void* running_callbacks_of = nullptr;

class CallbackScope {
 public:
  explicit CallbackScope(const void* owner) : before_(running_callbacks_of) {
    running_callbacks_of = owner;
  }
  ~CallbackScope() { running_callbacks_of = before_; }

 private:
  const void* const before_;
};

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  // A channel of its own has a connection of its own: one that was given up on is not used again.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   static_cast<int>(absl::ToInt64Milliseconds(kBackoffFirst)));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   static_cast<int>(absl::ToInt64Milliseconds(kBackoffMax)));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(std::numeric_limits<int>::max());
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

CallTableOptions TableOptions(const RemoteStoreOptions& options) {
  CallTableOptions table;
  table.replica = options.replica;
  table.ping_interval = options.ping_interval;
  table.ping_timeout = options.ping_timeout;
  table.fragment_bytes = options.fragment_bytes;
  table.message_bytes = options.fragment_bytes;
  table.in_flight_max = options.in_flight_max;
  table.in_flight_bytes_max = options.in_flight_bytes_max;
  return table;
}

// Drives a CallTable: one thread for what happens by time, those of the queues for the rest.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(const Clock* clock, StreamQueues* queues, RemoteStoreOptions options,
       absl::AnyInvocable<void(absl::Duration)> on_round_trip,
       absl::AnyInvocable<void(std::string)> on_lost)
      : clock_(clock),
        queues_(queues),
        options_(std::move(options)),
        on_round_trip_(std::move(on_round_trip)),
        on_lost_(std::move(on_lost)),
        table_(TableOptions(options_)) {}

  void Start() {
    thread_ = std::thread([self = shared_from_this()] { self->Drive(); });
  }
  void Shutdown();
  void Execute(const CallContext& context, const StoreRequest& request, StoreResponse* response,
               RecordStore::Done done);
  bool connected() const {
    absl::MutexLock lock(&mutex_);
    return table_.state() == CallTable::State::kUp;
  }
  std::shared_ptr<const StoreFreshness> freshness() const {
    absl::MutexLock lock(&mutex_);
    return freshness_;
  }

 private:
  // One stream. It owns itself until OnDone(), and it always comes to that: the hold is given back
  // when reading has ended and no write is under way. Guarded by the link's mutex.
  class Stream final : public ClientStream<ExchangeRequest, ExchangeResponse> {
   public:
    Stream(std::shared_ptr<Link> link, std::shared_ptr<grpc::Channel> channel)
        : link_(std::move(link)), channel_(std::move(channel)), stub_(channel_) {}

    void Start() {
      context().set_wait_for_ready(true);
      AddHold();
      StartRead(&incoming_);
      ClientStream::Start(link_->queues_,
                          [this](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
                            return stub_.PrepareAsyncExchange(context, queue);
                          });
    }
    void OnReadDone(bool ok) override { link_->OnReadDone(this, ok); }
    void OnWriteDone(bool ok) override { link_->OnWriteDone(this, ok); }
    void OnDone(const grpc::Status& status) override {
      // Keeps the stream, and by it the link, to the end of this.
      std::shared_ptr<Stream> self = std::move(self_);
      link_->OnStreamDone(status);
    }

    std::shared_ptr<Link> link_;
    std::shared_ptr<Stream> self_;
    std::shared_ptr<grpc::Channel> channel_;
    Forwarding::Stub stub_;
    ExchangeRequest outgoing_;
    ExchangeResponse incoming_;
    bool writing_ = false;
    bool read_ended_ = false;
    // Why we end it ourselves; empty otherwise.
    std::string reason_;
  };

  void Drive();
  void OnReadDone(Stream* stream, bool ok);
  void OnWriteDone(Stream* stream, bool ok);
  void OnStreamDone(const grpc::Status& status);
  void CancelCall(uint64_t call);

  // Fills the next message if the stream is free for it; the caller then starts the write, outside
  // of the lock.
  Stream* TakeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void StartWrite(Stream* stream) {
    if (stream != nullptr) stream->StartWrite(&stream->outgoing_);
  }
  // Marks the stream as to be ended; the caller then cancels what is returned, outside of the lock.
  std::shared_ptr<Stream> End(absl::string_view reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDrained() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return table_.state() == CallTable::State::kDraining && table_.in_flight() == 0;
  }
  // Wakes the thread if it would sleep for too long.
  void WakeForTick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (table_.next_tick() < sleeps_until_) wake_.Signal();
  }
  void RunAll(std::vector<Completion>& completions) {
    CallbackScope scope(this);
    for (Completion& completion : completions) completion.Run();
  }

  const Clock* const clock_;
  StreamQueues* const queues_;
  const RemoteStoreOptions options_;
  // Called from reactions of the one stream that there is, so never twice at a time.
  absl::AnyInvocable<void(absl::Duration)> on_round_trip_;
  absl::AnyInvocable<void(std::string)> on_lost_;
  std::thread thread_;

  mutable absl::Mutex mutex_;
  absl::CondVar wake_;     // for the thread
  absl::CondVar settled_;  // for Shutdown()
  CallTable table_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  bool was_up_ ABSL_GUARDED_BY(mutex_) = false;
  // As the replica said last on the stream that there is.
  std::shared_ptr<const StoreFreshness> freshness_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Cancellations that are running.
  int cancelling_ ABSL_GUARDED_BY(mutex_) = 0;
  Backoff backoff_ ABSL_GUARDED_BY(mutex_){kBackoffFirst, kBackoffMax};
  absl::BitGen random_ ABSL_GUARDED_BY(mutex_);
  SteadyTime connect_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  SteadyTime sleeps_until_ ABSL_GUARDED_BY(mutex_);
};

void Link::Execute(const CallContext& context, const StoreRequest& request, StoreResponse* response,
                   RecordStore::Done done) {
  // `context` may go with `done`, which may be called as soon as the call is in the table.
  std::shared_ptr<Cancellation> cancellation = context.cancellation;
  if (cancellation != nullptr && cancellation->cancelled()) {
    done(absl::CancelledError("the caller does not wait any more"));
    return;
  }
  CallTable::Call call;
  call.deadline = context.deadline;
  call.kind = request.operation_case();
  call.response = response;
  call.done = std::move(done);
  absl::Status status;
  if (!request.SerializeToString(&call.serialized)) {
    status = FieldError("request", "can not be serialized");
  }
  uint64_t id = 0;
  Stream* stream = nullptr;
  if (status.ok()) {
    absl::MutexLock lock(&mutex_);
    auto begun = table_.Begin(clock_->SteadyNow(), &call);
    if (begun.ok()) {
      id = *begun;
      stream = TakeWrite();
      WakeForTick();
    } else {
      status = begun.status();
    }
  }
  if (!status.ok()) {
    call.done(std::move(status));
    return;
  }
  StartWrite(stream);
  if (cancellation != nullptr) {
    cancellation->OnCancel([link = weak_from_this(), id] {
      if (std::shared_ptr<Link> alive = link.lock()) alive->CancelCall(id);
    });
  }
}

void Link::CancelCall(uint64_t call) {
  CallTable::Outcome outcome;
  Stream* stream = nullptr;
  std::shared_ptr<Stream> drained;
  {
    absl::MutexLock lock(&mutex_);
    table_.Cancel(call, &outcome);
    if (outcome.completions.empty()) return;
    ++cancelling_;
    stream = TakeWrite();
    if (IsDrained()) drained = End("drained");
  }
  StartWrite(stream);
  if (drained != nullptr) drained->context().TryCancel();
  RunAll(outcome.completions);
  absl::MutexLock lock(&mutex_);
  if (--cancelling_ == 0) settled_.SignalAll();
}

Link::Stream* Link::TakeWrite() {
  Stream* stream = stream_.get();
  if (stream == nullptr || stream->writing_ || stream->read_ended_ || !table_.HasOutput()) {
    return nullptr;
  }
  table_.Fill(clock_->SteadyNow(), &stream->outgoing_);
  stream->writing_ = true;
  return stream;
}

std::shared_ptr<Link::Stream> Link::End(absl::string_view reason) {
  if (stream_ != nullptr && stream_->reason_.empty()) stream_->reason_ = std::string(reason);
  return stream_;
}

void Link::OnReadDone(Stream* stream, bool ok) {
  CallTable::Outcome outcome;
  Stream* write = nullptr;
  std::shared_ptr<Stream> ended;
  bool release = false;
  {
    absl::MutexLock lock(&mutex_);
    if (!ok) {
      stream->read_ended_ = true;
      release = !stream->writing_;
    } else {
      absl::Status status = table_.OnMessage(clock_->SteadyNow(), &stream->incoming_, &outcome);
      if (outcome.freshness != nullptr) freshness_ = std::move(outcome.freshness);
      if (outcome.came_up) {
        was_up_ = true;
        backoff_.Reset();
      }
      if (!status.ok()) {
        ended = End(absl::StrCat("protocol: ", std::string(status.message())));
      } else if (IsDrained()) {
        ended = End("the replica is about to stop");
      }
      write = TakeWrite();
      WakeForTick();
    }
  }
  StartWrite(write);
  if (release) stream->RemoveHold();
  if (!ok) return;
  if (ended != nullptr) ended->context().TryCancel();
  if (outcome.round_trip && on_round_trip_) {
    CallbackScope scope(this);
    on_round_trip_(*outcome.round_trip);
  }
  // The completions point into the message, so the next one is read after them.
  RunAll(outcome.completions);
  stream->StartRead(&stream->incoming_);
}

void Link::OnWriteDone(Stream* stream, bool ok) {
  Stream* write = nullptr;
  bool release = false;
  {
    absl::MutexLock lock(&mutex_);
    stream->writing_ = false;
    release = stream->read_ended_;
    // After a failed write the read fails as well, and ends the stream.
    if (ok) write = TakeWrite();
  }
  StartWrite(write);
  if (release) stream->RemoveHold();
}

void Link::OnStreamDone(const grpc::Status& status) {
  CallTable::Outcome outcome;
  bool was_up = false;
  std::string reason;
  {
    absl::MutexLock lock(&mutex_);
    reason = !stream_->reason_.empty()        ? stream_->reason_
             : status.error_message().empty() ? std::string("ended by the replica")
                                              : status.error_message();
    // What is closed here was not lost.
    was_up = std::exchange(was_up_, false) && !stopping_;
    table_.OnStreamEnded(reason, &outcome);
    freshness_ = nullptr;
    connect_at_ = clock_->SteadyNow() + backoff_.Next(absl::Uniform(random_, 0.0, 1.0));
  }
  RunAll(outcome.completions);
  if (was_up && on_lost_) {
    CallbackScope scope(this);
    on_lost_(reason);
  }
  std::shared_ptr<Stream> gone;
  absl::MutexLock lock(&mutex_);
  gone = std::move(stream_);
  stream_ = nullptr;
  wake_.Signal();
  settled_.SignalAll();
}

void Link::Drive() {
  for (;;) {
    CallTable::Outcome outcome;
    Stream* write = nullptr;
    std::shared_ptr<Stream> ended;
    std::shared_ptr<Stream> started;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      const SteadyTime now = clock_->SteadyNow();
      table_.OnTick(now, &outcome);
      if (outcome.is_silent && stream_->reason_.empty()) {
        ended = End(
            absl::StrCat("nothing was heard for ", absl::FormatDuration(options_.ping_timeout)));
        channel_ = nullptr;
      } else if (IsDrained() && stream_->reason_.empty()) {
        ended = End("the replica is about to stop");
      }
      if (stream_ == nullptr && now >= connect_at_) {
        if (channel_ == nullptr) channel_ = MakeChannel(options_.address);
        stream_ = started = std::make_shared<Stream>(shared_from_this(), channel_);
        stream_->self_ = stream_;
        table_.OnStreamStarted(now);
        // Until it is started the stream takes no writes from elsewhere.
        table_.Fill(now, &stream_->outgoing_);
        stream_->writing_ = true;
      } else {
        write = TakeWrite();
      }
      if (outcome.completions.empty() && ended == nullptr && started == nullptr &&
          write == nullptr) {
        SteadyTime next = table_.next_tick();
        // A silent stream that was cancelled ends by itself; there is nothing to do until then.
        if (stream_ != nullptr && !stream_->reason_.empty()) next = now + options_.ping_timeout;
        if (stream_ == nullptr) next = std::min(next, connect_at_);
        sleeps_until_ = next;
        wake_.WaitWithTimeout(&mutex_, next - now);
        sleeps_until_ = -absl::InfiniteDuration();
        continue;
      }
    }
    if (started != nullptr) {
      started->Start();
      StartWrite(started.get());
    }
    StartWrite(write);
    if (ended != nullptr) ended->context().TryCancel();
    RunAll(outcome.completions);
  }
}

void Link::Shutdown() {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stream = End("closed here");
    wake_.Signal();
  }
  // In one of our own callbacks waiting for it would be for ever, and so it would on the thread
  // that its events come on: all goes when it has returned.
  const bool inside = running_callbacks_of == this || CallQueue::IsQueueThread();
  if (inside) {
    thread_.detach();
  } else {
    thread_.join();
  }
  {
    // The thread may have started one last stream.
    absl::MutexLock lock(&mutex_);
    stream = End("closed here");
  }
  if (stream != nullptr) stream->context().TryCancel();
  stream = nullptr;
  if (inside) return;
  absl::MutexLock lock(&mutex_);
  while (stream_ != nullptr || cancelling_ != 0) settled_.Wait(&mutex_);
}

class GrpcRemoteStore final : public RemoteStore {
 public:
  explicit GrpcRemoteStore(std::shared_ptr<Link> link) : link_(std::move(link)) { link_->Start(); }
  ~GrpcRemoteStore() override { link_->Shutdown(); }

  void Execute(const CallContext& context, const StoreRequest& request, StoreResponse* response,
               Done done) override {
    // `done` may be the last to hold this object.
    std::shared_ptr<Link> link = link_;
    link->Execute(context, request, response, std::move(done));
  }
  bool connected() const override { return link_->connected(); }
  std::shared_ptr<const StoreFreshness> freshness() const override { return link_->freshness(); }

 private:
  const std::shared_ptr<Link> link_;
};

}  // namespace

std::shared_ptr<RemoteStore> RemoteStore::Create(
    const Clock* clock, StreamQueues* queues, RemoteStoreOptions options,
    absl::AnyInvocable<void(absl::Duration)> on_round_trip,
    absl::AnyInvocable<void(std::string)> on_lost) {
  return std::make_shared<GrpcRemoteStore>(std::make_shared<Link>(
      clock, queues, std::move(options), std::move(on_round_trip), std::move(on_lost)));
}

}  // namespace homeport
