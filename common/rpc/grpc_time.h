// gRPC's monotonic clock, by which its deadlines, alarms and shutdowns are told here: what a wall
// clock names moves when that is set, by as much.
#pragma once

#include "absl/time/time.h"
#include "grpc/support/time.h"

namespace homeport {

// The point that is `left` from now.
inline gpr_timespec GrpcTimeAfter(absl::Duration left) {
  const timespec span = absl::ToTimespec(left);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      {span.tv_sec, static_cast<int32_t>(span.tv_nsec), GPR_TIMESPAN});
}

// How long it is until a point of any clock of gRPC's; infinite if that never comes.
inline absl::Duration TimeUntil(gpr_timespec point) {
  if (gpr_time_cmp(point, gpr_inf_future(point.clock_type)) == 0) return absl::InfiniteDuration();
  const gpr_timespec left = gpr_time_sub(point, gpr_now(point.clock_type));
  return absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace homeport
