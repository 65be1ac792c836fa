#include "tests/fuzz/replica_bed.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "storage/replication/intake.h"
#include "storage/replication/member_view.h"
#include "storage/replication/seed_planner.h"

namespace homeport::fuzz {

const std::shared_ptr<const Topology>& BedTopology() {
  static const std::shared_ptr<const Topology>& topology = *[] {
    internal::v1::Topology proto;
    proto.set_cluster(kBedCluster);
    for (int i = 0; i < 3; ++i) {
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
    proto.add_namespaces()->set_name("all");
    internal::v1::Namespace* elsewhere = proto.add_namespaces();
    elsewhere->set_name("elsewhere");
    elsewhere->add_regions("r1");
    auto created = Topology::Create(proto);
    HP_CHECK(created.ok());
    return new std::shared_ptr<const Topology>(*std::move(created));
  }();
  return topology;
}

ReplicaBed::ReplicaBed(int region)
    : region_(region),
      now_{absl::FromUnixSeconds(1'700'000'000), absl::Hours(1)},
      disk_(std::make_shared<MemoryDisk>()) {
  HP_CHECK(Open(Origin(region + 1)).ok());
  Fill();
}

ReplicaName ReplicaBed::name() const { return ReplicaName(absl::StrCat("r", region_, "/a")); }

absl::Status ReplicaBed::Open(Origin origin) {
  core_.reset();
  engine_.reset();
  auto engine = MemoryEngine::Open(disk_);
  if (!engine.ok()) return engine.status();
  engine_ = *std::move(engine);
  ReplicaCore::Options options;
  options.cluster = kBedCluster;
  options.replica = name();
  auto core = ReplicaCore::Open(std::move(options), engine_.get(), origin, now_);
  if (!core.ok()) return core.status();
  core_ = *std::move(core);
  core_->SetPolicy(HoldingPolicy(BedTopology(), region_));
  core_->SetMembers(MembersOf(*BedTopology()));
  return absl::OkStatus();
}

absl::Status ReplicaBed::Reopen() {
  Advance(absl::Seconds(1));
  return Open(Origin(100 + region_));
}

void ReplicaBed::Advance(absl::Duration by) {
  now_.wall += by;
  now_.steady += by;
}

void ReplicaBed::Mutate(const v1::MutateRequest& mutation) {
  SessionToken token;
  HP_CHECK(core_->StageWrite({&mutation, &token}, now_).ok());
  HP_CHECK(core_->Commit(now_).ok());
}

void ReplicaBed::Put(const std::string& id, const std::string& value) {
  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  mutation.set_id(id);
  mutation.add_changes()->set_put(value);
  Mutate(mutation);
}

void ReplicaBed::Fill() {
  Put("id", absl::StrCat("value of ", region_));
  v1::MutateRequest mutation;
  mutation.set_namespace_("all");
  mutation.set_id("gone");
  mutation.add_changes()->set_delete_(true);
  Mutate(mutation);
  mutation.set_id("short");
  mutation.mutable_changes(0)->set_put("lived");
  mutation.mutable_changes(0)->mutable_ttl()->set_seconds(1);
  mutation.mutable_options()->set_request_id("6f1cbb1e-7f3c-4c4e-9f56-0a3f0a6f5f10");
  Mutate(mutation);
  mutation.Clear();
  mutation.set_namespace_("all");
  mutation.set_id("typed");
  mutation.add_changes()->set_key("n");
  mutation.mutable_changes(0)->set_add(3);
  mutation.add_changes()->set_key("s");
  mutation.mutable_changes(1)->mutable_set()->add_add("one");
  mutation.mutable_changes(1)->mutable_set()->add_add("two");
  Mutate(mutation);
  mutation.mutable_changes(1)->mutable_set()->clear_add();
  mutation.mutable_changes(1)->mutable_set()->add_remove("one");
  Mutate(mutation);
}

BedReceiver::BedReceiver(ReplicaBed& bed, ReplicaName peer, bool seeded)
    : bed_(bed), receiver_({kBedCluster, bed.name(), std::move(peer)}) {
  CompareInitiator::Options compare;
  compare.interval = absl::Milliseconds(100);
  receiver_.EnableComparisons(&bed.engine(), compare);
  receiver_.SetShared(SharedNamespaces(*BedTopology(), bed.name(), receiver_.peer()));
  if (seeded) {
    bed.core().StageSeedAll({"all"});
    HP_CHECK(bed.core().Commit(bed.now()).ok());
  }
  hello_ = receiver_.OnConnected(BedTopology()->fingerprint(), *bed.core().view(), bed.now().wall);
}

std::optional<internal::v1::PullRequest> BedReceiver::NextRequest() {
  const ReplicaView& view = *bed_.core().view();
  const SeedPlan plan =
      PlanSeeding(view, bed_.name(), *BedTopology(),
                  {{receiver_.peer(), receiver_.established(), false, &receiver_}});
  if (plan.ask) {
    receiver_.seeds().Want(plan.ask->name_space);
  } else {
    receiver_.seeds().Want(std::nullopt);
  }
  return receiver_.NextRequest(view);
}

absl::Status BedReceiver::Take(const internal::v1::PullResponse& response) {
  const SteadyTime now = bed_.now().steady;
  if (auto status = receiver_.OnResponse(response, now); !status.ok()) return status;
  auto batch = UnpackResponse(receiver_.peer(), response);
  if (!batch.ok()) return batch.status();
  batch->repairs = receiver_.TakeRepairs();
  batch->peer_start = receiver_.peer_start();
  Taken taken = TakeIn(*batch, bed_.core(), bed_.now());
  HP_CHECK(bed_.core().Commit(bed_.now()).ok());
  if (!taken.status.ok()) return taken.status;
  for (RefusedOrigin& refused : taken.refused) {
    auto news = receiver_.OnRefused(refused.origin, std::move(refused.why));
    if (!news.ok()) return news.status();
  }
  for (const Origin origin : taken.full) receiver_.OnFull(origin);
  if (!taken.seed_refused.ok()) receiver_.seeds().OnRefused(taken.seed_refused, now);
  receiver_.OnCommitted(batch->credit_bytes, taken.entries, now);
  return absl::OkStatus();
}

}  // namespace homeport::fuzz
