// Whether this gateway's region is cut off from the others. Pure.
#pragma once

#include "gateway/route/plan.h"

namespace homeport {

// True if the namespace is held here and elsewhere, and by what the gateway has seen no replica of
// another region that holds it can be reached. One that was not heard of yet, or that answers but
// fails or is slow, can be.
bool IsIsolated(const NamespaceInfo& name_space, int self_region, const HealthSnapshot& health);

// The attempts of `plan` in `self_region`, with the reason ISOLATED. May be empty.
Plan IsolatedPart(const Plan& plan, int self_region);

}  // namespace homeport
