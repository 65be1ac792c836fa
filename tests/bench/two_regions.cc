#include "tests/bench/two_regions.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/machine.h"
#include "tests/bench/scenario_parts.h"

namespace homeport::bench {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(3);
constexpr absl::Duration kPoll = absl::Milliseconds(5);

}  // namespace

GatewayClientOptions ClientOptions(const std::string& address) {
  GatewayClientOptions options;
  options.address = address;
  return options;
}

TwoRegions::TwoRegions(const BenchOptions& options, std::unique_ptr<World> world)
    : options_(options),
      world_(std::move(world)),
      first_(ClientOptions(world_->gateway(0))),
      second_(ClientOptions(world_->gateway(1))) {}

absl::StatusOr<std::unique_ptr<TwoRegions>> TwoRegions::Start(const BenchOptions& options,
                                                              const std::string& name,
                                                              absl::Duration round_trip,
                                                              const std::string& more_yaml) {
  WorldOptions world;
  world.program = options.program;
  world.regions = {FiveRegions()[0], FiveRegions()[2]};
  auto round_trips = RoundTrips::Parse(
      absl::StrCat("from,to,round_trip_ms\n", world.regions[0].name, ",", world.regions[1].name,
                   ",", std::max<int64_t>(1, absl::ToInt64Milliseconds(round_trip)), "\n"));
  if (!round_trips.ok()) return round_trips.status();
  world.round_trips = *round_trips;
  world.jitter = absl::ZeroDuration();
  world.namespaces = {kNamespace};
  world.more_yaml = more_yaml;
  world.folder = absl::StrCat(options.folder, "/", name);
  std::filesystem::remove_all(world.folder);
  std::filesystem::create_directories(world.folder);
  // The relay's thread is started with the world; the first region is moved by starting it again.
  std::unique_ptr<World> started;
  {
    OnCores on(options.server_cores, options.client_cores);
    auto made = World::Start(std::move(world));
    if (!made.ok()) return made.status();
    started = *std::move(made);
  }
  for (int region : {0, 1}) {
    if (auto status = started->Kill(region); !status.ok()) return status;
  }
  if (auto status = started->Restart(0); !status.ok()) return status;
  return std::unique_ptr<TwoRegions>(new TwoRegions(options, std::move(started)));
}

absl::Status TwoRegions::StartFollower() {
  OnCores on(options_.server_cores, options_.client_cores);
  return world_->Restart(1);
}

absl::StatusOr<v1::ReplicaStatus> TwoRegions::StatusOf(GatewayClient& client) {
  auto status = client.GetStatus(v1::GetStatusRequest());
  if (!status.ok()) return status.status();
  return status->replica();
}

absl::StatusOr<uint64_t> TwoRegions::Written() {
  auto replica = StatusOf(first_);
  if (!replica.ok()) return replica.status();
  return replica->positions(0).applied();
}

absl::StatusOr<uint64_t> TwoRegions::Applied() {
  auto first = StatusOf(first_);
  auto second = StatusOf(second_);
  if (!first.ok()) return first.status();
  if (!second.ok()) return second.status();
  for (const v1::OriginPosition& position : second->positions()) {
    if (position.origin() == first->origin()) return position.applied();
  }
  return 0;
}

absl::StatusOr<v1::LinkStatus> TwoRegions::Link() {
  auto second = StatusOf(second_);
  if (!second.ok()) return second.status();
  if (second->links_size() != 1) return absl::InternalError("the follower has no link");
  return second->links(0);
}

absl::StatusOr<double> TwoRegions::CatchUp() {
  auto written = Written();
  if (!written.ok()) return written.status();
  if (auto status = StartFollower(); !status.ok()) return status;
  const absl::Time begin = absl::Now();
  auto before = Applied();
  if (!before.ok()) return before.status();
  while (absl::Now() - begin < kPatience) {
    auto applied = Applied();
    if (!applied.ok()) return applied.status();
    if (*applied >= *written) {
      return static_cast<double>(*written - *before) / absl::ToDoubleSeconds(absl::Now() - begin);
    }
    absl::SleepFor(kPoll);
  }
  return absl::DeadlineExceededError("the follower does not catch up");
}

}  // namespace homeport::bench
