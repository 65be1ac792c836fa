// A replica core in memory that a test feeds with entries of other origins by hand.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/topology/topology.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/model/entry_codec.h"
#include "storage/replication/replica_core.h"

namespace homeport {

// Regions r0, r1, ... with a replica "a" each. Namespaces by name, with the regions that hold them;
// none: all.
inline std::shared_ptr<const Topology> TopologyOf(
    const std::string& cluster, int regions,
    const std::map<std::string, std::vector<std::string>>& namespaces) {
  internal::v1::Topology proto;
  proto.set_cluster(cluster);
  for (int i = 0; i < regions; ++i) {
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
  for (const auto& [name, held_by] : namespaces) {
    internal::v1::Namespace* added = proto.add_namespaces();
    added->set_name(name);
    for (const std::string& region : held_by) added->add_regions(region);
  }
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

// This is r0/a with origin 1, one of three regions. "all" is held everywhere, "elsewhere" in r1
// only.
class CoreFixture : public testing::Test {
 protected:
  CoreFixture() { Open(Origin(1)); }

  // Opens the replica on its disk, which may be open.
  void Open(Origin origin) {
    core_.reset();
    engine_.reset();
    auto engine = MemoryEngine::Open(disk_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    ReplicaCore::Options options;
    options.cluster = "core";
    options.replica = ReplicaName("r0/a");
    options.retention = limits_;
    auto core = ReplicaCore::Open(std::move(options), engine_.get(), origin, now_);
    ASSERT_TRUE(core.ok()) << core.status();
    core_ = *std::move(core);
    core_->SetPolicy(HoldingPolicy(topology_, 0));
  }
  void Advance(absl::Duration by) {
    now_.wall += by;
    now_.steady += by;
  }
  uint64_t Ticks(uint64_t sequence) const { return FromWallTime(now_.wall).value() + sequence; }
  // An entry by which a start of the replica begins, or says something later.
  internal::v1::Entry Chain(Origin origin, const std::string& replica,
                            uint64_t sequence = 1) const {
    internal::v1::Entry entry;
    entry.set_origin(origin.value());
    entry.set_sequence(sequence);
    entry.set_timestamp(Ticks(sequence));
    entry.mutable_chain()->set_replica(replica);
    return entry;
  }
  // One that writes item "" of record "id".
  internal::v1::Entry Write(Origin origin, uint64_t sequence, const std::string& value = "v",
                            const std::string& name_space = "all") const {
    internal::v1::Entry entry;
    entry.set_origin(origin.value());
    entry.set_sequence(sequence);
    entry.set_timestamp(Ticks(sequence));
    internal::v1::EntryPart part;
    part.mutable_change_class()->set_namespace_(name_space);
    part.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
    part.set_record_id("id");
    part.add_changes()->set_value(value);
    AddPart(part, entry);
    return entry;
  }
  absl::Status Stage(const internal::v1::Entry& entry) {
    return core_->StageEntry(entry.SerializeAsString());
  }
  void Commit() {
    const absl::Status status = core_->Commit(now_);
    ASSERT_TRUE(status.ok()) << status;
  }
  // Stages and commits.
  void Take(const internal::v1::Entry& entry) {
    const absl::Status status = Stage(entry);
    ASSERT_TRUE(status.ok()) << status;
    Commit();
  }

  std::shared_ptr<const Topology> topology_ =
      TopologyOf("core", 3, {{"all", {}}, {"elsewhere", {"r1"}}});
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  RetentionLimits limits_;
  Moment now_{absl::FromUnixSeconds(1'700'000'000), absl::ZeroDuration()};
  std::unique_ptr<KvEngine> engine_;
  std::unique_ptr<ReplicaCore> core_;
};

}  // namespace homeport
