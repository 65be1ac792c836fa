// The servers that are measured, as processes of this machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/world/child_process.h"

namespace homeport::bench {

// A process, and where it takes calls. Ended when destroyed.
struct Server {
  std::string address;  // "127.0.0.1:port"
  // Those that do the work.
  std::vector<pid_t> pids;
  std::unique_ptr<ChildProcess> process;
};

struct RegionsOptions {
  // The `homeport` program, an MMDB file, and a folder for topology, logs and data.
  std::string program;
  std::string database;
  std::string folder;
  // Names in FiveRegions().
  std::vector<std::string> regions;
  // Appended to each `homeport serve`.
  std::vector<std::string> more_flags;
};

// `homeport serve` for each region, connected to each other directly. The namespace is "bench".
// UNAVAILABLE, naming the log, if one does not serve in time.
absl::StatusOr<std::vector<Server>> StartRegions(const RegionsOptions& options);

// This program as the bare gRPC server, answering with the bytes `answer`.
absl::StatusOr<Server> StartBareServer(const std::string& answer, int threads,
                                       const std::string& folder);

struct NginxOptions {
  // The configuration with names in @...@ to be replaced.
  std::string config_template;
  std::string database;
  std::string folder;
  // Where requests of clients in Asia and Oceania go, and where those of all others.
  std::string asia;
  std::string elsewhere;
};

// nginx with one worker. NOT_FOUND if it is not installed.
absl::StatusOr<Server> StartNginx(const NginxOptions& options);

struct H2loadOptions {
  std::string address;
  std::string method;
  std::string request;  // serialized
  std::string from;     // x-forwarded-for
  int outstanding = 64;
  int connections = 4;
  absl::Duration duration;
  // The least that an answer's body can have, so that errors are not taken for fast answers.
  size_t response_bytes_min = 1;
  std::string folder;
};

// Requests a second as h2load tells. INTERNAL if not every request succeeded.
absl::StatusOr<double> RunH2load(const H2loadOptions& options);

}  // namespace homeport::bench
