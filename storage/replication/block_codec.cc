#include "storage/replication/block_codec.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/entry_packer.h"

namespace homeport {
namespace {

using internal::v1::Batch;
using internal::v1::EntryBlock;

constexpr int kLevel = 1;
// Below this, headers cost more than compression saves.
constexpr size_t kCompressFrom = 256;

// One a thread: to make one takes as long as to compress a small batch with it.
ZSTD_CCtx* CompressionContext() {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* DecompressionContext() {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return context.get();
}

// With a checksum for each entry.
std::string PlainBlock(const EntryBlock& block) {
  EntryBlock checked = block;
  checked.clear_entry_checksums();
  for (const std::string& entry : block.entries()) checked.add_entry_checksums(Checksum(entry));
  return checked.SerializeAsString();
}

absl::StatusOr<EntryBlock> ParsePlainBlock(const std::string& bytes) {
  EntryBlock block;
  if (!block.ParseFromString(bytes) || block.entries_size() != block.entry_checksums_size()) {
    return absl::DataLossError("a batch does not parse");
  }
  for (int i = 0; i < block.entries_size(); ++i) {
    if (Checksum(block.entries(i)) != block.entry_checksums(i)) {
      return absl::DataLossError(absl::StrCat("entry ", i, " of a batch is damaged"));
    }
  }
  block.clear_entry_checksums();
  return block;
}

absl::StatusOr<EntryBlock> ParseBlock(const Batch& batch, const std::string& bytes) {
  if (!batch.packed()) return ParsePlainBlock(bytes);
  auto entries = UnpackEntries(bytes, kBlockBytesMax);
  if (!entries.ok()) return entries.status();
  EntryBlock block;
  *block.mutable_entries() = *std::move(entries);
  return block;
}

}  // namespace

Batch PackBlock(const EntryBlock& block, uint32_t frame_version) {
  Batch batch;
  batch.set_packed(frame_version >= kPackedFrameVersion);
  std::string plain = batch.packed() ? PackEntries(block.entries()) : PlainBlock(block);
  if (plain.size() >= kCompressFrom) {
    std::string* compressed = batch.mutable_block();
    compressed->resize(ZSTD_compressBound(plain.size()));
    const size_t size = ZSTD_compressCCtx(CompressionContext(), compressed->data(),
                                          compressed->size(), plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(size) == 0 && size < plain.size()) {
      compressed->resize(size);
      batch.set_uncompressed_bytes(static_cast<uint32_t>(plain.size()));
      return batch;
    }
  }
  batch.set_block(std::move(plain));
  return batch;
}

absl::StatusOr<EntryBlock> UnpackBlock(const Batch& batch) {
  if (batch.uncompressed_bytes() > kBlockBytesMax || batch.block().size() > kBlockBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a batch of ", std::max<size_t>(batch.uncompressed_bytes(), batch.block().size()),
        " bytes is over the limit of ", kBlockBytesMax));
  }
  if (batch.uncompressed_bytes() == 0) return ParseBlock(batch, batch.block());
  std::string plain(batch.uncompressed_bytes(), '\0');
  const size_t size = ZSTD_decompressDCtx(DecompressionContext(), plain.data(), plain.size(),
                                          batch.block().data(), batch.block().size());
  if (ZSTD_isError(size) != 0 || size != plain.size()) {
    return absl::DataLossError("a batch does not decompress");
  }
  return ParseBlock(batch, plain);
}

}  // namespace homeport
