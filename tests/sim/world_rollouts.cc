// The topology as it is rolled out, and the regions that join and leave by it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "tests/sim/world.h"

namespace homeport::sim {
namespace {

// How often an operator looks whether the next version can be rolled out.
constexpr Micros kLook = 100 * kMilli;
// How long an operator looks at a replica that is refused before its disk is wiped.
constexpr Micros kRefusedFor = kSecond;

}  // namespace

const Topology& World::TopologyOf(int at) const { return *topologies_[nodes_[at].version]; }

HoldingPolicy World::PolicyOf(int at) const {
  const std::optional<int> region =
      TopologyOf(at).FindRegion(absl::StrCat("r", shape_.region_of[at]));
  HP_CHECK(region.has_value());
  return HoldingPolicy(topologies_[nodes_[at].version], *region);
}

bool World::IsPartial(int at, int name_space) const {
  const SeedView* seeding = nodes_[at].core->view()->seeding.get();
  if (seeding == nullptr) return false;
  const NamespaceSeeding* found = seeding->Find(shape_.namespaces[name_space].name);
  return found != nullptr && found->partial;
}

bool World::ServesReads(int at) const {
  const Node& node = nodes_[at];
  if (!node.running() || node.paused_until > now_ || node.old_disk) return false;
  return !node.join || node.join->phase() != JoinState::Phase::kCatchingUp;
}

bool World::ServesWrites(int at) const {
  const Node& node = nodes_[at];
  if (!ServesReads(at)) return false;
  if (node.join && node.join->phase() != JoinState::Phase::kServing) return false;
  return !shape_.story.versions[node.version].leaving[shape_.region_of[at]];
}

void World::BeginRollouts() {
  if (shape_.story.rollouts.empty()) return;
  Schedule(shape_.story.rollouts[0].at, [this] { TryRollOut(); });
}

bool World::HandedOver(int region) const {
  for (int at = 0; at < size(); ++at) {
    const Node& node = nodes_[at];
    if (shape_.region_of[at] != region) continue;
    if (!node.running() || !shape_.story.versions[node.version].leaving[region]) return false;
    if (!node.operations.empty()) return false;
    const ReplicaView& view = *node.core->view();
    for (int other = 0; other < size(); ++other) {
      if (shape_.region_of[other] == region || !shape_.Lists(other, node.version)) continue;
      if (view.members == nullptr) return false;
      auto known = view.members->find(ReplicaName(shape_.ReplicaNameOf(other)));
      if (known == view.members->end()) return false;
      for (const OriginView& origin : view.origins) {
        if (origin.replica == nullptr || origin.replica->value() != shape_.ReplicaNameOf(at)) {
          continue;
        }
        if (known->second->Of(origin.origin).applied < origin.applied) return false;
      }
    }
  }
  return true;
}

bool World::KnownToHaveLeft(int region) const {
  for (int at = 0; at < size(); ++at) {
    const Node& node = nodes_[at];
    if (shape_.region_of[at] == region) continue;
    if (!node.running()) return false;
    const ReplicaView& view = *node.core->view();
    for (int gone = 0; gone < size(); ++gone) {
      if (shape_.region_of[gone] != region || view.left == nullptr) continue;
      if (!view.left->contains(ReplicaName(shape_.ReplicaNameOf(gone)))) return false;
    }
    if (view.left == nullptr) return false;
  }
  return true;
}

void World::TryRollOut() {
  const Rollout& rollout = shape_.story.rollouts[rollouts_done_];
  const int region = shape_.story.region;
  bool may = now_ >= rollout.at;
  if (rollouts_done_ > 0) {
    const Rollout& before = shape_.story.rollouts[rollouts_done_ - 1];
    for (const Node& node : nodes_) may &= before.reach < 1000 || node.version == before.version;
  }
  switch (rollout.waits) {
    case Rollout::Waits::kForNothing:
      break;
    case Rollout::Waits::kForHandover:
      may = may && HandedOver(region);
      break;
    case Rollout::Waits::kForDeparture:
      may = may && KnownToHaveLeft(region);
      break;
  }
  if (!may) {
    Schedule(now_ + kLook, [this] { TryRollOut(); });
    return;
  }
  trace_->Tell([&] { return absl::StrCat("version ", rollout.version, " is rolled out"); });
  for (int at = 0; at < size(); ++at) {
    if (!random_.Chance(rollout.reach)) continue;
    Schedule(now_ + random_.Between(0, rollout.spread),
             [this, at, version = rollout.version] { TakeVersion(at, version); });
  }
  if (++rollouts_done_ < shape_.story.rollouts.size()) {
    Schedule(now_ + kLook, [this] { TryRollOut(); });
  }
}

void World::TakeVersion(int at, int version) {
  Node& node = nodes_[at];
  if (version <= node.version) return;
  const bool was_listed = shape_.Lists(at, node.version);
  if (!was_listed && shape_.Lists(at, version)) {
    // Processes of a new region are started once the file is everywhere.
    const bool everywhere = std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& other) {
      return other.version >= version ||
             shape_.region_of[&other - nodes_.data()] == shape_.region_of[at];
    });
    if (!everywhere) {
      return Schedule(now_ + kLook, [this, at, version] { TakeVersion(at, version); });
    }
  }
  const std::vector<bool> before = shape_.story.versions[node.version].listed;
  const bool partial =
      shape_.story.versions[node.version].held != shape_.story.versions[version].held;
  node.version = version;
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " has version ", version, " of the topology");
  });
  if (!shape_.Lists(at, version)) {
    // Who takes a region away stops its processes.
    if (node.running()) Crash(at, false, 0);
    if (was_listed) coverage_->Covered(Path::kRegionLeft);
    return;
  }
  if (!was_listed) {
    // With what is on the disk: nothing if the region never was there.
    node.old_disk = node.last_view != nullptr;
    if (node.old_disk) {
      Schedule(now_ + kRefusedFor, [this, at] {
        nodes_[at].old_disk = false;
        LoseDisk(at, std::make_shared<MemoryDisk>());
        nodes_[at].seeded = false;
        RestartLater(at, kRestart);
      });
    }
    return Start(at);
  }
  if (!node.running()) return;
  node.core->SetPolicy(PolicyOf(at));
  node.core->SetMembers(MembersOf(TopologyOf(at)));
  node.acks.SetTopology(TopologyOf(at).fingerprint());
  const ReplicaName self(shape_.ReplicaNameOf(at));
  if (node.join) node.join->SetPeers(PeersToCatchUpWith(TopologyOf(at), self));
  if (partial) {
    for (size_t i = 0; i < shape_.namespaces.size(); ++i) {
      if (IsPartial(at, static_cast<int>(i))) coverage_->Covered(Path::kNamespaceGiven);
    }
    if (shape_.story.kind == RolloutStory::Kind::kTake) coverage_->Covered(Path::kNamespaceTaken);
  }
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    Link& in = LinkOf(other, at);
    EndStream(in, absl::CancelledError("the topology has changed"));
    if (!before[shape_.region_of[other]]) MakeReceiver(in);
    WantConnect(in, random_.Between(0, kReconnect));
    WantPump(LinkOf(at, other), Side::kSender);
  }
  WantCommit(at);
}

void World::MakeReceiver(Link& link) {
  Node& node = nodes_[link.to];
  LinkReceiver::Options options;
  options.cluster = "sim";
  options.self = ReplicaName(shape_.ReplicaNameOf(link.to));
  options.peer = ReplicaName(shape_.ReplicaNameOf(link.from));
  options.credit_bytes = shape_.credit_bytes;
  options.frame_version = node.frame_version;
  link.receiver = std::make_unique<LinkReceiver>(std::move(options));
  CompareInitiator::Options compare;
  compare.interval = absl::Microseconds(shape_.compare_interval);
  link.receiver->EnableComparisons(node.engine.get(), compare);
}

void World::LoadJoin(int at) {
  Node& node = nodes_[at];
  node.join.reset();
  auto phase = LoadJoinPhase(node.raw, "sim", ReplicaName(shape_.ReplicaNameOf(at)),
                             shape_.story.versions[node.version].joining[shape_.region_of[at]]);
  // A full disk: the start that follows meets it too.
  if (!phase.ok() || *phase == JoinState::Phase::kServing) return;
  node.join.emplace(*phase);
  node.join->SetPeers(PeersToCatchUpWith(TopologyOf(at), ReplicaName(shape_.ReplicaNameOf(at))));
}

void World::StepJoin(int at) {
  Node& node = nodes_[at];
  if (!node.join) return;
  const Moment moment = MomentAt(at);
  const JoinState::Phase before = node.join->phase();
  node.join->Update(*node.core->view(), moment.steady);
  // A new replica takes writes once what it holds was found to be what some peer holds.
  for (int from = 0; from < size(); ++from) {
    const Link& link = LinkOf(from, at);
    if (from == at || !shape_.Lists(from, node.version)) continue;
    const v1::LinkStatus status = link.receiver->Status(*node.core->view(), moment.wall);
    if (!status.has_verified_age() || status.records_differ() > 0) continue;
    node.join->OnCompared(moment.steady - absl::Seconds(status.verified_age().seconds()) -
                          absl::Nanoseconds(status.verified_age().nanos()));
  }
  if (node.join->phase() == before) return;
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " joins: ", PhaseName(node.join->phase()));
  });
  if (node.join->phase() == JoinState::Phase::kServing) coverage_->Covered(Path::kJoined);
  // If the disk is full, the next start begins with the phase before.
  (void)StoreJoinPhase(node.raw, node.join->phase());
}

}  // namespace homeport::sim
