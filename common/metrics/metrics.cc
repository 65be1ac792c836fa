#include "common/metrics/metrics.h"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/endpoint/endpoint.h"
#include "common/status/error.h"
#include "prometheus/text_serializer.h"

namespace homeport {
namespace {

// Connections served at once. A connection is closed after its answer, which a scraper that comes
// every few seconds does not mind: so none holds a thread or the end of the process, and more
// threads than scrapers would only wait.
constexpr size_t kThreads = 16;
// Connections accepted and not yet closed; further ones wait in the kernel's backlog, which bounds
// itself.
constexpr int kConnectionsMax = 64;
constexpr size_t kRequestsPerConnection = 1;
// For a connection that never asks.
constexpr time_t kIdleSeconds = 1;
constexpr time_t kTransferSeconds = 5;
constexpr size_t kRequestBodyBytesMax = 1024;
constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";

// The library's pool, which by itself queues without end.
class BoundedPool final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> serve) override {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(
          +[](int* open) { return *open < kConnectionsMax; }, &open_));
      ++open_;
    }
    pool_.enqueue([this, serve = std::move(serve)] {
      serve();
      absl::MutexLock lock(&mutex_);
      --open_;
    });
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  httplib::ThreadPool pool_{kThreads};
};

class HttpMetricsServer final : public MetricsServer {
 public:
  explicit HttpMetricsServer(std::shared_ptr<prometheus::Registry> registry)
      : registry_(std::move(registry)) {
    // The library's default is SO_REUSEPORT, with which a second process on a busy port would start
    // and take half of the scrapes.
    server_.set_socket_options([](int socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.new_task_queue = [] { return new BoundedPool; };
    server_.set_keep_alive_max_count(kRequestsPerConnection);
    server_.set_keep_alive_timeout(kIdleSeconds);
    server_.set_read_timeout(kTransferSeconds);
    server_.set_write_timeout(kTransferSeconds);
    server_.set_payload_max_length(kRequestBodyBytesMax);
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(prometheus::TextSerializer().Serialize(Collect()), kTextFormat);
    });
    server_.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", "text/plain");
    });
  }

  ~HttpMetricsServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const Endpoint& endpoint) {
    errno = 0;
    if (endpoint.port == 0) {
      port_ = server_.bind_to_any_port(endpoint.host);
    } else {
      port_ = server_.bind_to_port(endpoint.host, endpoint.port) ? endpoint.port : -1;
    }
    if (port_ <= 0) {
      // The library keeps the reason to itself; errno is what its last system call left, and
      // nothing when the name was not found.
      const std::string why = errno != 0 ? std::strerror(errno) : "the host was not found";
      const std::string address = endpoint.ToString();
      return MakeError(absl::StatusCode::kUnavailable, reason::kListenFailed,
                       absl::StrCat("metrics: can not listen on ", address, ": ", why),
                       {{"address", address}});
    }
    thread_ = std::thread([this] {
      server_.listen_after_bind();
      ended_.store(true);
    });
    // Stopping a server that does not run yet would be forgotten.
    while (!server_.is_running() && !ended_.load()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Add(std::weak_ptr<prometheus::Collectable> source) override {
    absl::MutexLock lock(&sources_mutex_);
    sources_.push_back(std::move(source));
  }

 private:
  std::vector<prometheus::MetricFamily> Collect() {
    std::vector<prometheus::MetricFamily> families = registry_->Collect();
    std::vector<std::weak_ptr<prometheus::Collectable>> sources;
    {
      absl::MutexLock lock(&sources_mutex_);
      sources = sources_;
    }
    for (const auto& weak : sources) {
      const std::shared_ptr<prometheus::Collectable> source = weak.lock();
      if (source == nullptr) continue;
      for (prometheus::MetricFamily& family : source->Collect()) {
        families.push_back(std::move(family));
      }
    }
    return families;
  }

  absl::Mutex sources_mutex_;
  std::vector<std::weak_ptr<prometheus::Collectable>> sources_ ABSL_GUARDED_BY(sources_mutex_);
  const std::shared_ptr<prometheus::Registry> registry_;
  httplib::Server server_;
  std::thread thread_;
  std::atomic<bool> ended_{false};
  int port_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& address, std::shared_ptr<prometheus::Registry> registry) {
  const auto endpoint = Endpoint::Parse(address);
  if (!endpoint.ok()) {
    return MakeError(absl::StatusCode::kInvalidArgument, reason::kAddressInvalid,
                     absl::StrCat("metrics: ", endpoint.status().message()),
                     {{"field", "metrics"}});
  }
  auto server = std::make_unique<HttpMetricsServer>(std::move(registry));
  absl::Status listening = server->Listen(*endpoint);
  if (!listening.ok()) return listening;
  return server;
}

}  // namespace homeport
