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
    if (from == at || link.receiver == nullptr) continue;
    const bool down = !link.receiver->established() && now_ - link.down_since > shape_.down_grace;
    candidates.push_back({ReplicaName(shape_.ReplicaNameOf(from)), link.receiver->established(),
                          down, link.receiver.get()});
    receivers.push_back(link.receiver.get());
  }
  const ReplicaView& view = *nodes_[at].core->view();
  const ReplicaName self(shape_.ReplicaNameOf(at));
  RelayPlan plan = PlanRelays(view, self, *topology_, candidates);
  const SeedPlan seeding = PlanSeeding(view, self, *topology_, candidates);
  for (size_t i = 0; i < receivers.size(); ++i) {
    receivers[i]->WantRelay(std::move(plan.relays[i]));
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
  link.pump_pending = link.receiver_stirred = link.sender_stirred = false;
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
  WantPump(link, Side::kSender);
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
      if (link.sender->busy() || link.sender->seed_due()) WantPump(link, Side::kSender);
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
  WantPump(link, Side::kSender);
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
  const auto wrong = std::find_if(
      batch->repairs.begin(), batch->repairs.end(),
      [&](const Repair& r) { return !invariants_->RestsOnLost(link.to, r.item_key, r.item); });
  if (wrong != batch->repairs.end()) {
    return Fail(absl::StrCat(shape_.ReplicaNameOf(link.to), " differs from ",
                             shape_.ReplicaNameOf(link.from), ": a comparison found ",
                             batch->repairs.size(), " items"));
  }
  node.repairs += batch->repairs.size();
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

}  // namespace homeport::sim
