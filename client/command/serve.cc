#include "client/command/serve.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/command/exit_codes.h"
#include "client/command/flags.h"
#include "client/node/library_logs.h"
#include "client/node/node.h"
#include "common/log/log.h"
#include "common/status/error.h"

namespace homeport {
namespace {

constexpr timespec kTickInterval = {1, 0};

int FailToServe(const absl::Status& why) {
  std::fprintf(stderr, "homeport serve: %s\n", std::string(why.message()).c_str());
  return ExitCodeOf(why, CallKind::kRead);
}

absl::StatusOr<std::map<std::string, std::string>> ParseDial(
    const std::vector<std::string>& values) {
  std::map<std::string, std::string> dial;
  for (const std::string& value : values) {
    const size_t at = value.find('=');
    if (at == std::string::npos || value.find('/') > at) {
      return FieldError("--dial", absl::StrCat("'", value, "' is not REGION/REPLICA=HOST:PORT"));
    }
    if (!dial.emplace(value.substr(0, at), value.substr(at + 1)).second) {
      return FieldError("--dial", absl::StrCat("'", value.substr(0, at), "' is given twice"));
    }
  }
  return dial;
}

// Whoever waits for the file sees all of it or nothing.
absl::Status WriteReadyFile(const std::string& path, const NodeAddresses& addresses) {
  const nlohmann::json ready = {{"pid", getpid()},
                                {"public", addresses.public_address},
                                {"internal", addresses.internal_address},
                                {"metrics", addresses.metrics_address}};
  const std::string partial = absl::StrCat(path, ".partial");
  {
    std::ofstream file(partial, std::ios::trunc);
    file << ready.dump() << "\n";
    file.flush();
    if (!file) return FieldError("--ready-file", absl::StrCat("can not write ", partial));
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return FieldError("--ready-file", absl::StrCat("can not rename to ", path));
  }
  return absl::OkStatus();
}

// Starts again after a full disk, which may be full again by now, or a damaged store; so more than
// once. Returns an
// exit code if the process is to end instead.
std::optional<int> StartAnew(const NodeOptions& options, const sigset_t& signals,
                             absl::StatusOr<std::unique_ptr<Node>>& node) {
  while (true) {
    node = Node::Start(options);
    if (node.ok()) {
      Log(LogLevel::kInfo, "serving", {{"region", options.region}, {"anew", true}});
      return std::nullopt;
    }
    if (node.status().code() != absl::StatusCode::kResourceExhausted &&
        node.status().code() != absl::StatusCode::kUnavailable) {
      return FailToServe(node.status());
    }
    Log(LogLevel::kError, "could not start anew; tried again", {{"why", node.status().ToString()}});
    const int signal = sigtimedwait(&signals, nullptr, &kTickInterval);
    if (signal == SIGTERM || signal == SIGINT) return kExitOk;
  }
}

}  // namespace

int RunServe(const std::vector<std::string>& arguments) {
  Flags flags(
      "serve --topology FILE --region NAME",
      "Serves one region: its gateway, and its replica unless told otherwise. SIGTERM "
      "drains, SIGHUP reads topology and databases again.",
      {"homeport serve --topology topology.yaml --region eu-central-1 --data /var/lib/homeport",
       "homeport serve --topology topology.yaml --region eu-central-1 --no-replica"});
  NodeOptions options;
  std::vector<std::string> dial;
  std::string ready_file;
  bool debug = false;
  flags.String("--topology", &options.topology_file, "The topology file", "HOMEPORT_TOPOLOGY");
  flags.String("--region", &options.region, "This process' region", "HOMEPORT_REGION");
  flags.String("--replica", &options.replica,
               "This process' replica; not needed where the region has one");
  flags.Switch("--no-replica", &options.no_replica, "A gateway without a replica");
  flags.String("--data", &options.data, "The replica's data directory", "HOMEPORT_DATA");
  flags.String("--listen", &options.listen,
               "HOST:PORT for clients; else the topology's first gateway address");
  flags.String("--internal-listen", &options.internal_listen,
               "HOST:PORT for other regions; else the topology's replica address");
  flags.String("--metrics", &options.metrics_listen,
               "HOST:PORT for Prometheus; else a free port on 127.0.0.1");
  flags.Strings(
      "--dial", &dial,
      "REGION/REPLICA=HOST:PORT to reach a replica by, instead of the topology's address");
  flags.String("--ready-file", &ready_file,
               "Written when serving: a JSON object with pid and addresses");
  flags.Integer("--threads", &options.threads, 0, 256, "Threads that serve clients; 0: one a core");
  flags.Switch("--insecure-plaintext", &options.insecure_plaintext,
               "Serve without TLS on addresses that are not loopback: anyone on the way can read "
               "and change everything");
  flags.Switch("--trust-clock", &options.trust_clock,
               "Take writes although peers' clocks are behind this one's: it is theirs that are "
               "wrong");
  flags.Switch("--keep-damaged", &options.keep_damaged,
               "Refuse a damaged data directory; else it is moved aside, inside itself, and filled "
               "anew from the peers");
  flags.Switch("--debug", &debug, "Log at debug level");
  if (auto code = flags.ParseOrExit(arguments)) return *code;
  if (options.topology_file.empty() || options.region.empty()) {
    std::fprintf(stderr, "homeport serve: %s: is missing\n",
                 options.topology_file.empty() ? "--topology" : "--region");
    return kExitUsage;
  }
  auto dialled = ParseDial(dial);
  if (!dialled.ok()) {
    std::fprintf(stderr, "homeport serve: %s\n", std::string(dialled.status().message()).c_str());
    return kExitUsage;
  }
  options.dial = std::move(*dialled);
  if (debug) SetLogThreshold(LogLevel::kDebug);
  RouteLibraryLogs();

  // Debian builds its library with a detector of deadlocks that is on by default and costs a tenth
  // of a request's CPU time; gRPC's locks are this library's too.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Before any thread is started, so that all of them leave the signals to this one.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto node = Node::Start(options);
  if (!node.ok()) return FailToServe(node.status());
  const NodeAddresses addresses = (*node)->addresses();
  Log(LogLevel::kInfo, "serving",
      {{"region", options.region},
       {"public", addresses.public_address},
       {"internal", addresses.internal_address},
       {"metrics", addresses.metrics_address}});
  if (!ready_file.empty()) {
    if (auto status = WriteReadyFile(ready_file, addresses); !status.ok()) {
      return FailToServe(status);
    }
  }
  // A node that starts anew is found where this one is.
  options.listen = addresses.public_address;
  options.internal_listen = addresses.internal_address;
  options.metrics_listen = addresses.metrics_address;
  while (true) {
    const int signal = sigtimedwait(&signals, nullptr, &kTickInterval);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) {
      (*node)->Reload();
    } else {
      (*node)->Tick();
    }
    if (!(*node)->ShouldStartAnew()) continue;
    Log(LogLevel::kWarning, "the storage can be opened anew; starting anew",
        {{"path", options.data}});
    (*node)->Drain();
    node->reset();
    if (auto ended = StartAnew(options, signals, node); ended) return *ended;
  }
  // A second signal ends the process without waiting.
  sigset_t second;
  sigemptyset(&second);
  sigaddset(&second, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &second, nullptr);
  (*node)->Drain();
  return kExitOk;
}

}  // namespace homeport
