// Chunks of a seeding as they are sent.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "homeport/internal/v1/seed.pb.h"

namespace homeport {

// A place in the seeding of a namespace: its items in the order of their keys come first, then its
// request ids, then the end. Everything up to a place is what is at it or before it.
struct SeedPlace {
  enum class Part { kItems, kRequestIds, kEnd };
  Part part = Part::kItems;
  std::string key;  // the stored key; empty: before the first

  friend bool operator==(const SeedPlace&, const SeedPlace&) = default;
  friend bool operator<(const SeedPlace& a, const SeedPlace& b) {
    return a.part != b.part ? a.part < b.part : a.key < b.key;
  }
};

// The place where a namespace's request ids begin, and the end.
SeedPlace RequestIdsOf(absl::string_view name_space);
SeedPlace SeedEnd();

// What a chunk covers: what is after `from`, up to `to`.
struct SeedRange {
  SeedPlace from;
  SeedPlace to;
};
// DATA_LOSS if the chunk's fields contradict each other, or lead backwards or out of the namespace.
absl::StatusOr<SeedRange> RangeOf(const internal::v1::SeedChunk& chunk);
void SetRange(const SeedRange& range, internal::v1::SeedChunk& chunk);

// Fills block, size and checksum; compressed as batches are.
void PackSeedBlock(const internal::v1::SeedBlock& block, internal::v1::SeedChunk& chunk);
// The reverse. DATA_LOSS if the block is damaged, and INVALID_ARGUMENT if it claims to be larger
// than kBlockBytesMax.
absl::StatusOr<internal::v1::SeedBlock> UnpackSeedBlock(const internal::v1::SeedChunk& chunk);

}  // namespace homeport
