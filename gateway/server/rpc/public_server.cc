#include "gateway/server/rpc/public_server.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/grpc_time.h"
#include "common/status/error.h"
#include "gateway/server/rpc/health_watch.h"
#include "gateway/server/rpc/info_methods.h"
#include "gateway/server/rpc/key_value_methods.h"
#include "gateway/server/serving_state.h"
#include "grpc/grpc.h"
#include "grpcpp/alarm.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace homeport {
namespace {

// Pings of clients that come more often than this end their connection.
constexpr absl::Duration kClientPingIntervalMin = absl::Seconds(5);
// Threads for reflection, and with them its streams at once.
constexpr int kReflectionThreadsMax = 16;
// A silent connection is asked for a sign of life after this long.
constexpr absl::Duration kKeepaliveInterval = absl::Minutes(1);

// For clients to go once all calls are answered; more than a round trip around the world.
constexpr absl::Duration kGoodbye = absl::Milliseconds(400);

// What every server of the process shares; gRPC wants it set before the first builder.
void SetUpProcess() {
  static absl::once_flag once;
  absl::call_once(once, [] {
    // The built-in health service is invisible to reflection.
    grpc::EnableDefaultHealthCheckService(false);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void Configure(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kRequestMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kRequestHeadersBytesMax);
  // Two processes on one port would share its clients without anybody noticing.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             absl::ToInt64Milliseconds(kKeepaliveInterval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             absl::ToInt64Milliseconds(kClientPingIntervalMin));
  // Only reflection is served by gRPC's own threads; each stream that is open holds one.
  builder.SetResourceQuota(grpc::ResourceQuota("public").SetMaxThreads(kReflectionThreadsMax));
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

// Posts the calls of one queue on its thread, which alone may touch them.
class FirstCalls {
 public:
  FirstCalls(CallQueue* queue, absl::AnyInvocable<void()> post)
      : queue_(queue), post_(std::move(post)) {
    queue_->AddCall();
    alarm_.Set(queue_->get(), std::chrono::system_clock::time_point(), &event_);
  }

 private:
  void OnAlarm(bool) {
    post_();
    queue_->RemoveCall();
  }

  CallQueue* const queue_;
  absl::AnyInvocable<void()> post_;
  QueueEvent event_ = QueueEvent::Of<&FirstCalls::OnAlarm>(this);
  grpc::Alarm alarm_;
};

class GrpcPublicServer final : public PublicServer {
 public:
  GrpcPublicServer(const PublicServerOptions& options, Gateway* gateway, StatusSource status,
                   std::shared_ptr<prometheus::Registry> registry)
      : options_(options),
        status_(std::move(status)),
        serving_(gateway),
        shared_(gateway, std::move(registry)) {
    shared_.in_flight_max = options.in_flight_max;
    shared_.answer_bytes_max = options.answer_bytes_max;
    shared_.slow_request = options.slow_request;
  }

  ~GrpcPublicServer() override {
    Shutdown(absl::ZeroDuration());
    for (const auto& queue : queues_) queue->Stop();
  }

  absl::Status Listen();
  void Serve() override;
  std::vector<CallQueue*> queues() override {
    std::vector<CallQueue*> queues;
    queues.reserve(queues_.size());
    for (const auto& queue : queues_) queues.push_back(queue.get());
    return queues;
  }
  int port() const override { return port_; }

  void BeginDrain() override {
    serving_.BeginDrain();
    watches_->WakeAll();
  }

  void Shutdown(absl::Duration grace) override;

 private:
  void ShutdownServer(absl::Duration grace);

  const PublicServerOptions options_;
  const StatusSource status_;
  ServingState serving_;
  ServerShared shared_;
  KeyValueService key_value_;
  LocatorService locator_;
  AdminService admin_;
  HealthService health_;
  std::vector<PostedMethod> methods_;
  std::vector<std::unique_ptr<CallQueue>> queues_;
  std::vector<std::unique_ptr<UnaryPool>> pools_;
  std::unique_ptr<HealthWatches> watches_;
  std::vector<std::unique_ptr<FirstCalls>> first_calls_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  absl::once_flag shut_down_;
};

absl::Status GrpcPublicServer::Listen() {
  SetUpProcess();
  grpc::ServerBuilder builder;
  Configure(builder);
  builder.AddListeningPort(options_.address, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&key_value_);
  builder.RegisterService(&locator_);
  builder.RegisterService(&admin_);
  builder.RegisterService(&health_);
  const int threads = options_.threads > 0
                          ? options_.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int i = 0; i < threads; ++i) {
    queues_.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue()));
  }
  watches_ =
      std::make_unique<HealthWatches>(&health_, &serving_, queues_.front().get(),
                                      options_.health_watch_interval, options_.health_watches_max);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) {
    return MakeError(
        absl::StatusCode::kUnavailable, reason::kListenFailed,
        absl::StrCat("can not listen on ", options_.address,
                     ": the port is in use, or the address is not one of this machine"),
        {{"address", options_.address}});
  }
  for (const auto& queue : queues_) queue->Start();
  return absl::OkStatus();
}

void GrpcPublicServer::Serve() {
  methods_ = MakeKeyValueMethods(&key_value_, &shared_);
  for (PostedMethod& method :
       MakeInfoMethods(&locator_, &admin_, &health_, &shared_, &status_, &serving_)) {
    methods_.push_back(std::move(method));
  }
  for (const auto& queue : queues_) {
    std::vector<UnaryPool*> pools;
    for (const PostedMethod& posted : methods_) {
      pools_.push_back(
          std::make_unique<UnaryPool>(&shared_, posted.method.get(), queue.get(), posted.posted));
      pools.push_back(pools_.back().get());
    }
    const bool watched = queue == queues_.front();
    first_calls_.push_back(
        std::make_unique<FirstCalls>(queue.get(), [this, watched, pools = std::move(pools)] {
          for (UnaryPool* pool : pools) pool->Fill();
          if (watched) watches_->Start();
        }));
  }
}

void GrpcPublicServer::Shutdown(absl::Duration grace) {
  absl::call_once(shut_down_, [this, grace] {
    serving_.BeginDrain();
    shared_.stopping.store(true);
    watches_->Stop();
    if (server_ != nullptr) ShutdownServer(grace);
    for (const auto& queue : queues_) queue->WaitForCalls();
  });
}

// gRPC waits for connections, not for calls, and a client that has nothing to do does not hear that
// it should go.
void GrpcPublicServer::ShutdownServer(absl::Duration grace) {
  absl::Notification over;
  std::thread shutdown([&] {
    server_->Shutdown(GrpcTimeAfter(grace));
    over.Notify();
  });
  const bool answered = std::all_of(queues_.begin(), queues_.end(),
                                    [&](const auto& queue) { return queue->WaitForCalls(grace); });
  if (answered && !over.WaitForNotificationWithTimeout(kGoodbye)) {
    grpc_server_cancel_all_calls(server_->c_server());
  }
  shutdown.join();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PublicServer>> PublicServer::Listen(
    const PublicServerOptions& options, Gateway* gateway, StatusSource status,
    std::shared_ptr<prometheus::Registry> registry) {
  auto server =
      std::make_unique<GrpcPublicServer>(options, gateway, std::move(status), std::move(registry));
  if (absl::Status listening = server->Listen(); !listening.ok()) return listening;
  return std::unique_ptr<PublicServer>(std::move(server));
}

}  // namespace homeport
