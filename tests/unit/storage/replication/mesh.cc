#include "tests/unit/storage/replication/mesh.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "homeport/internal/v1/stored.pb.h"
#include "storage/model/keys.h"
#include "storage/replication/intake.h"
#include "storage/replication/record_reader.h"

namespace homeport {
namespace {

std::shared_ptr<const Topology> MakeTopology(int size, const std::vector<int>& some_regions,
                                             const Mesh::Namespaces& more,
                                             const std::set<int>* listed = nullptr) {
  internal::v1::Topology proto;
  proto.set_cluster("mesh");
  for (int i = 0; i < size; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(i);
    region->set_longitude(i);
    region->add_gateways(absl::StrCat("127.0.0.1:", 1000 + i));
    if (listed != nullptr && !listed->contains(i)) continue;
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:", 2000 + i));
  }
  proto.add_namespaces()->set_name("all");
  internal::v1::Namespace* some = proto.add_namespaces();
  some->set_name("some");
  for (const int region : some_regions) some->add_regions(absl::StrCat("r", region));
  for (const auto& [name, regions] : more) {
    internal::v1::Namespace* added = proto.add_namespaces();
    added->set_name(name);
    for (const int region : regions) added->add_regions(absl::StrCat("r", region));
  }
  auto topology = Topology::Create(proto);
  HP_CHECK(topology.ok());
  return *topology;
}

}  // namespace

Mesh::Mesh(int size, Namespaces more)
    : more_(std::move(more)), topology_(MakeTopology(size, {0, 1}, more_)), nodes_(size) {
  for (int from = 0; from < size; ++from) {
    for (int to = 0; to < size; ++to) {
      if (from != to) links_[{from, to}] = std::make_unique<Link>();
    }
  }
  for (int i = 0; i < size; ++i) Start(i);
}

void Mesh::Start(int at) { HP_CHECK(TryStart(at)); }

bool Mesh::TryStart(int at) {
  Node& node = nodes_[at];
  node.failed = false;
  auto engine = MemoryEngine::Open(node.disk);
  HP_CHECK(engine.ok());
  node.engine = std::move(*engine);
  ReplicaCore::Options options;
  options.cluster = "mesh";
  options.replica = NameOf(at);
  options.seeding = seed_receiver_;
  options.joining_streams = joining_;
  // Scrambled, so that the order of origins is not the order of starts.
  const Origin origin(++origins_ * 0x9e3779b97f4a7c15ull);
  auto core = ReplicaCore::Open(options, node.engine.get(), origin, Now(at));
  if (!core.ok()) {
    node.engine.reset();
    return false;
  }
  node.core = std::move(*core);
  node.core->SetPolicy(HoldingPolicy(TopologyOf(at), at));
  node.core->SetMembers(MembersOf(*topology_));
  return true;
}

void Mesh::Crash(int at, bool power) {
  for (int other = 0; other < size(); ++other) {
    if (other == at) continue;
    Cut(at, other);
    Cut(other, at);
  }
  Node& node = nodes_[at];
  node.core.reset();
  node.engine.reset();
  if (power) node.disk->CrashLosingUnsynced();
}

void Mesh::WipeDisk(int at) {
  HP_CHECK(!running(at));
  nodes_[at].disk = std::make_shared<MemoryDisk>();
}

void Mesh::CopyDisk(int at) {
  const std::string name = absl::StrCat("copy", ++copies_);
  HP_CHECK(nodes_[at].engine->Checkpoint(name).ok());
  nodes_[at].copy = nodes_[at].disk->CheckpointAt(name);
}

bool Mesh::RestoreDisk(int at) {
  HP_CHECK(!running(at));
  if (nodes_[at].copy == nullptr) return false;
  nodes_[at].disk = std::exchange(nodes_[at].copy, nullptr);
  return true;
}

Sequence Mesh::ReceivedOnDisk(int at, Origin origin) {
  if (running(at)) return core(at).view()->ReceivedOf(origin);
  auto engine = MemoryEngine::Open(nodes_[at].disk);
  HP_CHECK(engine.ok());
  auto bytes = (*engine)->Get(Table::kMeta, PositionKey(origin), nullptr);
  HP_CHECK(bytes.ok());
  internal::v1::StoredPosition stored;
  if (bytes->has_value()) HP_CHECK(stored.ParseFromString(**bytes));
  return Sequence(stored.received());
}

absl::Status Mesh::Commit(int at) {
  absl::Status status = core(at).Commit(Now(at));
  if (!status.ok()) nodes_[at].failed = true;
  return status;
}

absl::StatusOr<WriteName> Mesh::Put(int at, const std::string& name_space, const std::string& id,
                                    const std::string& value, SessionToken* token,
                                    const std::string& request_id) {
  v1::MutateRequest mutation;
  mutation.set_namespace_(name_space);
  mutation.set_id(id);
  mutation.add_changes()->set_put(value);
  mutation.mutable_options()->set_request_id(request_id);
  auto name = Mutate(at, mutation, token == nullptr ? SessionToken() : *token);
  if (name.ok() && token != nullptr) token->Advance(name->version.origin, name->sequence);
  return name;
}

absl::StatusOr<WriteName> Mesh::Mutate(int at, const v1::MutateRequest& mutation,
                                       const SessionToken& token) {
  auto name = core(at).StageWrite({&mutation, &token}, Now(at));
  if (!name.ok()) return name;
  if (auto status = Commit(at); !status.ok()) return status;
  return name;
}

absl::StatusOr<WriteName> Mesh::Delete(int at, const std::string& name_space,
                                       const std::string& id) {
  v1::MutateRequest mutation;
  mutation.set_namespace_(name_space);
  mutation.set_id(id);
  mutation.add_changes()->set_delete_(true);
  return Mutate(at, mutation, SessionToken());
}

std::optional<std::string> Mesh::Get(int at, const std::string& name_space, const std::string& id,
                                     SessionToken* token) {
  v1::GetRequest request;
  request.set_namespace_(name_space);
  request.set_id(id);
  v1::GetResponse response;
  SessionToken seen;
  HP_CHECK(
      ReadItem(nodes_[at].engine.get(), request, FromWallTime(Now(at).wall), seen, response).ok());
  if (token != nullptr) token->Merge(seen);
  if (!response.has_item()) return std::nullopt;
  return response.item().value();
}

void Mesh::Connect(int from, int to) {
  Link& link = *links_.at({from, to});
  if (!running(from) || !running(to) || failed(from) || failed(to)) return;
  Cut(from, to);
  link.up = true;
  link.sender = std::make_unique<LinkSender>(
      LinkSender::Options{"mesh", NameOf(from), 2000, 10, seed_sender_}, nodes_[from].engine.get());
  if (link.receiver == nullptr) {
    link.receiver = std::make_unique<LinkReceiver>(
        LinkReceiver::Options{"mesh", NameOf(to), NameOf(from), 4000});
  }
  if (comparisons_) {
    link.receiver->EnableComparisons(nodes_[to].engine.get(), {});
    link.receiver->SetShared(SharedNamespaces(*TopologyOf(to), NameOf(from), NameOf(to)));
  }
  link.requests.push_back(
      link.receiver->OnConnected(TopologyOf(to)->fingerprint(), *core(to).view(), Now(to).wall));
}

void Mesh::Cut(int from, int to, const absl::Status& why) {
  Link& link = *links_.at({from, to});
  if (link.up) link.receiver->OnDisconnected(why);
  link.up = false;
  link.sender.reset();
  link.requests.clear();
  link.responses.clear();
}

void Mesh::ConnectAll() {
  for (auto& [ends, link] : links_) {
    if (!link->up) Connect(ends.first, ends.second);
  }
}

bool Mesh::Step(int from, int to, bool heartbeat) {
  Link& link = *links_.at({from, to});
  if (!link.up || failed(from) || failed(to)) return false;
  bool moved = false;
  if (auto request = link.receiver->NextRequest(*core(to).view())) {
    link.requests.push_back(std::move(*request));
  }
  if (!link.requests.empty()) {
    const internal::v1::PullRequest request = std::move(link.requests.front());
    link.requests.pop_front();
    moved = true;
    const ReplicaView& view = *core(from).view();
    if (request.has_hello()) {
      internal::v1::PullResponse answer;
      if (auto refusal = link.sender->OnHello(request.hello(), TopologyOf(from), view)) {
        Cut(from, to, link.receiver->OnResponse(*refusal, now_));
        return true;
      }
      *answer.mutable_hello() =
          MakeHello("mesh", NameOf(from), TopologyOf(from)->fingerprint(), view, Now(from).wall);
      link.responses.push_back(std::move(answer));
    }
    link.sender->OnRequest(request, view);
  }
  auto next = link.sender->Next(*core(from).view());
  HP_CHECK(next.ok());
  if (!next->has_value()) {
    next = link.sender->NextSeed(*core(from).view(), now_);
    HP_CHECK(next.ok());
  }
  if (next->has_value()) link.responses.push_back(std::move(**next));
  if (heartbeat && !core(from).HasStaged()) {
    link.responses.push_back(link.sender->MakeHeartbeat(
        *core(from).view(), core(from).MakeWatermark(Now(from)), Now(from).wall));
  }
  if (!link.responses.empty()) {
    const internal::v1::PullResponse response = std::move(link.responses.front());
    link.responses.pop_front();
    moved = moved || !response.has_heartbeat() || response.has_batch();
    if (auto status = Take(to, response, link); !status.ok()) Cut(from, to, status);
  }
  return moved;
}

absl::Status Mesh::Take(int to, const internal::v1::PullResponse& response, Link& link) {
  if (auto status = link.receiver->OnResponse(response, now_); !status.ok()) return status;
  auto batch = UnpackResponse(link.receiver->peer(), response);
  if (!batch.ok()) return batch.status();
  batch->repairs = link.receiver->TakeRepairs();
  batch->peer_start = link.receiver->peer_start();
  Taken taken = TakeIn(*batch, *nodes_[to].core, Now(to));
  if (!taken.status.ok()) return taken.status;
  if (auto status = Commit(to); !status.ok()) return status;
  for (RefusedOrigin& refused : taken.refused) {
    auto news = link.receiver->OnRefused(refused.origin, std::move(refused.why));
    if (!news.ok()) return news.status();
  }
  for (const Origin origin : taken.full) link.receiver->OnFull(origin);
  if (!taken.seed_refused.ok()) link.receiver->seeds().OnRefused(taken.seed_refused, now_);
  link.receiver->OnCommitted(batch->credit_bytes, taken.entries, now_);
  return absl::OkStatus();
}

bool Mesh::Settle(bool relays) {
  quiet_from_round_ = 0;
  for (int round = 0; round < 20000; ++round) {
    bool moved = false;
    const bool heartbeat = round % 8 == 0;
    for (auto& [ends, link] : links_) {
      moved = Step(ends.first, ends.second, heartbeat) || moved;
    }
    for (int i = 0; i < size(); ++i) {
      if (!running(i)) continue;
      if (heartbeat && relays) PlanAllRelays(i);
      if (heartbeat && relays) PlanAllSeeding(i);
      if (heartbeat && upkeep_) Tend(i);
      if (core(i).HasStaged()) {
        HP_CHECK(Commit(i).ok());
      }
    }
    // A heartbeat may bring a relay about, so two quiet rounds of them end it.
    if (moved) {
      quiet_from_round_ = round;
    } else if (round - quiet_from_round_ > 40) {
      return true;
    }
  }
  return false;
}

void Mesh::Tend(int at) { HP_CHECK(core(at).Tend(Now(at)).ok()); }

void Mesh::PlanAllRelays(int at) {
  std::vector<RelayCandidate> candidates;
  std::vector<LinkReceiver*> receivers;
  for (int from = 0; from < size(); ++from) {
    if (from == at) continue;
    Link& link = *links_.at({from, at});
    if (link.receiver == nullptr) continue;
    candidates.push_back(
        {NameOf(from), link.receiver->established(), !link.up, link.receiver.get()});
    receivers.push_back(link.receiver.get());
  }
  RelayPlan plan = PlanRelays(*core(at).view(), NameOf(at), *TopologyOf(at), candidates);
  for (size_t i = 0; i < receivers.size(); ++i) {
    receivers[i]->WantRelay(std::move(plan.relays[i]));
    receivers[i]->Waits(std::move(plan.waits[i]));
  }
}

void Mesh::PlanAllSeeding(int at) {
  std::vector<RelayCandidate> candidates;
  std::vector<LinkReceiver*> receivers;
  for (int from = 0; from < size(); ++from) {
    if (from == at) continue;
    Link& link = *links_.at({from, at});
    if (link.receiver == nullptr) continue;
    candidates.push_back(
        {NameOf(from), link.receiver->established(), !link.up, link.receiver.get()});
    receivers.push_back(link.receiver.get());
  }
  SeedPlan plan = PlanSeeding(*core(at).view(), NameOf(at), *TopologyOf(at), candidates);
  if (plan.seed_all) core(at).StageSeedAll(*plan.seed_all);
  for (size_t i = 0; i < receivers.size(); ++i) {
    const bool asked = plan.ask && plan.ask->candidate == i;
    receivers[i]->seeds().Want(asked ? std::optional<std::string>(plan.ask->name_space)
                                     : std::nullopt);
  }
}

void Mesh::SetRegionsOfSome(const std::vector<int>& regions) {
  topology_ = MakeTopology(size(), regions, more_);
  for (Node& node : nodes_) node.topology.reset();
  for (const auto& [ends, link] : links_) Cut(ends.first, ends.second);
  for (int i = 0; i < size(); ++i) {
    if (!running(i)) continue;
    core(i).SetPolicy(HoldingPolicy(topology_, i));
    core(i).SetMembers(MembersOf(*topology_));
  }
}

void Mesh::SetRegionsOfSomeAt(int at, const std::vector<int>& regions) {
  nodes_[at].topology = MakeTopology(size(), regions, more_);
  for (const auto& [ends, link] : links_) {
    if (ends.second == at) Cut(ends.first, at);
    if (ends.first == at && link->sender != nullptr) link->sender->OnTopology(TopologyOf(at));
  }
  if (!running(at)) return;
  core(at).SetPolicy(HoldingPolicy(TopologyOf(at), at));
  core(at).SetMembers(MembersOf(*TopologyOf(at)));
}

void Mesh::SetListed(const std::set<int>& listed) {
  topology_ = MakeTopology(size(), {0, 1}, more_, &listed);
  for (const auto& [ends, link] : links_) Cut(ends.first, ends.second);
  for (int i = 0; i < size(); ++i) {
    if (running(i)) core(i).SetMembers(MembersOf(*topology_));
  }
}

void Mesh::TruncateLog(int at) {
  core(at).SetRetention({0, absl::Hours(72)});
  core(at).PlanTruncation([](Origin) { return Sequence(0); }, Now(at));
  while (core(at).HasStaged()) HP_CHECK(Commit(at).ok());
  core(at).SetRetention({});
}

std::map<std::string, std::string> Mesh::Items(int at) {
  std::map<std::string, std::string> items;
  std::unique_ptr<KvIterator> it = nodes_[at].engine->Iterate(Table::kItems);
  for (it->Seek({}); it->Valid(); it->Next()) {
    items[std::string(it->key())] = std::string(it->value());
  }
  return items;
}

}  // namespace homeport
