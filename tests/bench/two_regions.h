// Two regions of which the second pulls from the first, for measuring links.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/rpc/gateway_client.h"
#include "client/world/world.h"
#include "tests/bench/scenarios.h"

namespace homeport::bench {

GatewayClientOptions ClientOptions(const std::string& address);

// The follower is down at first. Thread-compatible.
class TwoRegions {
 public:
  // `name` is of the folder. The writers' region shares the client's cores, the follower and the
  // relay between them have the others.
  static absl::StatusOr<std::unique_ptr<TwoRegions>> Start(const BenchOptions& options,
                                                           const std::string& name,
                                                           absl::Duration round_trip,
                                                           const std::string& more_yaml = "");

  const std::string& gateway() const { return world_->gateway(0); }
  World& world() { return *world_; }
  // Entries of the first region, as it says itself, and as the follower has applied them.
  absl::StatusOr<uint64_t> Written();
  absl::StatusOr<uint64_t> Applied();
  // The follower's link from the first region.
  absl::StatusOr<v1::LinkStatus> Link();
  absl::Status StartFollower();
  absl::Status StopFollower() { return world_->Kill(1); }
  // Starts the follower, and entries a second from then until it has applied all.
  absl::StatusOr<double> CatchUp();

 private:
  TwoRegions(const BenchOptions& options, std::unique_ptr<World> world);
  absl::StatusOr<v1::ReplicaStatus> StatusOf(GatewayClient& client);

  BenchOptions options_;
  std::unique_ptr<World> world_;
  GatewayClient first_;
  GatewayClient second_;
};

}  // namespace homeport::bench
