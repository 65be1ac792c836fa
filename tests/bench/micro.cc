#include "tests/bench/micro.h"

#include <atomic>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "client/world/round_trips.h"
#include "client/world/world_topology.h"
#include "common/topology/topology.h"
#include "common/topology/yaml/topology_loader.h"
#include "gateway/geo/geo_locator.h"
#include "gateway/geo/mmdb/mmdb_database.h"
#include "gateway/route/router.h"

namespace homeport::bench {
namespace {

constexpr size_t kAddresses = 16384;
constexpr uint32_t kSeed = 7;

absl::StatusOr<std::shared_ptr<const Topology>> FiveRegionTopology() {
  WorldTopology world;
  world.regions = FiveRegions();
  for (size_t i = 0; i < world.regions.size(); ++i) {
    const std::string host = "127.0.0.1:";
    world.addresses.push_back(
        {host + std::to_string(7000 + 2 * i), host + std::to_string(7001 + 2 * i)});
  }
  world.namespaces = {"bench"};
  auto yaml = TopologyYaml(world, RoundTrips::Default());
  if (!yaml.ok()) return yaml.status();
  TopologyText text = ParseTopology(*yaml);
  if (!text.problems.empty()) return absl::InternalError(text.problems[0].what);
  return Topology::Create(std::move(text.topology));
}

// Nanoseconds for one call of `work(i)`. What it returns is summed and stored, so that no compiler
// leaves the work out.
template <typename Work>
double NanosecondsOf(absl::Duration duration, Work work) {
  uint64_t sum = 0;
  uint64_t calls = 0;
  const absl::Time start = absl::Now();
  absl::Time now = start;
  while (now - start < duration) {
    for (size_t i = 0; i < kAddresses; ++i) sum += work(i);
    calls += kAddresses;
    now = absl::Now();
  }
  static std::atomic<uint64_t> sink{0};
  sink.fetch_add(sum);
  return absl::ToDoubleNanoseconds(now - start) / static_cast<double>(calls);
}

}  // namespace

absl::StatusOr<MicroResult> RunMicro(const std::string& database, absl::Duration duration) {
  auto topology = FiveRegionTopology();
  if (!topology.ok()) return topology.status();
  auto opened = MmdbDatabase::Open(database, "");
  if (!opened.ok()) return opened.status();
  const GeoLocator locator(*topology, 0, {*opened});
  const Router router(*topology, GatewayFacts{0, 0});

  std::mt19937 random(kSeed);
  std::vector<IpAddress> addresses;
  std::vector<Place> places;
  while (addresses.size() < kAddresses) {
    const IpAddress address = IpAddress::V4(static_cast<uint32_t>(random()));
    Place place = locator.Locate(address);
    if (place.source != v1::PLACE_SOURCE_DATABASE) continue;
    addresses.push_back(address);
    places.push_back(std::move(place));
  }

  MicroResult result;
  result.locate_ns = NanosecondsOf(
      duration, [&](size_t i) { return locator.Locate(addresses[i]).country.size(); });
  result.locate_to_region_ns = NanosecondsOf(duration, [&](size_t i) {
    const Place place = locator.Locate(addresses[i]);
    return static_cast<uint64_t>(router.PreferredRegion(place).first);
  });
  RequestFacts facts;
  facts.name_space = (*topology)->FindNamespace("bench");
  facts.operation = v1::OPERATION_READ;
  facts.region_choice = v1::REGION_CHOICE_CLIENT;
  const HealthSnapshot health;
  result.plan_ns = NanosecondsOf(duration, [&](size_t i) {
    facts.place = &places[i];
    const auto plan = router.MakePlan(facts, health);
    return plan.ok() ? plan->attempts.size() : 0;
  });
  return result;
}

}  // namespace homeport::bench
