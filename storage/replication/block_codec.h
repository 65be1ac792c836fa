// Batches on a link: entries in a block, compressed when that helps.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "homeport/internal/v1/replication.pb.h"

namespace homeport {

// A block may not be larger than this before compression; entries of 4 MiB and their keys fit.
inline constexpr uint32_t kBlockBytesMax = 16 * 1024 * 1024;

// The version of the frames that this code speaks.
inline constexpr uint32_t kFrameVersion = 2;
// Since this version of the frames entries are packed (entry_packer.h). Before, a block is the
// serialized entries and their checksums.
inline constexpr uint32_t kPackedFrameVersion = 2;

// The block's entries in the form of that version of the frames; its checksums are not looked at.
// zstd, level 1: at a link's speed more costs more time than it saves.
internal::v1::Batch PackBlock(const internal::v1::EntryBlock& block,
                              uint32_t frame_version = kFrameVersion);

// The reverse, of either form: the entries, whose checksums were verified and are gone. DATA_LOSS
// if the batch is damaged, and INVALID_ARGUMENT if it, or what it unpacks to, is larger than
// kBlockBytesMax.
absl::StatusOr<internal::v1::EntryBlock> UnpackBlock(const internal::v1::Batch& batch);

}  // namespace homeport
