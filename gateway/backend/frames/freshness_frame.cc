#include "gateway/backend/frames/freshness_frame.h"

#include <algorithm>

namespace homeport {
namespace {

// Longer than anything that is asked for; a duration of so many microseconds can be added to.
constexpr uint64_t kMicrosMax = uint64_t{1} << 50;

absl::Duration FromMicros(uint64_t micros) {
  return absl::Microseconds(static_cast<int64_t>(std::min(micros, kMicrosMax)));
}

uint64_t ToMicros(absl::Duration duration) {
  const int64_t micros = absl::ToInt64Microseconds(duration);
  return micros < 0 ? 0 : std::min(static_cast<uint64_t>(micros), kMicrosMax);
}

}  // namespace

internal::v1::StoreFreshness FreshnessToWire(
    const std::shared_ptr<const StoreFreshness>& freshness) {
  internal::v1::StoreFreshness wire;
  if (freshness == nullptr) return wire;
  for (const WriterFreshness& from : freshness->writers) {
    if (wire.writers_size() >= kFreshnessWritersMax) break;
    internal::v1::WriterFreshness& to = *wire.add_writers();
    to.set_replica(from.replica);
    if (from.pace.age == absl::InfiniteDuration()) continue;
    to.set_age_micros(ToMicros(from.pace.age));
    to.set_least_age_micros(ToMicros(from.pace.least_age));
    to.set_interval_micros(ToMicros(from.pace.interval));
    to.set_advancing(from.pace.advancing);
  }
  return wire;
}

std::shared_ptr<const StoreFreshness> FreshnessFromWire(const internal::v1::StoreFreshness& wire,
                                                        SteadyTime now) {
  auto freshness = std::make_shared<StoreFreshness>();
  freshness->as_of = now;
  for (const internal::v1::WriterFreshness& from : wire.writers()) {
    if (freshness->writers.size() >= kFreshnessWritersMax) break;
    WriterFreshness& to = freshness->writers.emplace_back();
    to.replica = from.replica();
    if (!from.has_age_micros()) continue;
    to.pace = {.age = FromMicros(from.age_micros()),
               .least_age = FromMicros(from.least_age_micros()),
               .interval = FromMicros(from.interval_micros()),
               .advancing = from.advancing()};
  }
  return freshness;
}

}  // namespace homeport
