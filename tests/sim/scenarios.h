// Rare situations, each of several faults that have to come together: a part of the seeds has one,
// so that chance need not find it.
#pragma once

#include <vector>

#include "tests/sim/faults.h"
#include "tests/sim/random.h"
#include "tests/sim/shape.h"

namespace homeport::sim {

// Gives the run a situation, or none, and changes what else of the shape has to fit to it.
void DrawScenario(Random random, Shape& shape);

// Adds the faults of the run's situation, if it has one; what would break it is taken out.
void AddScenario(Random random, const Shape& shape, std::vector<Fault>& faults);

}  // namespace homeport::sim
