#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/mutants.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/item_merge.h"
#include "storage/model/keys.h"
#include "storage/replication/compare_initiator.h"
#include "storage/replication/seed_planner.h"
#include "tests/sim/invariants.h"

namespace homeport::sim {
namespace {

constexpr Micros kReconnect = 40 * kMilli;
constexpr Micros kRestart = 60 * kMilli;
// Messages that a link may have under way before its sender waits for the network.
constexpr size_t kUnderWayMax = 64;

std::string StatusText(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

World::World(const Shape& shape, Random random, Trace* trace, Coverage* coverage)
    : shape_(shape),
      random_(random),
      trace_(trace),
      coverage_(coverage),
      topology_(shape.MakeTopology()),
      nodes_(shape.replicas()),
      links_(static_cast<size_t>(shape.replicas() * shape.replicas())),
      invariants_(std::make_unique<Invariants>(this)) {
  for (int from = 0; from < size(); ++from) {
    for (int to = 0; to < size(); ++to) {
      LinkOf(from, to).from = from;
      LinkOf(from, to).to = to;
    }
  }
}

World::~World() {
  for (Link& link : links_) link.sender.reset();
  for (Node& node : nodes_) node.core.reset();
}

void World::Fail(std::string what) {
  if (!failure_.empty()) return;
  failure_ = std::move(what);
  trace_->Tell([this] { return absl::StrCat("FAILED: ", failure_); });
}

void World::Push(Micros at, Kind kind, int subject, uint64_t generation) {
  queue_.push({std::max(at, now_), ++order_, kind, subject, generation});
}

void World::Schedule(Micros at, std::function<void()> what) {
  calls_.emplace(order_ + 1, std::move(what));
  Push(at, Kind::kCall, 0, order_ + 1);
}

void World::RunUntil(Micros until) {
  while (failure_.empty() && !queue_.empty() && queue_.top().at <= until) {
    const Event event = queue_.top();
    queue_.pop();
    now_ = event.at;
    trace_->At(now_);
    Handle(event);
    ++events_;
  }
  now_ = std::max(now_, until);
}

void World::Handle(const Event& event) {
  trace_->Mix(static_cast<uint64_t>(event.at) << 8 ^ static_cast<uint64_t>(event.kind) << 4 ^
              static_cast<uint64_t>(event.subject));
  // What stands still is handled when it goes on.
  const auto paused = [this, &event](int at) {
    if (nodes_[at].paused_until <= now_) return false;
    Push(nodes_[at].paused_until, event.kind, event.subject, event.generation);
    return true;
  };
  switch (event.kind) {
    case Kind::kCall: {
      auto call = calls_.extract(event.generation);
      call.mapped()();
      return;
    }
    case Kind::kCommit:
      if (nodes_[event.subject].life != event.generation || paused(event.subject)) return;
      nodes_[event.subject].commit_pending = false;
      return Commit(event.subject);
    case Kind::kTick:
      if (nodes_[event.subject].life != event.generation || paused(event.subject)) return;
      return Tick(event.subject);
    case Kind::kStart:
      if (nodes_[event.subject].life == event.generation) Start(event.subject);
      return;
    case Kind::kConnect: {
      Link& link = links_[event.subject];
      link.connect_pending = false;
      return Connect(link);
    }
    case Kind::kPump: {
      Link& link = links_[event.subject];
      if (link.generation != event.generation || paused(link.from)) return;
      link.pump_pending = false;
      return Pump(link);
    }
    case Kind::kRequest: {
      Link& link = links_[event.subject];
      if (link.generation != event.generation || paused(link.from)) return;
      return TakeRequest(link);
    }
    case Kind::kResponse: {
      Link& link = links_[event.subject];
      if (link.generation != event.generation || paused(link.to)) return;
      return TakeResponse(link);
    }
  }
}

Moment World::MomentAt(int at) const {
  const Node& node = nodes_[at];
  const Micros passed = now_ - node.rate_since;
  const Micros steady = node.steady_then + passed + passed * node.rate / 1'000'000;
  const auto grained = [grain = shape_.clock_grain](Micros time) { return time - time % grain; };
  return {absl::FromUnixSeconds(1'700'000'000) +
              absl::Microseconds(grained(steady + node.offset + 3600 * kSecond)),
          absl::Microseconds(grained(steady)) + absl::Hours(1)};
}

Micros World::Delay(const Link& link) {
  const Micros base = shape_.latency[shape_.region_of[link.from]][shape_.region_of[link.to]];
  return (base + static_cast<Micros>(random_.Below(static_cast<uint64_t>(shape_.jitter) + 1))) *
         link.slow;
}

void World::Begin() {
  for (int at = 0; at < size(); ++at) {
    // Coarse clocks that agree make ties of timestamps.
    if (shape_.clock_grain == 1) {
      nodes_[at].offset = random_.Between(-100 * kMilli, 100 * kMilli);
      nodes_[at].rate = random_.Between(-100, 100);
    }
    Start(at);
  }
}

void World::Start(int at) {
  Node& node = nodes_[at];
  if (node.running()) return;
  ++node.life;
  // Whoever starts a replica sees to its clock; not always well.
  if (node.offset > 2 * kSecond || node.offset < -2 * kSecond) {
    // Who starts that far ahead forgets request ids that much earlier.
    const bool ahead = shape_.request_window > 10 * kSecond && random_.Chance(100);
    node.offset = ahead ? 3 * kSecond : random_.Between(-100, 100) * kMilli;
  }
  auto opened = MemoryEngine::Open(node.disk);
  HP_CHECK(opened.ok());
  node.raw = opened->get();
  node.engine = std::make_unique<FaultEngine>(std::move(*opened), node.disk, &node.plan);
  ReplicaCore::Options options;
  options.cluster = "sim";
  options.replica = ReplicaName(shape_.ReplicaNameOf(at));
  options.clock.drift_max = absl::Microseconds(shape_.drift_max);
  options.request_id_window = absl::Microseconds(shape_.request_window);
  options.apply_max = shape_.apply_max;
  options.forget_max = shape_.forget_max;
  options.retention.log_bytes_max = shape_.log_bytes_max;
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
  node.core->SetPolicy(HoldingPolicy(topology_, shape_.region_of[at]));
  node.core->SetMembers(MembersOf(*topology_));
  history_.At(origin).replica = at;
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " starts as origin ",
                        absl::Hex(origin, absl::kZeroPad16));
  });
  invariants_->AfterCommit(at);
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    Link& in = LinkOf(other, at);
    LinkReceiver::Options link;
    link.cluster = "sim";
    link.self = options.replica;
    link.peer = ReplicaName(shape_.ReplicaNameOf(other));
    link.credit_bytes = shape_.credit_bytes;
    in.receiver = std::make_unique<LinkReceiver>(std::move(link));
    CompareInitiator::Options compare;
    compare.interval = absl::Microseconds(shape_.compare_interval);
    in.receiver->EnableComparisons(node.engine.get(), compare);
    in.receiver->SetShared(SharedNamespaces(*topology_, options.replica, in.receiver->peer()));
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
  Crash(at, false, 0);
  Node& node = nodes_[at];
  node.disk = std::move(disk);
  node.last_view = nullptr;
  node.time_floor = 0;
  node.disk_lost = true;
  // What every disk has now, and what waits to be written to one.
  std::vector<std::map<uint64_t, uint64_t>> received(nodes_.size());
  for (int i = 0; i < size(); ++i) {
    Node& other = nodes_[i];
    std::unique_ptr<KvEngine> opened;
    KvEngine* engine = other.raw;
    if (engine == nullptr) {
      auto open = MemoryEngine::Open(other.disk);
      HP_CHECK(open.ok());
      opened = std::move(*open);
      engine = opened.get();
    }
    std::unique_ptr<KvIterator> it = engine->Iterate(Table::kMeta, PrefixEnd(kPositionPrefix));
    for (it->Seek(kPositionPrefix); it->Valid(); it->Next()) {
      internal::v1::StoredPosition stored;
      HP_CHECK(stored.ParseFromArray(it->value().data(), static_cast<int>(it->value().size())));
      received[i][ParsePositionKey(it->key())->value()] = stored.received();
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
  writes_lost_ += lost;
  if (lost > 0) coverage_->Covered(Path::kWritesLost);
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " has another disk; ", lost,
                        " acknowledged writes are on none");
  });
  if (on_disk_lost) on_disk_lost();
}

void World::Submit(int at, Operation operation) {
  HP_CHECK(nodes_[at].running());
  nodes_[at].operations.push_back(std::move(operation));
  WantCommit(at);
}

void World::WantCommit(int at) {
  Node& node = nodes_[at];
  if (node.commit_pending || !node.running()) return;
  node.commit_pending = true;
  Push(now_ + shape_.sync_delay, Kind::kCommit, at, node.life);
}

std::vector<const EntryRecord*> World::Replaced(const Node& node, int name_space,
                                                const Effect& effect,
                                                const ReplicaView& view) const {
  const auto applied = [&view](uint64_t o) { return view.AppliedOf(Origin(o)).value(); };
  if (shape_.namespaces[name_space].type == internal::v1::ITEM_TYPE_REGISTER) {
    const Expected replaced = history_.ExpectedOf(effect.item, applied);
    if (replaced.entry == nullptr) return {};
    // Of what is cleaned away nothing is seen. Who may not hold it need not have applied it then.
    if (replaced.effect->kind == Effect::Kind::kDelete || replaced.effect->ttl != 0) {
      auto bytes = node.raw->Get(Table::kItems, history_.item(effect.item).stored_key);
      if (bytes.ok() && !bytes->has_value()) return {};
    }
    return {replaced.entry};
  }
  // Additions replace nothing.
  if (effect.kind == Effect::Kind::kDelete) return history_.PartsOf(effect.item, applied).entries;
  std::vector<const EntryRecord*> replaced;
  for (const auto& [entry, at] : history_.item(effect.item).writes) {
    if (entry->sequence > applied(entry->origin)) continue;
    for (const std::string& element : entry->effects[at].added) {
      const auto& removed = effect.removed;
      if (std::find(removed.begin(), removed.end(), element) == removed.end()) continue;
      replaced.push_back(entry);
    }
  }
  return replaced;
}

void World::AddShown(const Node& node, EntryRecord& planned) const {
  if (shape_.namespaces[planned.name_space].type == internal::v1::ITEM_TYPE_REGISTER) return;
  for (Effect& effect : planned.effects) {
    if (effect.kind != Effect::Kind::kDelete && effect.removed.empty()) continue;
    auto bytes = node.raw->Get(Table::kItems, history_.item(effect.item).stored_key);
    internal::v1::StoredItem item;
    if (!bytes.ok() || !bytes->has_value() || !item.ParseFromString(**bytes)) continue;
    ForEachPosition(item, [&](Origin origin, Sequence sequence) {
      effect.shown.Advance(origin.value(), sequence.value());
    });
  }
}

void World::Commit(int at) {
  Node& node = nodes_[at];
  const Moment moment = MomentAt(at);
  const std::shared_ptr<const ReplicaView> view = node.core->view();
  std::deque<Operation> operations = std::exchange(node.operations, {});
  std::deque<Node::PeerWork> work = std::exchange(node.peer_work, {});
  std::vector<std::pair<Operation, WriteName>> staged;
  const CoreCounters before = node.core->counters();
  for (Operation& operation : operations) {
    const Micros ttl = shape_.namespaces[operation.name_space].ttl;
    auto name = node.core->StageWrite(
        {&operation.mutation, &operation.token, absl::Microseconds(ttl)}, moment);
    if (!name.ok()) {
      operation.done(name.status(), WriteName());
      continue;
    }
    if (!name->repeated) {
      EntryRecord* planned = history_.Plan(name->version.origin.value(), name->sequence.value(),
                                           name->version.time.value());
      if (planned == nullptr) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " gave a name twice"));
      }
      planned->past = operation.past;
      planned->effects = operation.effects;
      planned->name_space = operation.name_space;
      planned->request_id = operation.mutation.options().request_id();
      for (const OriginView& origin : view->origins) {
        planned->observed.Advance(origin.origin.value(), origin.applied.value());
      }
      planned->observed.Advance(planned->origin, planned->sequence - 1);
      if (node.seeded) AddShown(node, *planned);
      // What it replaces, its writer has seen too.
      uint64_t seen = operation.seen_time;
      for (const Effect& effect : operation.effects) {
        for (const EntryRecord* replaced : Replaced(node, operation.name_space, effect, *view)) {
          planned->past.Advance(replaced->origin, replaced->sequence);
          seen = std::max(seen, replaced->time);
        }
      }
      if (planned->time <= seen) {
        return Fail(absl::StrCat("a write at ", shape_.ReplicaNameOf(at),
                                 " is not later than what its writer had seen"));
      }
    }
    trace_->Tell([&] {
      std::string text =
          absl::StrCat("  ", name->repeated ? "again " : "",
                       absl::Hex(name->version.origin.value(), absl::kZeroPad16), "/",
                       name->sequence.value(), " at ", name->version.time.value(), ":");
      for (const Effect& effect : operation.effects) {
        const ItemRecord& item = history_.item(effect.item);
        absl::StrAppend(&text, " ", item.name_space_name, "/", item.id, "/", item.key);
        if (effect.kind == Effect::Kind::kPut) absl::StrAppend(&text, "=", effect.value);
        if (effect.kind == Effect::Kind::kDelete) absl::StrAppend(&text, " deleted");
        if (effect.kind == Effect::Kind::kAdd) absl::StrAppend(&text, " add ", effect.delta);
        for (const std::string& element : effect.added) absl::StrAppend(&text, " +", element);
        for (const std::string& element : effect.removed) absl::StrAppend(&text, " -", element);
      }
      return text;
    });
    staged.emplace_back(std::move(operation), *name);
  }
  std::vector<Taken> taken(work.size());
  for (size_t i = 0; i < work.size(); ++i) {
    if (work[i].batch.seed_chunk) node.seeded = true;
    taken[i] = TakeIn(work[i].batch, *node.core, moment);
    if (!work[i].batch.skips.empty() && taken[i].status.ok()) {
      coverage_->Covered(Path::kSkipTaken);
    }
  }
  const absl::Status status = node.core->Commit(moment);
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(at), " commits ", staged.size(), " writes and ",
                        work.size(), " messages", status.ok() ? "" : ": ", StatusText(status));
  });
  if (!status.ok()) {
    if (!absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(at), ": ", StatusText(status)));
    }
    if (absl::IsResourceExhausted(status)) coverage_->Covered(Path::kDiskFull);
    if (node.plan.reads_failed > 0) coverage_->Covered(Path::kReadFailed);
    if (!staged.empty()) coverage_->Covered(Path::kWriteOutcomeUnknown);
    Crash(at, false, 0);
    for (auto& [operation, name] : staged) {
      operation.done(absl::UnknownError(StatusText(status)), name);
    }
    RestartLater(at, kRestart);
    return;
  }
  const CoreCounters& after = node.core->counters();
  if (after.entries_duplicate > before.entries_duplicate) coverage_->Covered(Path::kDuplicate);
  if (after.registers_kept > before.registers_kept) coverage_->Covered(Path::kConflict);
  if (after.clock_refusals > before.clock_refusals) coverage_->Covered(Path::kClockRefused);
  if (after.truncated_applied_by_all > before.truncated_applied_by_all) {
    coverage_->Covered(Path::kLogTruncated);
  }
  if (after.truncated_for_bytes > before.truncated_for_bytes) {
    coverage_->Covered(Path::kLogTruncatedEarly);
  }
  if (after.items_repaired > before.items_repaired) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " found a difference to a peer"));
  }
  if (view->seeding != nullptr && node.core->view()->seeding == nullptr) {
    coverage_->Covered(Path::kSeeded);
  }
  if (after.tombstones_dropped > before.tombstones_dropped) {
    coverage_->Covered(Path::kTombstoneCleaned);
  }
  if (after.expired_dropped > before.expired_dropped) coverage_->Covered(Path::kExpiredCleaned);
  if (after.items_pruned > before.items_pruned) coverage_->Covered(Path::kPruned);
  if (after.origins_closed > before.origins_closed) coverage_->Covered(Path::kOriginClosed);
  if (after.chain_entries > before.chain_entries) coverage_->Covered(Path::kOwnHistoryFetched);
  for (const auto& [origin, block] : node.core->Blocked()) {
    if (block.kind == OriginBlock::Kind::kDependency) coverage_->Covered(Path::kDependencyWaited);
  }
  invariants_->AfterCommit(at);
  if (!failure_.empty()) return;
  for (auto& [operation, name] : staged) {
    EntryRecord* entry = history_.Find(name.version.origin.value(), name.sequence.value());
    if (entry == nullptr || !entry->on_disk) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(at), " answered with a name of no entry"));
    }
    if (!name.repeated) entry->acknowledged = true;
    operation.done(absl::OkStatus(), name);
  }
  for (size_t i = 0; i < work.size(); ++i) {
    Link& link = links_[work[i].link];
    if (link.generation != work[i].generation) continue;
    if (!taken[i].status.ok()) {
      if (!absl::IsUnavailable(taken[i].status)) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " takes what ",
                                 shape_.ReplicaNameOf(link.from),
                                 " sent for nonsense: ", StatusText(taken[i].status)));
      }
      EndStream(link, taken[i].status);
      continue;
    }
    if (!taken[i].seed_refused.ok()) {
      link.receiver->seeds().OnRefused(taken[i].seed_refused, moment.steady);
    }
    bool ended = false;
    for (RefusedOrigin& refused : taken[i].refused) {
      coverage_->Covered(Path::kOriginPaused);
      trace_->Tell([&] {
        return absl::StrCat(shape_.ReplicaNameOf(at), " refuses: ", StatusText(refused.why));
      });
      auto news = link.receiver->OnRefused(refused.origin, std::move(refused.why));
      if (news.ok()) continue;
      EndStream(link, news.status());
      ended = true;
      break;
    }
    if (!ended) {
      link.receiver->OnCommitted(work[i].batch.credit_bytes, taken[i].entries, moment.steady);
    }
  }
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    WantPump(LinkOf(at, other));
    WantPump(LinkOf(other, at));
  }
  if (node.core->HasBacklog()) {
    coverage_->Covered(Path::kBacklog);
    WantCommit(at);
  }
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
  PlanAllRelays(at);
  node.core->PlanTruncation([&](Origin origin) { return node.core->members().MinApplied(origin); },
                            moment);
  if (auto status = node.core->Tend(moment); !status.ok() && !absl::IsUnavailable(status)) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(at), ": ", StatusText(status)));
  }
  Push(now_ + shape_.heartbeat, Kind::kTick, at, node.life);
}

void World::PlanAllRelays(int at) {
  std::vector<RelayCandidate> candidates;
  std::vector<LinkReceiver*> receivers;
  for (int from = 0; from < size(); ++from) {
    Link& link = LinkOf(from, at);
    if (from == at || link.receiver == nullptr) continue;
    const bool down = !link.receiver->established() && now_ - link.down_since > shape_.down_grace;
    candidates.push_back({ReplicaName(shape_.ReplicaNameOf(from)), link.receiver->established(),
                          down, link.receiver.get()});
    receivers.push_back(link.receiver.get());
  }
  const ReplicaView& view = *nodes_[at].core->view();
  const ReplicaName self(shape_.ReplicaNameOf(at));
  auto plan = PlanRelays(view, self, candidates);
  const SeedPlan seeding = PlanSeeding(view, self, *topology_, candidates);
  for (size_t i = 0; i < receivers.size(); ++i) {
    receivers[i]->WantRelay(std::move(plan[i]));
    const bool asked = seeding.ask && seeding.ask->candidate == i;
    receivers[i]->seeds().Want(asked ? std::optional<std::string>(seeding.ask->name_space)
                                     : std::nullopt);
  }
  if (seeding.seed_all) {
    trace_->Tell([&] { return absl::StrCat(self.value(), " has to be seeded"); });
    nodes_[at].core->StageSeedAll(*seeding.seed_all);
    WantCommit(at);
  }
}

void World::WantConnect(Link& link, Micros delay) {
  if (link.connect_pending || link.up || link.from == link.to) return;
  link.connect_pending = true;
  Push(now_ + delay, Kind::kConnect, IndexOf(link), 0);
}

void World::Connect(Link& link) {
  if (link.up || !nodes_[link.from].running() || !nodes_[link.to].running()) return;
  if (link.cuts > 0) return;
  link.up = true;
  ++link.generation;
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(link.to), " connects to ",
                        shape_.ReplicaNameOf(link.from));
  });
  SendRequest(link,
              link.receiver->OnConnected(topology_->fingerprint(), *nodes_[link.to].core->view(),
                                         MomentAt(link.to).wall));
}

void World::EndStream(Link& link, const absl::Status& why) {
  if (!link.up) return;
  trace_->Tell([&] {
    return absl::StrCat("the stream ", shape_.ReplicaNameOf(link.from), " -> ",
                        shape_.ReplicaNameOf(link.to), " ends with ", link.responses.size(),
                        " messages under way: ", StatusText(why));
  });
  if (!link.responses.empty()) coverage_->Covered(Path::kLinkLostUnderWay);
  for (const internal::v1::PullResponse& response : link.responses) {
    if (response.has_seed_chunk()) coverage_->Covered(Path::kSeedInterrupted);
  }
  link.up = false;
  ++link.generation;
  link.pump_pending = false;
  link.sender.reset();
  link.requests.clear();
  link.responses.clear();
  link.granted = 0;
  link.down_since = now_;
  if (link.receiver != nullptr) link.receiver->OnDisconnected(why);
  WantConnect(link, random_.Between(kReconnect / 4, kReconnect));
}

void World::Cut(Link& link) {
  ++link.cuts;
  EndStream(link, absl::UnavailableError("cut"));
}

void World::Uncut(Link& link) {
  if (--link.cuts == 0) WantConnect(link, random_.Between(0, kReconnect));
}

void World::SendRequest(Link& link, internal::v1::PullRequest request) {
  link.granted += static_cast<int64_t>(request.credit_bytes());
  link.requests.push_back(std::move(request));
  link.request_at = std::max(link.request_at, now_ + Delay(link));
  Push(link.request_at, Kind::kRequest, IndexOf(link), link.generation);
}

void World::SendResponse(Link& link, internal::v1::PullResponse response) {
  trace_->Mix(response.batch().block().size());
  link.responses.push_back(std::move(response));
  link.response_at = std::max(link.response_at, now_ + Delay(link));
  Push(link.response_at, Kind::kResponse, IndexOf(link), link.generation);
}

void World::TakeRequest(Link& link) {
  const internal::v1::PullRequest request = std::move(link.requests.front());
  link.requests.pop_front();
  Node& node = nodes_[link.from];
  const ReplicaView& view = *node.core->view();
  if (request.has_hello()) {
    LinkSender::Options options;
    options.cluster = "sim";
    options.self = ReplicaName(shape_.ReplicaNameOf(link.from));
    options.batch_bytes = shape_.batch_bytes;
    options.skips_max = shape_.skips_max;
    options.seeding.chunk_bytes = shape_.seed_chunk_bytes;
    options.seeding.bytes_per_second = shape_.seed_bytes_per_second;
    link.sender = std::make_unique<LinkSender>(std::move(options), node.engine.get());
    if (auto refusal = link.sender->OnHello(request.hello(), topology_, view)) {
      return Fail(absl::StrCat("a link is refused: ", refusal->refusal_detail()));
    }
    internal::v1::PullResponse hello;
    *hello.mutable_hello() = MakeHello("sim", ReplicaName(shape_.ReplicaNameOf(link.from)),
                                       topology_->fingerprint(), view, MomentAt(link.from).wall);
    SendResponse(link, std::move(hello));
  }
  if (link.sender == nullptr) return Fail("a request came before its hello");
  link.sender->OnRequest(request, view);
  WantPump(link);
}

void World::WantPump(Link& link) {
  if (!link.up || link.pump_pending || link.from == link.to) return;
  link.pump_pending = true;
  Push(now_ + shape_.pump_delay, Kind::kPump, IndexOf(link), link.generation);
}

// Both ends of a link say what they have to say.
void World::Pump(Link& link) {
  if (link.receiver->established() && nodes_[link.to].paused_until <= now_) {
    if (auto request = link.receiver->NextRequest(*nodes_[link.to].core->view())) {
      SendRequest(link, std::move(*request));
    }
  }
  if (link.sender == nullptr) return;
  const ReplicaView& view = *nodes_[link.from].core->view();
  while (link.responses.size() < kUnderWayMax) {
    auto next = link.sender->Next(view);
    if (next.ok() && !next->has_value()) {
      next = link.sender->NextSeed(view, MomentAt(link.from).steady);
    }
    if (!next.ok()) {
      if (!absl::IsUnavailable(next.status())) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(link.from),
                                 " can not send: ", StatusText(next.status())));
      }
      coverage_->Covered(Path::kReadFailed);
      return EndStream(link, next.status());
    }
    if (!next->has_value()) {
      if (link.sender->busy() || link.sender->seed_due()) WantPump(link);
      return;
    }
    internal::v1::PullResponse& response = **next;
    if (response.has_batch()) {
      // One message may go over what was granted, none may follow it.
      if (link.granted <= 0) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(link.from), " sends without credit"));
      }
      link.granted -= static_cast<int64_t>(response.batch().block().size());
      if (link.granted <= 0) coverage_->Covered(Path::kCreditSpent);
    }
    SendResponse(link, std::move(response));
  }
  WantPump(link);
}

void World::TakeResponse(Link& link) {
  const internal::v1::PullResponse response = std::move(link.responses.front());
  link.responses.pop_front();
  Node& node = nodes_[link.to];
  const Moment moment = MomentAt(link.to);
  if (auto status = link.receiver->OnResponse(response, moment.steady); !status.ok()) {
    return Fail(absl::StrCat("a link ends: ", StatusText(status)));
  }
  if (!response.skips().empty() && history_.ReplicaOf(response.skips(0).origin()) != link.from) {
    coverage_->Covered(Path::kSkipRelayed);
  }
  auto batch = UnpackResponse(link.receiver->peer(), response);
  if (!batch.ok()) return Fail(absl::StrCat("a batch: ", StatusText(batch.status())));
  batch->repairs = link.receiver->TakeRepairs();
  if (!batch->repairs.empty()) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " differs from ",
                             shape_.ReplicaNameOf(link.from), ": a comparison found ",
                             batch->repairs.size(), " items"));
  }
  batch->peer_start = link.receiver->peer_start();
  if (response.has_compare()) coverage_->Covered(Path::kCompared);
  if (batch->HasEntries()) {
    invariants_->OnFrame(link.to, *batch);
    if (!failure_.empty()) return;
    for (const std::string& bytes : batch->block.entries()) {
      if (coverage_->Has(Path::kRelayed)) break;
      internal::v1::Entry entry;
      HP_CHECK(entry.ParseFromString(bytes));
      if (history_.ReplicaOf(entry.origin()) != link.from) coverage_->Covered(Path::kRelayed);
    }
  }
  node.peer_work.push_back({IndexOf(link), link.generation, std::move(*batch)});
  WantCommit(link.to);
}

void World::Begin(const Fault& fault) {
  trace_->Tell([&] { return absl::StrCat("FAULT ", fault.Describe(shape_)); });
  Node& node = nodes_[fault.a];
  switch (fault.kind) {
    case Fault::Kind::kCutBoth:
      Cut(LinkOf(fault.b, fault.a));
      [[fallthrough]];
    case Fault::Kind::kCutOneWay:
      Cut(LinkOf(fault.a, fault.b));
      return;
    case Fault::Kind::kFlap:
      for (Micros at = 0; at < fault.duration; at += 70 * kMilli) {
        Schedule(now_ + at, [this, fault] {
          EndStream(LinkOf(fault.a, fault.b), absl::UnavailableError("flap"));
          EndStream(LinkOf(fault.b, fault.a), absl::UnavailableError("flap"));
        });
      }
      return;
    case Fault::Kind::kIsolate:
      for (Link& link : links_) {
        if (link.from == link.to) continue;
        const bool from = shape_.region_of[link.from] == fault.a;
        if (from != (shape_.region_of[link.to] == fault.a)) Cut(link);
      }
      return;
    case Fault::Kind::kSlow:
      LinkOf(fault.a, fault.b).slow *= fault.amount;
      return;
    case Fault::Kind::kBreakStreams:
      for (int other = 0; other < size(); ++other) {
        EndStream(LinkOf(fault.a, other), absl::UnavailableError("broken"));
        EndStream(LinkOf(other, fault.a), absl::UnavailableError("broken"));
      }
      return;
    case Fault::Kind::kCrash:
      if (!node.running()) return;
      Crash(fault.a, false, 0);
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kPowerCut:
      if (!node.running()) return;
      Crash(fault.a, true, fault.keep ? static_cast<size_t>(fault.amount) : 0);
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kCrashInRecovery:
      if (!node.running()) return;
      Crash(fault.a, fault.keep, 0);
      node.plan.fate = fault.keep ? MemoryDisk::Fate::kKept : MemoryDisk::Fate::kLost;
      node.plan.writes_left = 0;
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kWipeDisk:
      LoseDisk(fault.a, std::make_shared<MemoryDisk>());
      node.seeded = false;
      coverage_->Covered(Path::kDiskWiped);
      return RestartLater(fault.a, fault.duration);
    case Fault::Kind::kRestoreDisk:
      if (!node.running()) return;
      {
        const std::string name = absl::StrCat("copy", ++copies_);
        HP_CHECK(node.raw->Checkpoint(name).ok());
        node.copy = node.disk->CheckpointAt(name);
      }
      return;
    case Fault::Kind::kDiskFull:
      node.disk->SetCapacity(node.running() ? node.raw->DiskBytes() + fault.amount : 0);
      return;
    case Fault::Kind::kWriteError:
      node.plan.fate = fault.keep ? MemoryDisk::Fate::kKept : MemoryDisk::Fate::kLost;
      node.plan.writes_left = fault.amount;
      return;
    case Fault::Kind::kReadError:
      node.plan.reads_left = fault.amount;
      return;
    case Fault::Kind::kClockJump:
      node.offset += fault.amount;
      return;
    case Fault::Kind::kClockDrift:
    case Fault::Kind::kPause:
      if (fault.kind == Fault::Kind::kPause) {
        node.paused_until = std::max(node.paused_until, now_ + fault.duration);
        coverage_->Covered(Path::kPauseOutlived);
        return;
      }
      const Micros passed = now_ - node.rate_since;
      node.steady_then += passed + passed * node.rate / 1'000'000;
      node.rate_since = now_;
      node.rate = fault.amount;
      return;
  }
}

void World::End(const Fault& fault) {
  Node& node = nodes_[fault.a];
  switch (fault.kind) {
    case Fault::Kind::kCutBoth:
      Uncut(LinkOf(fault.b, fault.a));
      [[fallthrough]];
    case Fault::Kind::kCutOneWay:
      Uncut(LinkOf(fault.a, fault.b));
      return;
    case Fault::Kind::kIsolate:
      for (Link& link : links_) {
        if (link.from == link.to) continue;
        const bool from = shape_.region_of[link.from] == fault.a;
        if (from != (shape_.region_of[link.to] == fault.a)) Uncut(link);
      }
      return;
    case Fault::Kind::kSlow:
      LinkOf(fault.a, fault.b).slow /= fault.amount;
      return;
    case Fault::Kind::kRestoreDisk:
      if (node.copy == nullptr) return;
      LoseDisk(fault.a, std::exchange(node.copy, nullptr));
      coverage_->Covered(Path::kDiskRestored);
      return RestartLater(fault.a, kRestart);
    case Fault::Kind::kDiskFull:
      node.disk->SetCapacity(std::nullopt);
      return;
    default:
      return;
  }
}

void World::HealAll() {
  trace_->Tell([] { return std::string("all faults stop"); });
  for (int at = 0; at < size(); ++at) {
    Node& node = nodes_[at];
    node.plan.writes_left = -1;
    node.plan.reads_left = -1;
    node.disk->SetCapacity(std::nullopt);
    node.offset = 0;
    if (!node.running()) Start(at);
  }
  for (Link& link : links_) {
    link.cuts = 0;
    link.slow = 1;
    WantConnect(link, random_.Between(0, kReconnect));
  }
}

bool World::Converged() {
  const ReplicaView* first = nullptr;
  for (Node& node : nodes_) {
    if (!node.running() || node.paused_until > now_) return false;
    if (!node.operations.empty()) return false;
    const ReplicaView& view = *node.core->view();
    if (first == nullptr) first = &view;
    if (view.origins.size() != first->origins.size()) return false;
    for (size_t i = 0; i < view.origins.size(); ++i) {
      const OriginView& a = view.origins[i];
      const OriginView& b = first->origins[i];
      if (a.origin != b.origin || a.applied != a.received || a.applied != b.applied) return false;
    }
  }
  converged_ = true;
  invariants_->CheckConverged();
  return true;
}

}  // namespace homeport::sim
