// What the scenes of the demo share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/demo/claims.h"
#include "client/demo/content.h"
#include "client/demo/travellers.h"
#include "client/rpc/gateway_client.h"
#include "client/world/world.h"

namespace homeport {

// The namespace that the demo writes.
inline constexpr char kDemoNamespace[] = "demo";

// A traveller's connection to a region's gateway, over the distance between them.
struct Journey {
  // Declared first: the way must outlive the connection.
  std::unique_ptr<TcpRelay> way;
  std::unique_ptr<GatewayClient> gateway;
  // To the gateway and back.
  absl::Duration round_trip;
};

// What the replicas' own comparisons say, over every two of them.
struct Divergence {
  // Records of which two replicas hold different content although they should not.
  uint64_t records = 0;
  // How long ago the two were compared that were not for longest.
  absl::Duration verified;
};

class Stage {
 public:
  Stage(World* world, bool colours);

  World& world() { return *world_; }
  Claims& claims() { return claims_; }
  bool colours() const { return colours_; }
  // The index of a region that the world has.
  int RegionIndex(absl::string_view name) const;
  const std::string& region_name(int region) const { return names_[region]; }
  // To a region's gateway without any distance: for looking at it.
  GatewayClient& direct(int region) { return *direct_[region]; }

  // Takes note of a region that has joined the world as its last.
  void AddRegion();

  // Prints a heading with the time since the start, or a line below it.
  void Heading(absl::string_view text);
  void Say(absl::string_view text);

  absl::StatusOr<Journey> Travel(const Traveller& traveller, int gateway_region);
  // Until each region's links to all others are streaming. DEADLINE_EXCEEDED, CANCELLED.
  absl::Status AwaitLinks(absl::Duration timeout);
  // What each region holds, read from all at once. CANCELLED when interrupted.
  absl::StatusOr<std::vector<RegionContent>> ReadAll();
  // Reads all again and again until they are equal, and returns the last reading (also when they
  // were not equal in time).
  absl::StatusOr<std::vector<RegionContent>> AwaitEqual(absl::Duration timeout);
  // Waits until every two replicas have compared what they hold since this was called, and prints
  // what they found. DEADLINE_EXCEEDED, CANCELLED.
  absl::StatusOr<Divergence> AwaitComparison(absl::Duration timeout);
  const std::vector<std::string>& names() const { return names_; }

 private:
  World* const world_;
  const bool colours_;
  const absl::Time start_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<GatewayClient>> direct_;
  Claims claims_;
};

// CANCELLED if Interrupted().
absl::Status CheckInterrupt();
// CANCELLED as soon as Interrupted().
absl::Status Sleep(absl::Duration duration);

}  // namespace homeport
