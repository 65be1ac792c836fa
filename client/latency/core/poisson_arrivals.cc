#include "client/latency/core/poisson_arrivals.h"

#include <cmath>

#include "common/base/check.h"

namespace homeport {

PoissonArrivals::PoissonArrivals(uint64_t seed, double per_second)
    : random_(seed), per_second_(per_second) {
  HP_CHECK(per_second > 0 && per_second <= 1'000'000);
}

absl::Duration PoissonArrivals::Next() {
  // 53 bits of chance, in (0, 1]. Not a std:: distribution: those may draw differently with each
  // standard library.
  const double chance = static_cast<double>((random_() >> 11) + 1) * 0x1p-53;
  due_ += absl::Seconds(-std::log(chance) / per_second_);
  return due_;
}

}  // namespace homeport
