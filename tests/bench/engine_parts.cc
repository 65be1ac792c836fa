#include "tests/bench/engine_parts.h"

#include <algorithm>
#include <ctime>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/world/world_topology.h"
#include "common/topology/topology.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/digest_sums.h"
#include "storage/replication/intake.h"
#include "storage/replication/link_sender.h"
#include "storage/replication/replica_core.h"
#include "storage/replication/staging.h"
#include "tests/bench/report.h"
#include "tests/bench/scenario_parts.h"

namespace homeport::bench {
namespace {

constexpr int kWritesPerCommit = 1000;
constexpr size_t kCommitBytes = size_t{4} << 20;

Moment Now() { return {absl::Now(), absl::Now() - absl::UnixEpoch()}; }

absl::Duration CpuNow() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

absl::StatusOr<std::shared_ptr<const Topology>> MakeTopology() {
  internal::v1::Topology proto;
  proto.set_cluster("bench");
  for (int i = 0; i < 2; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(i);
    region->set_longitude(i);
    region->add_gateways(absl::StrCat("127.0.0.1:", 1000 + i));
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:", 2000 + i));
  }
  proto.add_namespaces()->set_name(kNamespace);
  return Topology::Create(proto);
}

absl::StatusOr<std::unique_ptr<KvEngine>> NewEngine(const std::string& path) {
  std::filesystem::remove_all(path);
  RocksdbOptions options;
  options.path = path;
  return OpenRocksdbEngine(options);
}

absl::StatusOr<std::unique_ptr<ReplicaCore>> NewCore(KvEngine* engine, int at,
                                                     const Topology& topology) {
  ReplicaCore::Options options;
  options.cluster = topology.cluster();
  options.replica = ReplicaName(absl::StrCat("r", at, "/a"));
  auto core = ReplicaCore::Open(std::move(options), engine, Origin(at + 1), Now());
  return core;
}

v1::MutateRequest Write(int number, const std::string& value) {
  v1::MutateRequest mutation;
  mutation.set_namespace_(kNamespace);
  mutation.set_id(absl::StrFormat("put%08d", number));
  mutation.add_changes()->set_put(value);
  return mutation;
}

absl::Status WriteAll(ReplicaCore& core, const CoreLoad& load, int group) {
  const std::string value(load.value_bytes, 'v');
  const SessionToken token;
  for (int i = 0; i < load.entries; ++i) {
    const v1::MutateRequest mutation = Write(i, value);
    auto name = core.StageWrite({&mutation, &token}, Now());
    if (!name.ok()) return name.status();
    if (i % group != group - 1 && i + 1 < load.entries) continue;
    if (auto status = core.Commit(Now()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<double> RunFollowerCore(const CoreLoad& load) {
  auto topology = MakeTopology();
  if (!topology.ok()) return topology.status();
  auto leader_engine = NewEngine(load.folder + "/leader");
  auto follower_engine = NewEngine(load.folder + "/follower");
  if (!leader_engine.ok()) return leader_engine.status();
  if (!follower_engine.ok()) return follower_engine.status();
  auto leader = NewCore(leader_engine->get(), 0, **topology);
  auto follower = NewCore(follower_engine->get(), 1, **topology);
  if (!leader.ok()) return leader.status();
  if (!follower.ok()) return follower.status();
  for (int i = 0; i < 2; ++i) {
    (i == 0 ? *leader : *follower)->SetPolicy(HoldingPolicy(*topology, i));
  }
  if (auto status = WriteAll(**leader, load, kWritesPerCommit); !status.ok()) return status;

  LinkSender::Options sender_options;
  sender_options.cluster = "bench";
  sender_options.self = ReplicaName("r0/a");
  LinkSender sender(sender_options, leader_engine->get());
  const internal::v1::Hello hello = MakeHello(
      "bench", ReplicaName("r1/a"), (*topology)->fingerprint(), *(*follower)->view(), absl::Now());
  if (sender.OnHello(hello, *topology, *(*leader)->view())) {
    return absl::InternalError("the sender refused the follower");
  }
  internal::v1::PullRequest credit;
  credit.set_credit_bytes(uint64_t{1} << 31);
  sender.OnRequest(credit, *(*leader)->view());
  // What a link would have brought is there before the time runs.
  std::vector<PeerBatch> batches;
  while (true) {
    auto response = sender.Next(*(*leader)->view());
    if (!response.ok()) return response.status();
    if (!response->has_value()) break;
    auto batch = UnpackResponse(ReplicaName("r0/a"), **response);
    if (!batch.ok()) return batch.status();
    batches.push_back(*std::move(batch));
  }
  const absl::Time begin = absl::Now();
  size_t bytes = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const Taken taken = TakeIn(batches[i], **follower, Now());
    if (!taken.status.ok()) return taken.status;
    bytes += batches[i].block.ByteSizeLong();
    if (bytes < kCommitBytes && i + 1 < batches.size()) continue;
    bytes = 0;
    do {
      if (auto status = (*follower)->Commit(Now()); !status.ok()) return status;
    } while ((*follower)->HasBacklog());
  }
  const absl::Duration elapsed = absl::Now() - begin;
  const Sequence applied = (*follower)->view()->AppliedOf((*leader)->self());
  if (applied < (*leader)->view()->AppliedOf((*leader)->self())) {
    return absl::InternalError("the follower's core has not applied everything");
  }
  return static_cast<double>(load.entries) / absl::ToDoubleSeconds(elapsed);
}

namespace {

double Median(std::vector<double> samples) { return SpreadOf(std::move(samples)).median; }

// CPU microseconds, one a commit. Medians of them are compared and not sums, as the engine's larger
// chores fall into a few commits.
struct CommitCosts {
  std::vector<double> write;      // a write of the core, with all that it does
  std::vector<double> digests;    // hashing, adding up and staging
  std::vector<double> stored[2];  // writing the batch with what was staged, and without
};

absl::Status TimeCore(const CoreLoad& load, int group, const Topology& topology,
                      HoldingPolicy policy, CommitCosts& costs) {
  auto engine = NewEngine(load.folder + "/core");
  if (!engine.ok()) return engine.status();
  auto core = NewCore(engine->get(), 0, topology);
  if (!core.ok()) return core.status();
  (*core)->SetPolicy(std::move(policy));
  const std::string value(load.value_bytes, 'v');
  const SessionToken token;
  absl::Duration begin = CpuNow();
  for (int i = 0; i < load.entries; ++i) {
    const v1::MutateRequest mutation = Write(i % (load.entries / 2), value);
    auto name = (*core)->StageWrite({&mutation, &token}, Now());
    if (!name.ok()) return name.status();
    if (i % group != group - 1) continue;
    if (auto status = (*core)->Commit(Now()); !status.ok()) return status;
    costs.write.push_back(absl::ToDoubleMicroseconds(CpuNow() - begin));
    begin = CpuNow();
  }
  return (*core)->Commit(Now());
}

// The same items, written in turn with their digests in the same batch, and with the digests of an
// engine in memory.
absl::Status TimeDigests(const CoreLoad& load, int group, CommitCosts& costs) {
  auto engine = NewEngine(load.folder + "/items");
  if (!engine.ok()) return engine.status();
  auto memory = MemoryEngine::Open(std::make_shared<MemoryDisk>());
  if (!memory.ok()) return memory.status();
  Staging batch(engine->get());
  Staging elsewhere(memory->get());
  DigestSums sums[] = {DigestSums(&batch), DigestSums(&elsewhere)};
  for (DigestSums& each : sums) {
    if (auto status = each.Load(); !status.ok()) return status;
  }
  struct Change {
    std::string key;
    std::optional<internal::v1::StoredItem> before;
    internal::v1::StoredItem after;
  };
  std::vector<Change> changes;
  internal::v1::ItemChange change;
  change.set_value(std::string(load.value_bytes, 'v'));
  for (int i = 0; i < load.entries; ++i) {
    const Sequence sequence(static_cast<uint64_t>(i) + 1);
    const Stamp stamp{{HybridTime(sequence.value()), Origin(1)}, sequence};
    const std::string id = absl::StrFormat("put%08d", i % (load.entries / 2));
    Change& one = changes.emplace_back();
    one.key = ItemKey(kNamespace, id, "");
    one.after = ItemOf(change, stamp);
    if (i >= load.entries / 2) {
      one.before = ItemOf(change, Stamp{{HybridTime(sequence.value() - 1), Origin(1)}, sequence});
    }
    batch.Put(Table::kItems, one.key, one.after.SerializeAsString());
    if (i % group != group - 1) continue;
    const int turn = i / group % 2;
    absl::Duration begin = CpuNow();
    for (const Change& each : changes) {
      sums[turn].OnItemChanged(each.key, each.before ? &*each.before : nullptr, &each.after,
                               ItemCause::kLocal);
    }
    sums[turn].StageChanged();
    costs.digests.push_back(absl::ToDoubleMicroseconds(CpuNow() - begin));
    changes.clear();
    if (turn == 1) {
      if (auto status = elsewhere.Write(); !status.ok()) return status;
    }
    begin = CpuNow();
    if (auto status = batch.Write(); !status.ok()) return status;
    costs.stored[turn].push_back(absl::ToDoubleMicroseconds(CpuNow() - begin));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DigestCost> RunDigestCost(const CoreLoad& load, int group) {
  auto topology = MakeTopology();
  if (!topology.ok()) return topology.status();
  CommitCosts costs;
  if (auto status = TimeCore(load, group, **topology, HoldingPolicy(*topology, 0), costs);
      !status.ok()) {
    return status;
  }
  if (auto status = TimeDigests(load, group, costs); !status.ok()) return status;
  const double extra = Median(costs.stored[0]) - Median(costs.stored[1]);
  DigestCost cost;
  cost.write = absl::Microseconds(Median(costs.write) / group);
  cost.digests = absl::Microseconds((Median(costs.digests) + std::max(0.0, extra)) / group);
  return cost;
}

absl::StatusOr<double> RunItemCopy(const CoreLoad& load) {
  auto from = NewEngine(load.folder + "/from");
  auto to = NewEngine(load.folder + "/to");
  if (!from.ok()) return from.status();
  if (!to.ok()) return to.status();
  internal::v1::StoredItem item;
  item.set_origin(~uint64_t{0});
  item.set_value(std::string(load.value_bytes, 'v'));
  WriteBatch batch;
  for (int i = 0; i < load.entries; ++i) {
    item.set_timestamp(uint64_t{1} << 60);
    item.set_sequence(static_cast<uint64_t>(i) + 1);
    batch.Put(Table::kItems, ItemKey(kNamespace, absl::StrFormat("put%08d", i), ""),
              item.SerializeAsString());
    if (batch.bytes() < kCommitBytes && i + 1 < load.entries) continue;
    auto status = (*from)->Write(batch, KvEngine::Durability::kSynced);
    if (!status.ok()) return status;
    batch.Clear();
  }
  const absl::Time begin = absl::Now();
  std::unique_ptr<KvIterator> it = (*from)->Iterate(Table::kItems);
  for (it->Seek({}); it->Valid(); it->Next()) {
    batch.Put(Table::kItems, std::string(it->key()), std::string(it->value()));
    if (batch.bytes() < (size_t{1} << 20)) continue;
    auto status = (*to)->Write(batch, KvEngine::Durability::kSynced);
    if (!status.ok()) return status;
    batch.Clear();
  }
  if (!it->status().ok()) return it->status();
  auto status = (*to)->Write(batch, KvEngine::Durability::kSynced);
  if (!status.ok()) return status;
  return static_cast<double>(load.entries) / absl::ToDoubleSeconds(absl::Now() - begin);
}

}  // namespace homeport::bench
