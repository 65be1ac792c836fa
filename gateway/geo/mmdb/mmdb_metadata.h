// What an MMDB file says of itself, checked before anything else reads the file.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace homeport {

struct MmdbMetadata {
  uint64_t node_count = 0;
  uint64_t record_bits = 0;   // 24, 28 or 32; a node has two records
  uint64_t ip_version = 0;    // 4 or 6
  uint64_t build_epoch = 0;   // seconds
  std::string database_type;  // at most kTypeBytesMax, UTF-8; may be empty

  // Bytes of the search tree, and where the data section starts and ends in the file.
  size_t tree_bytes = 0, data_start = 0, data_end = 0;
  // Bits of an address: 32 or 128.
  int address_bits() const { return ip_version == 4 ? 32 : 128; }
};

inline constexpr size_t kTypeBytesMax = 256;
// The zeros between search tree and data.
inline constexpr size_t kMmdbSeparatorBytes = 16;

// Reads the metadata of a whole file. DATA_LOSS: there is none, it is damaged, it names what does
// not exist, or the tree and data sections do not fit into the file.
absl::StatusOr<MmdbMetadata> ReadMmdbMetadata(absl::Span<const uint8_t> file);

}  // namespace homeport
