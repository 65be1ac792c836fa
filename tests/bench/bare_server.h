// What gRPC costs by itself: a server that answers every Get with the same message from memory.
#pragma once

#include <string>

namespace homeport::bench {

struct BareServerOptions {
  // Holds the serialized GetResponse to answer with.
  std::string answer_file;
  // "127.0.0.1:port" is written here when it serves.
  std::string ready_file;
  // Completion queues, with one thread each.
  int threads = 1;
};

// Serves until SIGTERM. The process' exit code.
int RunBareServer(const BareServerOptions& options);

}  // namespace homeport::bench
