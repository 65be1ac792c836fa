// What stands on the disk, damaged in a way that no checksum saw: opening, reading, sending and
// merging it give an answer or an error.
//
// The input is stored pairs as frames: one byte for the table, one for the key's length, the key,
// and the value. They replace what a replica with data has.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/replication/conflict_reader.h"
#include "storage/replication/log_reader.h"
#include "storage/replication/record_reader.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/replica_bed.h"

namespace homeport::fuzz {
namespace {

void Read(ReplicaBed& bed) {
  const HybridTime now = FromWallTime(bed.now().wall);
  const ReadLimits limits;
  for (const char* id : {"id", "gone", "short", "typed"}) {
    SessionToken seen;
    v1::GetRequest get;
    get.set_namespace_("all");
    get.set_id(id);
    v1::GetResponse got;
    (void)ReadItem(&bed.engine(), get, now, seen, got).ok();
    v1::ListItemsRequest list;
    list.set_namespace_("all");
    list.set_id(id);
    v1::ListItemsResponse items;
    (void)ListItems(&bed.engine(), list, now, limits, seen, items).ok();
  }
  SessionToken seen;
  v1::ListRecordsRequest list;
  list.set_namespace_("all");
  v1::ListRecordsResponse records;
  (void)ListRecords(&bed.engine(), list, now, limits, seen, records).ok();
  (void)ListConflicts(&bed.engine(), bed.name(), {}, limits).ok();
  LogReader log(&bed.engine());
  for (uint64_t sequence = 1; sequence <= 8; ++sequence) {
    (void)log.Read(Origin(1), Sequence(sequence)).ok();
  }
}

void Send(ReplicaBed& bed) {
  LinkSender::Options options;
  options.cluster = kBedCluster;
  options.self = bed.name();
  LinkSender sender(std::move(options), &bed.engine());
  internal::v1::PullRequest request;
  request.mutable_hello()->set_cluster(kBedCluster);
  request.mutable_hello()->set_replica("r1/a");
  request.mutable_hello()->set_topology_fingerprint(BedTopology()->fingerprint());
  request.set_credit_bytes(1 << 20);
  if (sender.OnHello(request.hello(), BedTopology(), *bed.core().view())) return;
  request.mutable_seed()->set_number(1);
  request.mutable_seed()->set_namespace_("all");
  sender.OnRequest(request, *bed.core().view());
  for (int i = 0; i < 8; ++i) {
    if (auto next = sender.Next(*bed.core().view()); !next.ok() || !next->has_value()) break;
  }
  for (int i = 0; i < 8; ++i) {
    auto next = sender.NextSeed(*bed.core().view(), bed.now().steady);
    if (!next.ok() || !next->has_value()) break;
  }
}

// Writes to the items that may be damaged, and lets what is due be cleaned.
void Write(ReplicaBed& bed) {
  bed.Advance(absl::Hours(1));
  for (const char* id : {"id", "gone", "short", "typed"}) {
    v1::MutateRequest mutation;
    mutation.set_namespace_("all");
    mutation.set_id(id);
    mutation.add_changes()->set_put("new");
    mutation.mutable_options()->set_request_id("6f1cbb1e-7f3c-4c4e-9f56-0a3f0a6f5f10");
    const SessionToken token;
    (void)bed.core().StageWrite({&mutation, &token}, bed.now()).ok();
  }
  (void)bed.core().Tend(bed.now()).ok();
  (void)bed.core().Commit(bed.now()).ok();
}

void Damage(absl::string_view input) {
  ReplicaBed bed(0);
  WriteBatch batch;
  for (absl::string_view frame : SplitFrames(input)) {
    if (frame.size() < 2) continue;
    const auto table = static_cast<Table>(static_cast<uint8_t>(frame[0]) % kTableCount);
    const size_t key_size = std::min<size_t>(static_cast<uint8_t>(frame[1]), frame.size() - 2);
    batch.Put(table, std::string(frame.substr(2, key_size)),
              std::string(frame.substr(2 + key_size)));
  }
  if (!bed.engine().Write(batch, KvEngine::Durability::kSynced).ok()) abort();
  if (!bed.Reopen().ok()) return;
  Read(bed);
  Send(bed);
  Write(bed);
}

}  // namespace
}  // namespace homeport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  homeport::fuzz::Damage(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
