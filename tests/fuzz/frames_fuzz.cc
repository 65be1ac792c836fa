// The decoders of what links carry and disks keep, one by one.
//
// The first byte of the input chooses the decoder; the rest is for it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "homeport/internal/v1/replication.pb.h"
#include "homeport/internal/v1/seed.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/entry_codec.h"
#include "storage/model/item_merge.h"
#include "storage/model/journal_keys.h"
#include "storage/model/keys.h"
#include "storage/replication/block_codec.h"
#include "storage/replication/seed_chunk.h"

namespace homeport {
namespace {

using internal::v1::Batch;
using internal::v1::EntryBlock;
using internal::v1::StoredItem;

// Unknown fields of the block itself are nobody's.
bool SameEntries(const EntryBlock& a, const EntryBlock& b) {
  return std::equal(a.entries().begin(), a.entries().end(), b.entries().begin(), b.entries().end());
}

// Blocks, packed or not, compressed or not: what is taken is the same after one more round trip.
void DecodeBlock(absl::string_view input, bool packed, bool compressed) {
  Batch batch;
  batch.set_packed(packed);
  if (compressed) {
    if (input.size() < 3) return;
    uint32_t size = 0;
    for (int i = 0; i < 3; ++i) size |= static_cast<uint32_t>(uint8_t(input[i])) << (8 * i);
    batch.set_uncompressed_bytes(size);
    input.remove_prefix(3);
  }
  batch.set_block(std::string(input));
  if (EntryBlock block; !packed && !compressed && block.ParseFromString(batch.block())) {
    block.clear_entry_checksums();
    for (const std::string& entry : block.entries()) block.add_entry_checksums(Checksum(entry));
    batch.set_block(block.SerializeAsString());
  }
  const auto block = UnpackBlock(batch);
  if (!block.ok()) return;
  const auto again = UnpackBlock(PackBlock(*block));
  if (!again.ok() || !SameEntries(*again, *block)) abort();
  for (const std::string& bytes : block->entries()) (void)ParseEntry(bytes).ok();
  const Batch repacked = PackBlock(*block, 1);
  const auto old = UnpackBlock(repacked);
  if (!old.ok() || !SameEntries(*old, *block)) abort();
}

void DecodeEntry(absl::string_view input) {
  internal::v1::Entry entry;
  if (!entry.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  (void)ParseEntry(input).ok();
  entry.clear_part_checksums();
  for (const std::string& part : entry.parts()) entry.add_part_checksums(Checksum(part));
  const auto parsed = ParseEntry(entry.SerializeAsString());
  if (!parsed.ok()) return;
  for (int i = 0; i < parsed->parts_size(); ++i) {
    const auto part = ParsePart(*parsed, i);
    if (!part.ok()) continue;
    const Stamp stamp{{HybridTime(parsed->timestamp()), Origin(parsed->origin())},
                      Sequence(parsed->sequence())};
    StoredItem item;
    for (const auto& change : part->changes()) {
      ApplyChange(&item, change, stamp);
      // An entry that is applied again changes nothing.
      if (ApplyChange(&item, change, stamp)) abort();
    }
  }
}

void DecodeLogRecord(absl::string_view input) {
  std::string record = MakeLogRecord(LogRecord::Kind::kEntry, input);
  if (!ParseLogRecord(record).ok()) abort();
  if (!input.empty()) {
    record[0] = input[0];
    (void)ParseLogRecord(record).ok();
  }
  (void)ParseLogRecord(input).ok();
}

void DecodeSeedChunk(absl::string_view input) {
  internal::v1::SeedChunk chunk;
  if (!chunk.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  if (chunk.uncompressed_bytes() == 0) chunk.set_checksum(Checksum(chunk.block()));
  (void)UnpackSeedBlock(chunk).ok();
  const auto range = RangeOf(chunk);
  if (range.ok() && !(range->from < range->to)) abort();
}

void DecodeKeys(absl::string_view input) {
  if (auto key = ParseItemKey(input)) {
    if (ItemKey(key->name_space, key->record_id, key->key) != input) abort();
  }
  if (auto key = ParseLogKey(input)) {
    if (LogKey(key->origin, key->sequence) != input) abort();
  }
  if (auto key = ParseExpiryKey(input)) {
    if (ExpiryKey(key->time, key->item_key) != input) abort();
  }
  if (auto key = ParseRequestTimeKey(input)) {
    if (RequestTimeKey(key->time, key->request_key) != input) abort();
  }
  ParsePositionKey(input);
  ParseConflictNumber(input);
}

// Two stored items, whatever they are, have a merge.
void MergeItems(absl::string_view input) {
  const size_t half = input.size() / 2;
  StoredItem a;
  StoredItem b;
  if (!a.ParseFromArray(input.data(), static_cast<int>(input.size()))) return;
  if (!b.ParseFromArray(input.data(), static_cast<int>(half))) b = a;
  StoredItem merged = Merge(a, b);
  MergeInto(merged, &a);
  (void)CounterValue(merged);
  (void)SetElements(merged);
  (void)IsTombstone(merged);
  (void)CleanupTime(merged);
  ForEachPosition(merged, [](Origin, Sequence) {});
  const auto covered = [](Origin origin, Sequence) { return origin.value() % 2 == 0; };
  (void)WithoutRemoved(merged, &b, covered);
  (void)MergeSnapshot(merged, &b, covered);
  Prune(&merged);
}

}  // namespace
}  // namespace homeport

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 9) {
    case 0:
      homeport::DecodeBlock(input, /*packed=*/true, /*compressed=*/false);
      break;
    case 1:
      homeport::DecodeBlock(input, /*packed=*/false, /*compressed=*/false);
      break;
    case 2:
      homeport::DecodeBlock(input, /*packed=*/true, /*compressed=*/true);
      break;
    case 3:
      homeport::DecodeBlock(input, /*packed=*/false, /*compressed=*/true);
      break;
    case 4:
      homeport::DecodeEntry(input);
      break;
    case 5:
      homeport::DecodeLogRecord(input);
      break;
    case 6:
      homeport::DecodeSeedChunk(input);
      break;
    case 7:
      homeport::DecodeKeys(input);
      break;
    default:
      homeport::MergeItems(input);
      break;
  }
  return 0;
}
