#include "storage/replica/freshness_tracker.h"

#include <algorithm>
#include <optional>

namespace homeport {
namespace {

// Of a writer of which one watermark was seen so far: how often idle ones come.
constexpr absl::Duration kFirstInterval = absl::Milliseconds(500);

// The watermark of the earliest start of `replica`, other than `current`, of which something is
// missing here.
HybridTime EarlierMark(const ReplicaView& view, const ReplicaName& replica, Origin current) {
  HybridTime earliest = kNothingMissing;
  for (const OriginView& origin : view.origins) {
    // The chain entry that covers an origin is applied after all of it; a closed one is settled.
    if (origin.covered_by != Origin(0) || origin.closed_end || origin.origin == current) continue;
    if (origin.replica == nullptr || *origin.replica != replica) continue;
    Sequence known = origin.received;
    if (view.members != nullptr) {
      for (const auto& [name, member] : *view.members) {
        known = std::max(known, member->Of(origin.origin).received);
      }
    }
    if (known > origin.applied) earliest = std::min(earliest, origin.watermark);
  }
  return earliest;
}

}  // namespace

absl::Duration AgeAt(HybridTime mark, HybridTime clock) {
  return std::max(absl::ZeroDuration(), ToWallTime(clock) - ToWallTime(mark));
}

WatermarkPace PaceAt(const WriterMark& writer, HybridTime clock, SteadyTime now) {
  if (writer.mark == HybridTime(0)) return {};
  return {.age = AgeAt(writer.mark, clock),
          .least_age = writer.least_age,
          .interval = writer.interval,
          .advancing = now - writer.advanced_at < kWriterSilence};
}

HybridTime MarkOf(const ReplicaView& view, const ReplicaName& replica) {
  const OriginView* current = nullptr;
  for (const OriginView& origin : view.origins) {
    if (origin.replica == nullptr || *origin.replica != replica) continue;
    if (current == nullptr || origin.watermark > current->watermark) current = &origin;
  }
  if (current == nullptr) return HybridTime(0);
  return std::min(current->watermark, EarlierMark(view, replica, current->origin));
}

HybridTime MarkOfSelf(const ReplicaView& view, const ReplicaName& self) {
  return EarlierMark(view, self, view.self);
}

WriterMark FreshnessTracker::Observe(const ReplicaName& replica, HybridTime mark, HybridTime clock,
                                     SteadyTime now) {
  WriterMark& writer = writers_[replica];
  if (mark <= writer.mark) {
    // Less is known of it than before when an earlier start is heard of.
    writer.mark = mark;
    return writer;
  }
  const absl::Duration age = AgeAt(mark, clock);
  if (writer.advanced_at == -absl::InfiniteDuration()) {
    writer.least_age = age;
    writer.interval = kFirstInterval;
  } else {
    // Silence is no interval. A longer one counts at once, so that a wait is not promised too soon.
    const absl::Duration interval = std::min(now - writer.advanced_at, kWriterSilence);
    writer.interval = std::max(interval, (writer.interval * 3 + interval) / 4);
    writer.least_age = (writer.least_age + age) / 2;
  }
  writer.mark = mark;
  writer.advanced_at = now;
  return writer;
}

}  // namespace homeport
