// Reads that name what they would be content with, best first (Terry, Prabhakaran, Kotla,
// Balakrishnan, Aguilera, Abu-Libdeh: "Consistency-based service level agreements for cloud
// storage", SOSP 2013). Pure.
#pragma once

#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/time/clock.h"
#include "gateway/route/freshness_order.h"
#include "gateway/route/plan.h"
#include "homeport/v1/consistency.pb.h"

namespace homeport {

// What to go for.
struct TargetChoice {
  // Position in the list.
  int target = 0;
  // Until when it can be met. For the last target the request's own deadline: late is better than
  // nothing.
  SteadyTime deadline;
  // Where to ask. For a target that is not the last only replicas that are predicted to meet it,
  // so that a failure leaves time for the next target.
  Plan plan;
};

// Chooses, from the target `from` on, the first that some healthy replica of `plan` is predicted to
// meet; the last if there is none. `facts` says what is known, and its deadline is the request's;
// its bound is not used. `started` is when the gateway took the request. A token may have to be
// waited for, which nobody can predict: SESSION counts as EVENTUAL here. `targets` has at least
// `from + 1`.
TargetChoice ChooseTarget(const FreshnessFacts& facts, absl::Span<const v1::ReadTarget> targets,
                          int from, SteadyTime started, const Plan& plan);

// The first target that an answer meets after `latency`, from 1; 0 if it meets none. An answer of
// whatever level meets BOUNDED if its age does.
int TargetMet(absl::Span<const v1::ReadTarget> targets, const v1::Provenance& provenance,
              absl::Duration latency);

}  // namespace homeport
