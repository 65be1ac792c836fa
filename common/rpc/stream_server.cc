#include "common/rpc/stream_server.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/grpc_time.h"
#include "common/status/error.h"

namespace homeport {
namespace {

// A batch holds at least one entry, and an entry a mutation of 4 MiB.
constexpr int kMessageBytesMax = 32 * 1024 * 1024;
// A call that has come is seen after this long at most. A process calls once and stays, so this is
// part of connecting; a thread that waited for it would poll for the others (stream_queues.h).
constexpr absl::Duration kArrivalInterval = absl::Milliseconds(20);

// Looks at the queue of arrivals again and again, on a queue of streams.
class ArrivalWatch {
 public:
  ArrivalWatch(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues)
      : arrivals_(arrivals), queues_(queues) {}

  void Start() {
    absl::MutexLock lock(&mutex_);
    queue_ = queues_->Begin();
    running_ = true;
    Pause();
  }
  // Returns once it looks no more.
  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (alarm_) alarm_->Cancel();
    mutex_.Await(absl::Condition(
        +[](bool* running) { return !*running; }, &running_));
  }

 private:
  void OnAlarm(bool) {
    void* tag;
    bool ok;
    while (arrivals_->AsyncNext(&tag, &ok, std::chrono::system_clock::time_point()) ==
           grpc::CompletionQueue::GOT_EVENT) {
      static_cast<const QueueEvent*>(tag)->Happen(ok);
    }
    StreamQueues* const queues = queues_;
    {
      absl::MutexLock lock(&mutex_);
      if (!stopping_) return Pause();
      running_ = false;
    }
    queues->End();
  }
  void Pause() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    alarm_.emplace();
    alarm_->Set(queue_->get(), GrpcTimeAfter(kArrivalInterval), &alarm_event_);
  }

  grpc::ServerCompletionQueue* const arrivals_;
  StreamQueues* const queues_;
  CallQueue* queue_ ABSL_GUARDED_BY(mutex_) = nullptr;
  QueueEvent alarm_event_ = QueueEvent::Of<&ArrivalWatch::OnAlarm>(this);
  absl::Mutex mutex_;
  std::optional<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

class GrpcStreamServer final : public StreamServer {
 public:
  GrpcStreamServer(std::unique_ptr<grpc::ServerCompletionQueue> arrivals, StreamQueues* queues)
      : arrivals_(std::move(arrivals)),
        streams_(queues->queues()),
        watch_(arrivals_.get(), queues) {}
  ~GrpcStreamServer() override { Shutdown(absl::ZeroDuration()); }

  int port() const override { return port_; }
  void Shutdown(absl::Duration grace) override {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    stopped_ = true;
    server_->Shutdown(GrpcTimeAfter(grace));
    server_->Wait();
    // Until then one that came last may ask for another, and be told that there is none.
    streams_.WaitForStreams();
    watch_.Stop();
    arrivals_->Shutdown();
    void* tag;
    bool ok;
    while (arrivals_->Next(&tag, &ok)) static_cast<const QueueEvent*>(tag)->Happen(ok);
  }

  void Serve(std::unique_ptr<grpc::Server> server, int port,
             const std::vector<StreamService*>& services) {
    server_ = std::move(server);
    port_ = port;
    for (StreamService* service : services) service->Serve(arrivals_.get(), &streams_);
    watch_.Start();
  }

 private:
  // The server goes before the queue that it was built with.
  const std::unique_ptr<grpc::ServerCompletionQueue> arrivals_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  // Counts the streams of this server alone.
  StreamQueues streams_;
  ArrivalWatch watch_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<StreamServer>> StreamServer::Start(
    const std::string& address, const std::vector<StreamService*>& services, StreamQueues* queues) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  // Two processes on one port would each get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 32 * 1024 * 1024);
  // Finds peers that went away without a word; links and forwarding have heartbeats of their own.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  for (StreamService* service : services) builder.RegisterService(service->service());
  std::unique_ptr<grpc::ServerCompletionQueue> arrivals = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    server = nullptr;
    arrivals->Shutdown();
    return MakeError(absl::StatusCode::kUnavailable, reason::kListenFailed,
                     absl::StrCat(address, ": can not be listened on; is the port in use?"),
                     {{"address", address}});
  }
  auto serving = std::make_unique<GrpcStreamServer>(std::move(arrivals), queues);
  serving->Serve(std::move(server), port, services);
  return std::unique_ptr<StreamServer>(std::move(serving));
}

}  // namespace homeport
