// Whether what is stored is of the type that the topology says.
#pragma once

#include "absl/status/status.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/topology.pb.h"
#include "storage/engine/kv_engine.h"

namespace homeport {

// Items of a namespace that are looked at for one that tells its type.
inline constexpr int kItemTypeScanMax = 1000;

// A type can not change while a namespace has data: a register's value would be no part of a
// number. FAILED_PRECONDITION, naming the namespace and both types, if the first of its items that
// is not deleted is of another type; DATA_LOSS if it does not parse; otherwise the engine's errors.
absl::Status CheckItemTypes(KvEngine* engine, const Topology& topology);

}  // namespace homeport
