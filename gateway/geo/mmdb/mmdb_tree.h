// Checking the search tree of an MMDB file.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gateway/geo/mmdb/mmdb_metadata.h"

namespace homeport {

// Reads every node of the tree at the start of `file`, also those that no address leads to, and
// returns the offsets in the data section that its records name: distinct, ascending. DATA_LOSS: a
// record names a node or data that do not exist, an address' bits run out before its way through
// the tree ends (a loop, too).
absl::StatusOr<std::vector<uint32_t>> WalkMmdbTree(absl::Span<const uint8_t> file,
                                                   const MmdbMetadata& metadata);

}  // namespace homeport
