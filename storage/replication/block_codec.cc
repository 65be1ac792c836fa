#include "storage/replication/block_codec.h"

#include <zstd.h>

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"

namespace homeport {
namespace {

using internal::v1::Batch;
using internal::v1::EntryBlock;

constexpr int kLevel = 1;
// Below this, headers cost more than compression saves.
constexpr size_t kCompressFrom = 256;

}  // namespace

Batch PackBlock(const EntryBlock& block) {
  Batch batch;
  const std::string plain = block.SerializeAsString();
  if (plain.size() >= kCompressFrom) {
    std::string* packed = batch.mutable_block();
    packed->resize(ZSTD_compressBound(plain.size()));
    const size_t size =
        ZSTD_compress(packed->data(), packed->size(), plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(size) == 0 && size < plain.size()) {
      packed->resize(size);
      batch.set_uncompressed_bytes(static_cast<uint32_t>(plain.size()));
      return batch;
    }
  }
  batch.set_block(plain);
  return batch;
}

absl::StatusOr<EntryBlock> UnpackBlock(const Batch& batch) {
  EntryBlock block;
  if (batch.uncompressed_bytes() > kBlockBytesMax || batch.block().size() > kBlockBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a batch of ", std::max<size_t>(batch.uncompressed_bytes(), batch.block().size()),
        " bytes is over the limit of ", kBlockBytesMax));
  }
  bool parsed = false;
  if (batch.uncompressed_bytes() == 0) {
    parsed = block.ParseFromString(batch.block());
  } else {
    std::string plain(batch.uncompressed_bytes(), '\0');
    const size_t size =
        ZSTD_decompress(plain.data(), plain.size(), batch.block().data(), batch.block().size());
    if (ZSTD_isError(size) != 0 || size != plain.size()) {
      return absl::DataLossError("a batch does not decompress");
    }
    parsed = block.ParseFromString(plain);
  }
  if (!parsed || block.entries_size() != block.entry_checksums_size()) {
    return absl::DataLossError("a batch does not parse");
  }
  for (int i = 0; i < block.entries_size(); ++i) {
    if (Checksum(block.entries(i)) != block.entry_checksums(i)) {
      return absl::DataLossError(absl::StrCat("entry ", i, " of a batch is damaged"));
    }
  }
  return block;
}

}  // namespace homeport
