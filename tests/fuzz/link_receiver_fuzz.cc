// What a peer sends on a link: whatever it is, the replica goes on, and its disk opens again.
//
// The input is one byte (bit 0: the whole replica is being seeded) and PullResponses as frames.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/model/entry_codec.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/replica_bed.h"

namespace homeport::fuzz {
namespace {

using internal::v1::Entry;
using internal::v1::EntryBlock;
using internal::v1::PullResponse;

// Checksums that no mutation finds: a hostile peer would send the right ones.
void SetChecksums(internal::v1::Batch& batch) {
  EntryBlock block;
  if (batch.packed() || batch.uncompressed_bytes() != 0 || !block.ParseFromString(batch.block())) {
    return;
  }
  block.clear_entry_checksums();
  for (std::string& bytes : *block.mutable_entries()) {
    Entry entry;
    if (entry.ParseFromString(bytes)) {
      entry.clear_part_checksums();
      for (const std::string& part : entry.parts()) entry.add_part_checksums(Checksum(part));
      bytes = entry.SerializeAsString();
    }
    block.add_entry_checksums(Checksum(bytes));
  }
  batch.set_block(block.SerializeAsString());
}

void TakeAll(absl::string_view input) {
  ReplicaBed bed(0);
  BedReceiver link(bed, ReplicaName("r1/a"), (input[0] & 1) != 0);
  uint64_t seed_number = 0;
  uint64_t compare_number = 0;
  for (absl::string_view frame : SplitFrames(input.substr(1))) {
    PullResponse response;
    if (!response.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) continue;
    if (response.has_batch()) SetChecksums(*response.mutable_batch());
    if (response.has_seed_chunk()) {
      internal::v1::SeedChunk& chunk = *response.mutable_seed_chunk();
      chunk.set_number(seed_number);
      if (chunk.uncompressed_bytes() == 0) chunk.set_checksum(Checksum(chunk.block()));
    }
    if (response.has_compare()) response.mutable_compare()->set_number(compare_number);
    if (!link.Take(response).ok()) break;
    bed.Advance(absl::Milliseconds(100));
    if (auto request = link.NextRequest()) {
      if (request->has_seed()) seed_number = request->seed().number();
      if (request->has_compare()) compare_number = request->compare().number();
    }
    link.receiver().Status(*bed.core().view(), bed.now().wall);
  }
  if (!bed.core().Tend(bed.now()).ok()) abort();
  for (int i = 0; i < 100 && bed.core().HasStaged(); ++i) {
    if (!bed.core().Commit(bed.now()).ok()) abort();
  }
  if (!bed.Reopen().ok()) abort();
}

}  // namespace
}  // namespace homeport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  homeport::fuzz::TakeAll(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
