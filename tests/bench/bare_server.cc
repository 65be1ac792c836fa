#include "tests/bench/bare_server.h"

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "homeport/v1/key_value.grpc.pb.h"

namespace homeport::bench {
namespace {

// Enough for every call that a client of this benchmark has under way; thousands cost cache misses.
constexpr int kPostedCalls = 256;

using Service = v1::KeyValue::WithAsyncMethod_Get<v1::KeyValue::Service>;

struct Server {
  Service service;
  v1::GetResponse answer;
};

// One call: posted, answered, posted again.
class Call {
 public:
  Call(Server* server, grpc::ServerCompletionQueue* queue) : server_(server), queue_(queue) {
    Post();
  }
  void Happen(bool ok) {
    if (!ok) {
      delete this;
    } else if (answering_) {
      Post();
    } else {
      answering_ = true;
      writer_->Finish(server_->answer, grpc::Status::OK, this);
    }
  }

 private:
  void Post() {
    answering_ = false;
    writer_.reset();
    context_.emplace();
    writer_.emplace(&*context_);
    server_->service.RequestGet(&*context_, &request_, &*writer_, queue_, queue_, this);
  }

  Server* const server_;
  grpc::ServerCompletionQueue* const queue_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<v1::GetResponse>> writer_;
  v1::GetRequest request_;
  bool answering_ = false;
};

void Serve(grpc::ServerCompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->Happen(ok);
}

}  // namespace

int RunBareServer(const BareServerOptions& options) {
  // As `homeport serve` does.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Server server;
  std::stringstream bytes;
  bytes << std::ifstream(options.answer_file, std::ios::binary).rdbuf();
  if (!server.answer.ParseFromString(bytes.str())) {
    std::fprintf(stderr, "%s is not a GetResponse\n", options.answer_file.c_str());
    return 1;
  }
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&server.service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < options.threads; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> listening = builder.BuildAndStart();
  if (listening == nullptr) return 1;
  std::vector<std::thread> threads;
  for (const auto& queue : queues) {
    for (int i = 0; i < kPostedCalls; ++i) new Call(&server, queue.get());
    threads.emplace_back([&queue] { Serve(queue.get()); });
  }
  {
    const std::string partial = absl::StrCat(options.ready_file, ".partial");
    std::ofstream(partial) << "127.0.0.1:" << port;
    if (std::rename(partial.c_str(), options.ready_file.c_str()) != 0) return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  listening->Shutdown(absl::ToChronoTime(absl::Now()));
  for (const auto& queue : queues) queue->Shutdown();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace homeport::bench
