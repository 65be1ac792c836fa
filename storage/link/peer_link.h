// The gRPC stream of one link, seen from the replica that pulls.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/rpc/stream_queues.h"
#include "storage/link/link_manager.h"
#include "storage/replica/replica.h"
#include "storage/replica/runner.h"
#include "storage/replication/relay_planner.h"

namespace homeport {

// Thread-safe; shared, because callbacks of gRPC and of commits may outlive the manager's interest.
class PeerLink {
 public:
  virtual ~PeerLink() = default;
  // Does what is due: connects again, sends acknowledgements, credit and relays, ends a silent
  // stream.
  virtual void Tick() = 0;
  // What the relay planner needs. `use` runs under the link's lock.
  virtual void WithCandidate(absl::FunctionRef<void(const RelayCandidate&)> use) = 0;
  // The topology may have changed. A peer goes by the topology that the hello of the stream named,
  // so a stream that began under another one is ended and begun again.
  virtual void OnTopology() = 0;
  // Origins that the peer is to relay, and why one of them waits; empty: none does.
  virtual void WantRelay(std::map<Origin, Sequence> wanted, std::string waits) = 0;
  // True: another replica of this region pulls what the peer has.
  virtual void StandBy(bool stand_by) = 0;
  // The namespace that the peer is to be asked for; nullopt: none.
  virtual void WantSeed(std::optional<std::string> name_space) = 0;
  virtual v1::LinkStatus Status() const = 0;
  virtual std::optional<absl::Duration> ClockOffset() const = 0;
  // Ends the stream for good. Returns once no callback will touch the replica any more.
  virtual void Stop() = 0;

  // `queues` has the stream's events, which `runner` then takes in: they may take long. Both
  // outlive the link's Stop().
  static std::shared_ptr<PeerLink> Create(Replica* replica, StreamQueues* queues, Runner* runner,
                                          ReplicaName peer, const std::string& address,
                                          const LinkOptions& options);
};

}  // namespace homeport
