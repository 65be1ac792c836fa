// Pulls entries from every peer of the topology.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/rpc/stream_queues.h"
#include "homeport/v1/admin.pb.h"
#include "storage/replica/replica.h"

namespace homeport {

struct LinkOptions {
  uint64_t credit_bytes = 32 * 1024 * 1024;
  // How often what is here is compared with what a peer has.
  absl::Duration compare_interval = absl::Seconds(10);
  // A peer that says nothing for this long is taken for gone. Peers send heartbeats.
  absl::Duration silence_max = absl::Seconds(3);
  // Waits between attempts to connect: from the first to the second, doubling.
  absl::Duration backoff_min = absl::Milliseconds(100);
  absl::Duration backoff_max = absl::Seconds(2);
  // A link that is down for longer has its origins fetched from other peers.
  absl::Duration relay_after = absl::Seconds(2);
  // Addresses to dial instead of the topology's, by replica name.
  std::map<std::string, std::string> dial;
};

// One link a peer, each over one long-lived stream, opened again after every loss. Thread-safe. The
// replica and `queues`, on
// which the streams' events come, must outlive it.
class LinkManager {
 public:
  LinkManager(Replica* replica, StreamQueues* queues, LinkOptions options);
  ~LinkManager();

  // The topology has changed: links to new peers are opened, those to gone ones closed.
  void OnTopology();
  // Every link, in the order of the topology.
  std::vector<v1::LinkStatus> Status() const;
  // A peer's wall clock less this one's at its last heartbeat, the way here included; by replica
  // name.
  std::map<std::string, absl::Duration> ClockOffsets() const;
  // Ends every link. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport
