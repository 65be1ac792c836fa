// The ids that gateway and storage share.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/named_type.h"

namespace homeport {

// A region's name, "eu-west".
using RegionName = NamedType<std::string, struct RegionNameTag>;
// A replica's permanent name with its region, "eu-west/a".
using ReplicaName = NamedType<std::string, struct ReplicaNameTag>;
// A namespace's name.
using NamespaceName = NamedType<std::string, struct NamespaceNameTag>;
// One start of one replica; random, never 0.
using Origin = NamedType<uint64_t, struct OriginTag>;
// The number of an entry in its origin, from 1; 0 stands before the first.
using Sequence = NamedType<uint64_t, struct SequenceTag>;

}  // namespace homeport
