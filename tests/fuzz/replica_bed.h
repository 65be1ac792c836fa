// A replica in memory, with data, for what links and damaged disks do to it.
#pragma once

#include <memory>
#include <string>

#include "common/topology/topology.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/link_sender.h"
#include "storage/replication/moment.h"
#include "storage/replication/replica_core.h"

namespace homeport::fuzz {

// Three regions r0, r1, r2 with a replica "a" each. "all" is held everywhere, "elsewhere" in r1
// only.
const std::shared_ptr<const Topology>& BedTopology();
inline constexpr char kBedCluster[] = "fuzz";

class ReplicaBed {
 public:
  // The replica "r<region>/a" with origin region + 1, and with a register, a tombstone, an expiring
  // item, a counter, a set and a request id in it.
  explicit ReplicaBed(int region);

  ReplicaCore& core() { return *core_; }
  KvEngine& engine() { return *engine_; }
  const Moment& now() const { return now_; }
  void Advance(absl::Duration by);
  // Ends the process and opens the replica again on the same disk, with another origin.
  absl::Status Reopen();
  // Writes and commits.
  void Put(const std::string& id, const std::string& value);
  ReplicaName name() const;

 private:
  absl::Status Open(Origin origin);
  void Fill();
  void Mutate(const v1::MutateRequest& mutation);

  const int region_;
  Moment now_;
  std::shared_ptr<MemoryDisk> disk_;
  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<ReplicaCore> core_;
};

// The receiving end of a link to r1/a at the bed's replica, as it is after its stream began; and
// the request with which it did.
class BedReceiver {
 public:
  // `seeded`: the whole replica is to be seeded by the peer.
  BedReceiver(ReplicaBed& bed, ReplicaName peer, bool seeded);
  const internal::v1::PullRequest& hello() const { return hello_; }
  // What it has to say to the peer by now.
  std::optional<internal::v1::PullRequest> NextRequest();
  // Takes a message in and commits. An error ends the link; the replica goes on.
  absl::Status Take(const internal::v1::PullResponse& response);
  LinkReceiver& receiver() { return receiver_; }

 private:
  ReplicaBed& bed_;
  LinkReceiver receiver_;
  internal::v1::PullRequest hello_;
};

}  // namespace homeport::fuzz
