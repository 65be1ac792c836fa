// Streams between replicas.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "storage/replication/seed_planner.h"
#include "tests/sim/invariants.h"
#include "tests/sim/world.h"

namespace homeport::sim {
namespace {

// Of all the faults of a link together. What is under way when they end still takes that long.
constexpr int64_t kSlowMax = 40;

}  // namespace

Micros World::Delay(const Link& link) {
  const Micros base = shape_.latency[shape_.region_of[link.from]][shape_.region_of[link.to]];
  return (base + static_cast<Micros>(random_.Below(static_cast<uint64_t>(shape_.jitter) + 1))) *
         std::min(link.slow, kSlowMax);
}

void World::PlanAllRelays(int at) {
  std::vector<RelayCandidate> candidates;
  std::vector<LinkReceiver*> receivers;
  for (int from = 0; from < size(); ++from) {
    Link& link = LinkOf(from, at);
    if (from == at || !shape_.Lists(from, nodes_[at].version)) continue;
    const bool down = !link.receiver->established() && now_ - link.down_since > shape_.down_grace;
    candidates.push_back({ReplicaName(shape_.ReplicaNameOf(from)), link.receiver->established(),
                          down, link.receiver.get()});
    receivers.push_back(link.receiver.get());
  }
  ChoosePullers(at, candidates);
  const ReplicaView& view = *nodes_[at].core->view();
  const ReplicaName self(shape_.ReplicaNameOf(at));
  RelayPlan plan = PlanRelays(view, self, TopologyOf(at), candidates);
  const SeedPlan seeding = PlanSeeding(view, self, TopologyOf(at), candidates);
  for (size_t i = 0; i < receivers.size(); ++i) {
    receivers[i]->WantRelay(std::move(plan.relays[i]));
    if (!plan.waits[i].empty()) coverage_->Covered(Path::kOriginWaited);
    receivers[i]->Waits(std::move(plan.waits[i]));
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
  if (link.cuts > 0 || !shape_.Lists(link.from, nodes_[link.to].version)) return;
  link.up = true;
  ++link.generation;
  trace_->Tell([&] {
    return absl::StrCat(shape_.ReplicaNameOf(link.to), " connects to ",
                        shape_.ReplicaNameOf(link.from));
  });
  link.hello_sent = ClockReading(link.to);
  link.hello_sent_at = now_;
  const Topology& topology = TopologyOf(link.to);
  link.receiver->SetShared(SharedNamespaces(topology, ReplicaName(shape_.ReplicaNameOf(link.to)),
                                            link.receiver->peer()));
  SendRequest(link,
              link.receiver->OnConnected(topology.fingerprint(), *nodes_[link.to].core->view(),
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
  link.pump_pending = link.receiver_stirred = link.sender_stirred = false;
  link.sender.reset();
  link.requests.clear();
  link.responses.clear();
  link.granted = link.uncommitted = 0;
  link.repeated = false;
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
  if (link.repeats > 0 && (response.has_batch() || response.skips_size() > 0) &&
      random_.Chance(300)) {
    coverage_->Covered(Path::kRepeated);
    link.repeated = true;
    // At once, or behind what follows.
    Schedule(now_ + (random_.Chance(500) ? 0 : random_.Between(0, 300 * kMilli)),
             [this, at = IndexOf(link), generation = link.generation, response] {
               if (links_[at].generation == generation) Deliver(links_[at], response);
             });
  }
  Deliver(link, std::move(response));
}

void World::Deliver(Link& link, internal::v1::PullResponse response) {
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
    options.frame_version = node.frame_version;
    if (request.hello().frame_version() != node.frame_version) {
      coverage_->Covered(Path::kFramesMixed);
    }
    options.seeding.chunk_bytes = shape_.seed_chunk_bytes;
    options.seeding.bytes_per_second = shape_.seed_bytes_per_second;
    link.sender = std::make_unique<LinkSender>(std::move(options), node.engine.get());
    link.version_first = link.version = node.version;
    if (auto refusal = link.sender->OnHello(request.hello(), topologies_[node.version], view)) {
      return Refused(link, refusal->refusal_detail());
    }
    // A new replica of the same region never heard that it has left.
    const bool knows = shape_.region_of[link.from] != shape_.story.region;
    if (knows && nodes_[link.to].old_disk && shape_.Lists(link.to, node.version)) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(link.from), " lets ",
                               shape_.ReplicaNameOf(link.to),
                               " in, which has left and has its old disk"));
    }
    if (request.hello().topology_fingerprint() != topologies_[node.version]->fingerprint()) {
      coverage_->Covered(Path::kTopologiesDiffered);
    }
    internal::v1::PullResponse hello;
    *hello.mutable_hello() = MakeHello("sim", ReplicaName(shape_.ReplicaNameOf(link.from)),
                                       topologies_[node.version]->fingerprint(), view,
                                       MomentAt(link.from).wall, node.frame_version);
    SendResponse(link, std::move(hello));
  }
  if (link.sender == nullptr) return Fail("a request came before its hello");
  if (request.has_hello()) node.acks.OnHello(request.hello());
  node.acks.OnAcknowledged(ReplicaName(shape_.ReplicaNameOf(link.to)), request.acknowledged());
  AnswerWanted(link.from);
  link.sender->OnRequest(request, view);
  WantPump(link, Side::kSender);
}

void World::Refused(Link& link, const std::string& why) {
  const bool left = nodes_[link.to].old_disk || nodes_[link.from].old_disk;
  // While a version is rolled out, not everybody knows of everybody.
  const bool unknown = !shape_.Lists(link.to, nodes_[link.from].version);
  if (!left && !unknown) return Fail(absl::StrCat("a link is refused: ", why));
  if (left) coverage_->Covered(Path::kOldDiskRefused);
  EndStream(link, absl::FailedPreconditionError(why));
}

void World::WantPump(Link& link, Side side) {
  if (!link.up || link.from == link.to) return;
  (side == Side::kSender ? link.sender_stirred : link.receiver_stirred) = true;
  if (link.pump_pending) return;
  link.pump_pending = true;
  Push(now_ + shape_.pump_delay, Kind::kPump, IndexOf(link), link.generation);
}

// Both ends of a link say what they have to say.
void World::Pump(Link& link) {
  const bool asks = std::exchange(link.receiver_stirred, false);
  const bool sends = std::exchange(link.sender_stirred, false);
  if (asks && link.receiver->established() && nodes_[link.to].paused_until <= now_) {
    if (auto request = link.receiver->NextRequest(*nodes_[link.to].core->view())) {
      SendRequest(link, std::move(*request));
    }
  }
  if (!sends || link.sender == nullptr) return;
  if (const int version = nodes_[link.from].version; version != link.version) {
    link.version = version;
    link.sender->OnTopology(topologies_[version]);
  }
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
      if (link.sender->busy()) WantPump(link, Side::kSender);
      return;
    }
    internal::v1::PullResponse& response = **next;
    if (response.has_batch() || response.has_seed_chunk()) {
      // One message may go over what was granted, none may follow it.
      if (link.granted <= 0) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(link.from), " sends without credit"));
      }
      if (!link.repeated && link.uncommitted >= static_cast<int64_t>(shape_.credit_bytes)) {
        return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " grants ",
                                 shape_.ReplicaNameOf(link.from),
                                 " more than it may: ", link.uncommitted, " bytes are under way"));
      }
      const auto bytes = static_cast<int64_t>(response.batch().block().size() +
                                              response.seed_chunk().block().size());
      link.granted -= bytes;
      link.uncommitted += bytes;
      if (link.granted <= 0) coverage_->Covered(Path::kCreditSpent);
    }
    SendResponse(link, std::move(response));
  }
  WantPump(link, Side::kSender);
}

void World::TakeResponse(Link& link) {
  const internal::v1::PullResponse response = std::move(link.responses.front());
  link.responses.pop_front();
  Node& node = nodes_[link.to];
  const Moment moment = MomentAt(link.to);
  if (auto status = link.receiver->OnResponse(response, moment.steady); !status.ok()) {
    return Refused(link, StatusText(status));
  }
  if (response.has_hello()) {
    if (nodes_[link.from].old_disk && shape_.region_of[link.to] != shape_.story.region) {
      return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " pulls from ",
                               shape_.ReplicaNameOf(link.from),
                               ", which has left and has its old disk"));
    }
    if (node.join) node.join->OnPeer(response.hello(), moment.steady);
  }
  ObserveClock(link, response);
  for (const internal::v1::MemberReport& report : response.heartbeat().members()) {
    node.acks.OnMemberReport(report);
  }
  if (response.has_heartbeat()) AnswerWanted(link.to);
  if (!response.skips().empty() && history_.ReplicaOf(response.skips(0).origin()) != link.from) {
    coverage_->Covered(Path::kSkipRelayed);
  }
  auto batch = UnpackResponse(link.receiver->peer(), response);
  if (!batch.ok()) return Fail(absl::StrCat("a batch: ", StatusText(batch.status())));
  batch->repairs = link.receiver->TakeRepairs();
  const auto wrong = std::find_if(
      batch->repairs.begin(), batch->repairs.end(),
      [&](const Repair& r) { return !invariants_->RestsOnLost(link.to, r.item_key, r.item); });
  if (wrong != batch->repairs.end() && damaged_at_ == -1) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " differs from ",
                             shape_.ReplicaNameOf(link.from), ": a comparison found ",
                             batch->repairs.size(), " items"));
  }
  node.repairs += batch->repairs.size();
  batch->peer_start = link.receiver->peer_start();
  if (response.has_compare()) coverage_->Covered(Path::kCompared);
  if (batch->HasEntries()) {
    invariants_->OnFrame(link, *batch);
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

}  // namespace homeport::sim
