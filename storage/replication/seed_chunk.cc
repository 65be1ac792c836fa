#include "storage/replication/seed_chunk.h"

#include <zstd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/model/keys.h"
#include "storage/replication/block_codec.h"

namespace homeport {
namespace {

using internal::v1::SeedBlock;
using internal::v1::SeedChunk;

constexpr int kLevel = 1;
// Below this, headers cost more than compression saves.
constexpr size_t kCompressFrom = 256;

bool KeyInside(absl::string_view key, absl::string_view prefix) {
  return key.empty() || absl::StartsWith(key, prefix);
}

}  // namespace

SeedPlace RequestIdsOf(absl::string_view name_space) {
  return {SeedPlace::Part::kRequestIds, RequestKey(name_space, absl::string_view())};
}

SeedPlace SeedEnd() { return {SeedPlace::Part::kEnd, std::string()}; }

absl::StatusOr<SeedRange> RangeOf(const SeedChunk& chunk) {
  SeedRange range;
  if (chunk.after_request_key().empty()) {
    range.from.key = chunk.after_key();
    range.to = chunk.to_key().empty() ? RequestIdsOf(chunk.namespace_())
                                      : SeedPlace{SeedPlace::Part::kItems, chunk.to_key()};
  } else {
    range.from = {SeedPlace::Part::kRequestIds, chunk.after_request_key()};
    range.to = chunk.to_request_key().empty()
                   ? SeedEnd()
                   : SeedPlace{SeedPlace::Part::kRequestIds, chunk.to_request_key()};
  }
  // Without a namespace there is nothing to walk.
  if (chunk.namespace_().empty()) range = {SeedPlace(), SeedEnd()};
  const std::string items = NamespacePrefix(chunk.namespace_());
  const std::string ids = RequestIdsOf(chunk.namespace_()).key;
  if (!(range.from < range.to) || chunk.last() != (range.to == SeedEnd()) ||
      !KeyInside(chunk.after_key(), items) || !KeyInside(chunk.to_key(), items) ||
      !KeyInside(chunk.after_request_key(), ids) || !KeyInside(chunk.to_request_key(), ids)) {
    return absl::DataLossError(absl::StrCat("a chunk of a seeding of namespace '",
                                            chunk.namespace_(), "' covers no range of it"));
  }
  return range;
}

void SetRange(const SeedRange& range, SeedChunk& chunk) {
  if (range.from.part == SeedPlace::Part::kItems) {
    chunk.set_after_key(range.from.key);
    if (range.to.part == SeedPlace::Part::kItems) chunk.set_to_key(range.to.key);
  } else {
    chunk.set_after_request_key(range.from.key);
    if (range.to.part == SeedPlace::Part::kRequestIds) chunk.set_to_request_key(range.to.key);
  }
  chunk.set_last(range.to == SeedEnd());
}

void PackSeedBlock(const SeedBlock& block, SeedChunk& chunk) {
  const std::string plain = block.SerializeAsString();
  chunk.set_checksum(Checksum(plain));
  if (plain.size() >= kCompressFrom) {
    std::string* packed = chunk.mutable_block();
    packed->resize(ZSTD_compressBound(plain.size()));
    const size_t size =
        ZSTD_compress(packed->data(), packed->size(), plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(size) == 0 && size < plain.size()) {
      packed->resize(size);
      chunk.set_uncompressed_bytes(static_cast<uint32_t>(plain.size()));
      return;
    }
  }
  chunk.set_block(plain);
}

absl::StatusOr<SeedBlock> UnpackSeedBlock(const SeedChunk& chunk) {
  const size_t claimed = std::max<size_t>(chunk.uncompressed_bytes(), chunk.block().size());
  if (claimed > kBlockBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a chunk of ", claimed, " bytes is over the limit of ", kBlockBytesMax));
  }
  std::string unpacked;
  absl::string_view plain = chunk.block();
  if (chunk.uncompressed_bytes() != 0) {
    unpacked.resize(chunk.uncompressed_bytes());
    const size_t size = ZSTD_decompress(unpacked.data(), unpacked.size(), chunk.block().data(),
                                        chunk.block().size());
    if (ZSTD_isError(size) != 0 || size != unpacked.size()) {
      return absl::DataLossError("a chunk of a seeding does not decompress");
    }
    plain = unpacked;
  }
  SeedBlock block;
  if (Checksum(plain) != chunk.checksum() ||
      !block.ParseFromArray(plain.data(), static_cast<int>(plain.size()))) {
    return absl::DataLossError("a chunk of a seeding is damaged");
  }
  return block;
}

}  // namespace homeport
