#include "tests/sim/run.h"

#include "absl/strings/str_cat.h"
#include "tests/sim/clients.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace homeport::sim {
namespace {

// Virtual time in which everything has to have converged once nothing goes wrong any more. An
// origin that was refused is asked for again after up to a minute.
constexpr Micros kConvergeMax = 180 * kSecond;
constexpr Micros kConvergeStep = 250 * kMilli;
// And in which everybody then knows what was lost.
constexpr Micros kSettleMax = 60 * kSecond;

enum Stream : uint64_t {
  kShapeStream = 1,
  kFaultStream,
  kWorldStream,
  kClientStream,
  kRolloutStream,
  kScenarioStream = 11,
  kScenarioFaultStream,
  kDifferenceStream,
  kSettleStream
};

}  // namespace

Shape ShapeOf(uint64_t seed) {
  Shape shape = DrawShape(Random(seed).Split(kShapeStream));
  DrawRollouts(Random(seed).Split(kRolloutStream), shape);
  DrawScenario(Random(seed).Split(kScenarioStream), shape);
  return shape;
}

std::vector<Fault> FaultsOf(uint64_t seed, const Shape& shape) {
  std::vector<Fault> faults = DrawFaults(Random(seed).Split(kFaultStream), shape);
  AddScenario(Random(seed).Split(kScenarioFaultStream), shape, faults);
  return faults;
}

RunResult RunSeed(const RunOptions& options) {
  const Shape shape = ShapeOf(options.seed);
  const std::vector<Fault> faults = FaultsOf(options.seed, shape);
  RunResult result;
  result.regions = shape.regions;
  result.fault_kinds = FaultKinds(faults);
  Trace trace(options.tell);
  const Random random(options.seed);
  World world(shape, random.Split(kWorldStream), &trace, &result.coverage);
  Clients clients(&world, random.Split(kClientStream));
  world.Begin();
  clients.Begin();
  for (size_t i = 0; i < faults.size(); ++i) {
    if (i < options.masked.size() && options.masked[i]) continue;
    const Fault& fault = faults[i];
    world.Schedule(fault.at, [&world, fault] { world.Begin(fault); });
    world.Schedule(fault.at + fault.duration, [&world, fault] { world.End(fault); });
  }
  Micros until = shape.operations_end;
  for (const Fault& fault : faults) until = std::max(until, fault.at + fault.duration);
  world.RunUntil(until + 1);
  if (world.failure().empty()) world.HealAll();
  const Micros healed = world.now();
  while (world.failure().empty() && !world.Converged()) {
    if (world.now() - healed > kConvergeMax) {
      world.TellDifferences();
      world.Fail(absl::StrCat("not converged ", kConvergeMax / kSecond, " s after the last fault"));
      break;
    }
    world.RunUntil(world.now() + kConvergeStep);
  }
  // What was lost with a disk is known for lost once its origin is closed, which takes its time.
  const Micros converged = world.now();
  while (world.failure().empty() && !clients.ServedEverywhere()) {
    if (world.now() - converged > kSettleMax) {
      clients.FailUnserved();
      break;
    }
    clients.AskAboutUnknown();
    do {
      world.RunUntil(world.now() + kConvergeStep);
    } while (world.failure().empty() && !world.Converged() && world.now() - converged < kSettleMax);
  }
  // To look at every item takes time: not every seed does.
  if (world.failure().empty() && Random(random).Split(kSettleStream).Next() % 4 == 0 &&
      world.ClocksAgree()) {
    const Micros served = world.now();
    while (world.failure().empty() && !world.Settled()) {
      if (world.now() - served > kSettleMax) {
        world.Fail(absl::StrCat(kSettleMax / kSecond, " s later ", world.Unsettled()));
        break;
      }
      world.RunUntil(world.now() + kConvergeStep);
    }
    // What is gone by now is gone everywhere.
    while (world.failure().empty() && !world.Converged()) {
      if (world.now() - served > 2 * kSettleMax) {
        world.TellDifferences();
        world.Fail("replicas that had converged do not stay so");
        break;
      }
      world.RunUntil(world.now() + kConvergeStep);
    }
    if (world.failure().empty()) result.coverage.Covered(Path::kSettled);
  }
  if (world.failure().empty() && Random(random).Split(kDifferenceStream).Next() % 20 == 0 &&
      world.Damage()) {
    const Micros damaged = world.now();
    while (world.failure().empty() && !world.DamageRepaired()) {
      if (world.now() - damaged > kSettleMax) {
        world.Fail("a difference between two replicas is not repaired");
        break;
      }
      world.RunUntil(world.now() + kConvergeStep);
    }
  }
  result.converged_after = world.now() - healed;
  result.failure = world.failure();
  result.hash = trace.hash();
  result.events = world.events();
  result.acknowledged = clients.acknowledged();
  result.reads = clients.reads();
  result.writes_lost = world.writes_lost();
  return result;
}

}  // namespace homeport::sim
