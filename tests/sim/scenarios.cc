#include "tests/sim/scenarios.h"

#include <algorithm>
#include <array>

namespace homeport::sim {
namespace {

using Kind = Fault::Kind;

Fault Make(Kind kind, Micros from, Micros to, int a, int b = 0) {
  Fault fault;
  fault.kind = kind;
  fault.at = from;
  fault.duration = std::max<Micros>(1, to - from);
  fault.a = a;
  fault.b = b;
  return fault;
}

// `a`, `b` and `c`, all different.
std::array<int, 3> Three(Random& random, int replicas) {
  const int a = static_cast<int>(random.Below(replicas));
  const int b = (a + 1 + static_cast<int>(random.Below(replicas - 1))) % replicas;
  int c = 0;
  while (c == a || c == b) ++c;
  return {a, b, c};
}

// What a disk loses only one replica has, and that one is away while the loss is dealt with.
void AddLastCopy(Random& random, const Shape& shape, std::vector<Fault>& faults) {
  const auto [a, b, c] = Three(random, shape.replicas());
  const Micros from = shape.operations_end * random.Between(15, 50) / 100;
  const Micros lost = from + random.Between(250, 700) * kMilli;
  for (int other = 0; other < shape.replicas(); ++other) {
    if (other != b && other != a) faults.push_back(Make(Kind::kCutBoth, from, lost, a, other));
    if (other != b && other != a) faults.push_back(Make(Kind::kCutBoth, from, lost, b, other));
  }
  faults.push_back(Make(Kind::kCrash, lost - 1, lost + random.Between(1500, 3000) * kMilli, b));
  faults.push_back(Make(Kind::kWipeDisk, lost, lost + 30 * kMilli, a));
}

// An old copy comes back, and who hears of its start first does not hear first of what it lacks.
void AddOldCopy(Random& random, const Shape& shape, std::vector<Fault>& faults) {
  const auto [a, b, c] = Three(random, shape.replicas());
  const Micros copied = shape.operations_end * random.Between(15, 45) / 100;
  const Micros back = copied + random.Between(200, 600) * kMilli;
  const Micros healed = back + random.Between(700, 1500) * kMilli;
  faults.push_back(Make(Kind::kRestoreDisk, copied, back, a));
  for (int other = 0; other < shape.replicas(); ++other) {
    if (other == b) continue;
    // Nobody pulls from `b`, which alone pulls what the old copy will lack.
    faults.push_back(Make(Kind::kCutOneWay, copied, healed, b, other));
    if (other != a) faults.push_back(Make(Kind::kCutOneWay, copied, back, a, other));
  }
}

// A region is away until logs have dropped what it lacks, and is seeded while clients write.
void AddBusySeeding(Random& random, const Shape& shape, std::vector<Fault>& faults) {
  const int region = static_cast<int>(random.Below(shape.regions));
  const Micros from = shape.operations_end * random.Between(2, 15) / 100;
  const Micros to = from + shape.operations_end * random.Between(15, 30) / 100;
  faults.push_back(Make(Kind::kIsolate, from, to, region));
  if (random.Chance(500)) {
    const Micros broken = to + random.Between(200, 800) * kMilli;
    const auto at = std::find(shape.region_of.begin(), shape.region_of.end(), region);
    faults.push_back(
        Make(Kind::kBreakStreams, broken, broken, static_cast<int>(at - shape.region_of.begin())));
  }
}

}  // namespace

void DrawScenario(Random random, Shape& shape) {
  if (shape.story.kind != RolloutStory::Kind::kNone || !random.Chance(180)) return;
  const auto scenario = static_cast<Scenario>(1 + random.Below(3));
  const bool loses = scenario != Scenario::kBusySeeding;
  if (loses && (!shape.lose_disk || shape.replicas() < 3)) return;
  shape.scenario = scenario;
  shape.operations_end = std::max<Micros>(shape.operations_end, shape.operations * 6 * kMilli);
  if (loses) shape.disks_lost_max = 1;
  if (scenario == Scenario::kOldCopy) {
    shape.roams = 700;
    shape.reads = 450;
  }
  if (scenario == Scenario::kBusySeeding) {
    shape.log_bytes_max = static_cast<uint64_t>(random.Between(300, 2000));
    shape.seed_chunk_bytes = static_cast<size_t>(random.Between(1, 120));
    shape.seed_bytes_per_second = static_cast<uint64_t>(random.Between(3000, 9000));
    shape.ids = static_cast<int>(random.Between(10, 20));
    shape.value_max = static_cast<int>(random.Between(30, 200));
  }
}

void AddScenario(Random random, const Shape& shape, std::vector<Fault>& faults) {
  if (shape.scenario == Scenario::kNone) return;
  std::erase_if(faults, [](const Fault& fault) {
    return fault.kind == Kind::kWipeDisk || fault.kind == Kind::kRestoreDisk;
  });
  // What else goes wrong is less than usual, or the situation would hardly ever come about.
  if (faults.size() > 3) faults.resize(3);
  switch (shape.scenario) {
    case Scenario::kNone:
      break;
    case Scenario::kLastCopy:
      AddLastCopy(random, shape, faults);
      break;
    case Scenario::kOldCopy:
      AddOldCopy(random, shape, faults);
      break;
    case Scenario::kBusySeeding:
      AddBusySeeding(random, shape, faults);
      break;
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
}

}  // namespace homeport::sim
