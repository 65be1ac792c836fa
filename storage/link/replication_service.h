// Serves this replica's change log to the peers that pull it.
#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "common/rpc/stream_server.h"
#include "homeport/v1/admin.pb.h"
#include "storage/replica/replica.h"

namespace homeport {

struct ReplicationServiceOptions {
  absl::Duration heartbeat_interval = absl::Milliseconds(500);
  size_t batch_bytes = 256 * 1024;
  // What a seeding sends to one receiver at most.
  uint64_t seed_bytes_per_second = 64 * 1024 * 1024;
  // Streams at most; one more is RESOURCE_EXHAUSTED.
  int streams_max = 256;
};

// A peer that pulls from here, by what it acknowledged of this start's own entries.
struct PullingPeer {
  ReplicaName name;
  uint64_t received = 0;
  uint64_t applied = 0;
};

// Thread-safe. The replica must outlive it, and the server that it is registered with must be shut
// down before it is destroyed.
class ReplicationService final : public StreamService {
 public:
  ReplicationService(Replica* replica, ReplicationServiceOptions options);
  ~ReplicationService() override;

  grpc::Service* service() override;
  void Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) override;
  // Ends every stream; new ones are refused. Before the server's shutdown, which would wait for
  // them.
  void Stop();
  // Each peer once, by its newest stream.
  std::vector<PullingPeer> Peers() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport
