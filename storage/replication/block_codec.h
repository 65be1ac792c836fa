// Batches on a link: entries in a block, compressed when that helps.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "homeport/internal/v1/replication.pb.h"

namespace homeport {

// A block may not be larger than this before compression; entries of 4 MiB and their keys fit.
inline constexpr uint32_t kBlockBytesMax = 16 * 1024 * 1024;

// zstd, level 1: at a link's speed more costs more time than it saves.
internal::v1::Batch PackBlock(const internal::v1::EntryBlock& block);

// The reverse, with the checksum of every entry verified. DATA_LOSS if the batch is damaged, and
// INVALID_ARGUMENT if it claims to be larger than kBlockBytesMax.
absl::StatusOr<internal::v1::EntryBlock> UnpackBlock(const internal::v1::Batch& batch);

}  // namespace homeport
