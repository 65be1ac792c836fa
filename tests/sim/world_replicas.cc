// Starts, ends and disks of replicas.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/mutants.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"
#include "tests/sim/invariants.h"
#include "tests/sim/world.h"

namespace homeport::sim {

void World::Start(int at) {
  Node& node = nodes_[at];
  if (node.running() || !Listed(at)) return;
  ++node.life;
  // Whoever starts a replica sees to its clock; not always well.
  if (node.offset > 2 * kSecond || node.offset < -2 * kSecond) {
    node.offset = random_.Between(-100, 100) * kMilli;
  }
  if (node.start_offset != 0) node.offset = std::exchange(node.start_offset, 0);
  auto opened = MemoryEngine::Open(node.disk);
  HP_CHECK(opened.ok());
  node.raw = opened->get();
  node.engine = std::make_unique<FaultEngine>(std::move(*opened), node.disk, &node.plan);
  if (shape_.mixed_frames) {
    node.frame_version = static_cast<uint32_t>(random_.Between(1, kFrameVersion));
  }
  LoadJoin(at);
  if (shape_.watch_items) node.engine->WatchItems();
  ReplicaCore::Options options;
  options.cluster = "sim";
  options.replica = ReplicaName(shape_.ReplicaNameOf(at));
  options.clock.drift_max = absl::Microseconds(shape_.drift_max);
  options.request_id_window = absl::Microseconds(shape_.request_window);
  options.apply_max = shape_.apply_max;
  options.forget_max = shape_.forget_max;
  options.retention.log_bytes_max = shape_.log_bytes_max;
  options.conflict_journal_bytes = shape_.journal_bytes;
  options.seeding.step_bytes = shape_.seed_chunk_bytes * 2;
  // Scrambled, so that the order of origins is not the order of starts.
  uint64_t origin = ++origins_ * 0x9e3779b97f4a7c15ull;
  if (HP_MUTANT(kOriginReused) && node.last_view != nullptr) origin = node.last_view->self.value();
  auto core = ReplicaCore::Open(options, node.engine.get(), Origin(origin), MomentAt(at));
  if (!core.ok()) {
    trace_->Tell([&] {
      return absl::StrCat(shape_.ReplicaNameOf(at), " does not start: ", StatusText(core.status()));
    });
    const bool excused =
        absl::IsUnavailable(core.status()) || absl::IsResourceExhausted(core.status());
    if (!excused) {
      return Fail(
          absl::StrCat(shape_.ReplicaNameOf(at), " does not start: ", StatusText(core.status())));
    }
    coverage_->Covered(Path::kCrashInRecovery);
    node.engine.reset();
    node.raw = nullptr;
    RestartLater(at, kRestart);
    return;
  }
  node.core = std::move(*core);
  node.core->SetPolicy(PolicyOf(at));
  node.core->SetMembers(MembersOf(TopologyOf(at)));
  node.puller =
      std::make_unique<PullerChoice>(options.replica, absl::Microseconds(4 * shape_.heartbeat));
  node.guard = std::make_unique<ClockGuard>(absl::Microseconds(shape_.drift_max), false);
  node.acks = RegionAcks();
  node.acks.SetTopology(TopologyOf(at).fingerprint());
  node.started_ahead = std::max<Micros>(0, node.offset - 200 * kMilli);
  history_.At(origin).replica = at;
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " starts as origin ",
                        absl::Hex(origin, absl::kZeroPad16));
  });
  invariants_->AfterCommit(at);
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    Link& in = LinkOf(other, at);
    MakeReceiver(in);
    WantConnect(in, random_.Between(0, kReconnect));
    WantConnect(LinkOf(at, other), random_.Between(0, kReconnect));
  }
  Push(now_ + random_.Between(1, shape_.heartbeat), Kind::kTick, at, node.life);
  WantCommit(at);
}

void World::RestartLater(int at, Micros delay) {
  Push(now_ + delay, Kind::kStart, at, nodes_[at].life);
}

void World::Crash(int at, bool power, size_t keep) {
  EndProcess(at, power, keep);
  // What it had not written, or not synced, may have been all that was left of a lost disk.
  if (disks_lost_ > 0) MarkLost();
}

void World::EndProcess(int at, bool power, size_t keep) {
  Node& node = nodes_[at];
  if (node.running()) {
    trace_->Tell(
        [&] { return absl::StrCat(shape_.ReplicaNameOf(at), power ? " loses power" : " dies"); });
  }
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    EndStream(LinkOf(other, at), absl::UnavailableError("the process ended"));
    EndStream(LinkOf(at, other), absl::UnavailableError("the peer ended"));
    LinkOf(other, at).receiver.reset();
  }
  std::deque<Operation> unanswered = std::exchange(node.operations, {});
  node.peer_work.clear();
  node.wanted.clear();
  node.core.reset();
  node.engine.reset();
  node.raw = nullptr;
  ++node.life;
  node.commit_pending = false;
  if (power) {
    coverage_->Covered(Path::kPowerCut);
    if (node.disk->UnsyncedBatches() > 0 && keep > 0) coverage_->Covered(Path::kTornWrite);
    node.disk->CrashLosingUnsynced(keep);
  } else if (node.disk->UnsyncedBatches() > 0) {
    coverage_->Covered(Path::kTornWrite);
  }
  for (Operation& operation : unanswered) {
    operation.done(absl::UnknownError("the replica ended"), WriteName());
  }
}

void World::LoseDisk(int at, std::shared_ptr<MemoryDisk> disk) {
  EndProcess(at, false, 0);
  Node& node = nodes_[at];
  node.disk = std::move(disk);
  node.last_view = nullptr;
  node.time_floor = 0;
  node.disk_lost = true;
  ++disks_lost_;
  const int lost = MarkLost();
  if (lost > 0) coverage_->Covered(Path::kWritesLost);
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " has another disk; ", lost,
                        " acknowledged writes are on none");
  });
  if (on_disk_lost) on_disk_lost();
}

int World::MarkLost() {
  // What every disk and every copy of one has now, and what waits to be written to one.
  std::vector<std::map<uint64_t, uint64_t>> received(nodes_.size());
  for (int i = 0; i < size(); ++i) {
    Node& other = nodes_[i];
    const auto look = [&received, i](KvEngine* engine) {
      std::unique_ptr<KvIterator> it = engine->Iterate(Table::kMeta, PrefixEnd(kPositionPrefix));
      for (it->Seek(kPositionPrefix); it->Valid(); it->Next()) {
        internal::v1::StoredPosition stored;
        HP_CHECK(stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size())));
        uint64_t& have = received[i][ParsePositionKey(it->key())->value()];
        have = std::max(have, stored.received());
      }
    };
    if (other.raw != nullptr) look(other.raw);
    for (const auto& unused : {other.raw == nullptr ? other.disk : nullptr, other.copy}) {
      if (unused == nullptr) continue;
      auto open = MemoryEngine::Open(unused);
      HP_CHECK(open.ok());
      look(open->get());
    }
    for (const Node::PeerWork& work : other.peer_work) {
      for (const std::string& bytes : work.batch.block.entries()) {
        internal::v1::Entry entry;
        HP_CHECK(entry.ParseFromString(bytes));
        uint64_t& have = received[i][entry.origin()];
        if (entry.sequence() == have + 1) have = entry.sequence();
      }
    }
  }
  const int lost = history_.Lose([&received](uint64_t origin) {
    uint64_t held = 0;
    for (const auto& positions : received) {
      auto found = positions.find(origin);
      if (found != positions.end()) held = std::max(held, found->second);
    }
    return held;
  });
  for (const auto& [origin, of] : history_.origins()) {
    for (const EntryRecord& entry : of.entries) {
      if (!entry.lost || entry.regions < disks_lost_) continue;
      Fail(absl::StrCat("a write that ", entry.regions, " other regions had went with one disk: ",
                        entry.sequence, " of ", absl::Hex(origin, absl::kZeroPad16)));
      return lost;
    }
  }
  writes_lost_ += lost;
  return lost;
}

void World::Tick(int at) {
  Node& node = nodes_[at];
  // What waits for the clock is looked at, and what a watermark asked for is written.
  WantCommit(at);
  const Moment moment = MomentAt(at);
  if (!node.core->HasStaged()) {
    const internal::v1::Watermark own = node.core->MakeWatermark(moment);
    History::OriginHistory& history = history_.At(own.origin());
    if (own.sequence() != history.last) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " makes a watermark of another position"));
    }
    history.promised = std::max<uint64_t>(history.promised, own.timestamp());
    node.time_floor = std::max<uint64_t>(node.time_floor, own.timestamp());
    for (int other = 0; other < size(); ++other) {
      if (other == at) continue;
      Link& link = LinkOf(at, other);
      if (link.sender == nullptr || link.responses.size() >= kUnderWayMax) continue;
      SendResponse(link, link.sender->MakeHeartbeat(*node.core->view(), own, moment.wall));
    }
  }
  StepJoin(at);
  PlanAllRelays(at);
  node.core->PlanTruncation([&](Origin origin) { return node.core->members().MinApplied(origin); },
                            moment);
  const uint64_t closed = node.core->counters().origins_closed;
  if (auto status = node.core->Tend(moment); !status.ok() && !absl::IsUnavailable(status)) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(at), ": ", StatusText(status)));
  }
  if (node.core->counters().origins_closed > closed) coverage_->Covered(Path::kOriginClosed);
  Push(now_ + shape_.heartbeat, Kind::kTick, at, node.life);
}

}  // namespace homeport::sim
