// A Homeport process: a gateway, and in most regions a replica, made from one topology.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace homeport {

struct NodeOptions {
  std::string topology_file;
  std::string region;
  // The replica of this process; empty: the region's only one.
  std::string replica;
  // A gateway without a replica.
  bool no_replica = false;
  // The replica's data directory.
  std::string data;
  // "host:port"; empty: the topology's. Port 0 takes a free one.
  std::string listen;
  std::string internal_listen;
  // Metrics; empty: 127.0.0.1:0.
  std::string metrics_listen;
  // Addresses to dial instead of the topology's, by "region/replica".
  std::map<std::string, std::string> dial;
  // This machine's clock is right, whatever the peers' say.
  bool trust_clock = false;
  // A damaged store is refused, not moved aside and filled anew from the peers.
  bool keep_damaged = false;
  // Serve in plaintext on addresses that are not loopback.
  bool insecure_plaintext = false;
  // Completion queues of the public server; 0: one a core.
  int threads = 0;
};

// Where a process listens: "host:port".
struct NodeAddresses {
  std::string public_address;
  std::string internal_address;  // empty without a replica
  std::string metrics_address;
};

// Thread-safe. Stops when destroyed, without waiting for requests.
class Node {
 public:
  // Starts everything. Errors name the flag, field, path or address that is wrong:
  //   INVALID_ARGUMENT      flags or topology
  //   FAILED_PRECONDITION   the data directory belongs to another replica, or is in use
  //   DATA_LOSS             it is damaged, and is not filled anew from peers: says why
  //   UNAVAILABLE           an address can not be listened on, the disk fails
  static absl::StatusOr<std::unique_ptr<Node>> Start(const NodeOptions& options);
  virtual ~Node() = default;

  virtual NodeAddresses addresses() const = 0;
  // Reads topology and databases again, as for a signal. What was wrong is logged, and what served
  // before serves on.
  virtual void Reload() = 0;
  // Does what is due; to be called about once a second.
  virtual void Tick() = 0;
  // A node started anew on the same data and addresses would do better: the storage failed on a
  // full disk that has room again, or was found damaged and peers can fill it. Until then this one
  // answers reads of what is whole.
  virtual bool ShouldStartAnew() const = 0;
  // Says "not serving", waits the topology's drain delay, finishes what is in flight, hands what is
  // not replicated yet to the peers that are there, and stops.
  virtual void Drain() = 0;
};

}  // namespace homeport
