#include "tests/bench/mesh_bytes.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/topology/topology.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/replication/intake.h"
#include "storage/replication/link_receiver.h"
#include "storage/replication/link_sender.h"
#include "storage/replication/replica_core.h"
#include "tests/bench/scenario_parts.h"

namespace homeport::bench {
namespace {

using internal::v1::PullRequest;
using internal::v1::PullResponse;

constexpr int kRegions = 5;
constexpr int kSessionsPerRegion = 4;
// As storage/link has it.
constexpr absl::Duration kAckInterval = absl::Milliseconds(10);
constexpr absl::Duration kHeartbeatInterval = absl::Milliseconds(500);

// Of gRPC around a message, and of HTTP/2 around each of its frames.
constexpr size_t kMessageHead = 5;
constexpr size_t kFrameHead = 9;
constexpr size_t kFrameBytes = 16 * 1024;

double OnTheWire(size_t message) {
  const size_t framed = message + kMessageHead;
  const size_t frames = (framed + kFrameBytes - 1) / kFrameBytes;
  return static_cast<double>(framed + frames * kFrameHead);
}

absl::StatusOr<std::shared_ptr<const Topology>> FiveRegions() {
  internal::v1::Topology proto;
  proto.set_cluster("bench");
  for (int i = 0; i < kRegions; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("region-", i));
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

ReplicaName NameOf(int at) { return ReplicaName(absl::StrCat("region-", at, "/a")); }

struct Link {
  int from = 0;
  int to = 0;
  std::unique_ptr<LinkSender> sender;
  std::unique_ptr<LinkReceiver> receiver;
  absl::Duration acknowledged = -absl::InfiniteDuration();
  absl::Duration beaten = -absl::InfiniteDuration();
  // Committed with what else the receiving side has staged.
  uint64_t credit = 0;
  uint64_t entries = 0;
};

class CountedMesh {
 public:
  explicit CountedMesh(const MeshLoad& load) : load_(load), random_(1) {}

  absl::Status Open() {
    auto topology = FiveRegions();
    if (!topology.ok()) return topology.status();
    topology_ = *std::move(topology);
    for (int i = 0; i < kRegions; ++i) {
      auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
      if (!engine.ok()) return engine.status();
      engines_.push_back(*std::move(engine));
      ReplicaCore::Options options;
      options.cluster = topology_->cluster();
      options.replica = NameOf(i);
      // Names of starts are random, and so take all of their eight bytes.
      auto core =
          ReplicaCore::Open(std::move(options), engines_.back().get(), Origin(random_()), Now());
      if (!core.ok()) return core.status();
      cores_.push_back(*std::move(core));
      cores_.back()->SetPolicy(HoldingPolicy(topology_, i));
      cores_.back()->SetMembers(MembersOf(*topology_));
      if (auto status = cores_.back()->Commit(Now()); !status.ok()) return status;
    }
    sessions_.resize(kRegions * kSessionsPerRegion);
    for (int from = 0; from < kRegions; ++from) {
      for (int to = 0; to < kRegions; ++to) {
        if (from == to) continue;
        if (auto status = Connect(from, to); !status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Run(double seconds) {
    const absl::Duration end = steady_ + absl::Seconds(seconds);
    while (steady_ < end) {
      if (auto status = Round(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void StartCounting() {
    bytes_ = MeshBytes();
    writes_ = 0;
  }
  MeshBytes PerCopy() const {
    const double copies = static_cast<double>(writes_) * (kRegions - 1);
    MeshBytes each = bytes_;
    for (double* part : {&each.content, &each.entries, &each.frames, &each.acknowledgements,
                         &each.heartbeats, &each.comparisons}) {
      *part /= copies;
    }
    return each;
  }

 private:
  Moment Now() const { return {absl::FromUnixSeconds(1'700'000'000) + steady_, steady_}; }

  absl::Status Connect(int from, int to) {
    LinkSender::Options sending;
    sending.cluster = topology_->cluster();
    sending.self = NameOf(from);
    if (load_.frame_version != 0) sending.frame_version = load_.frame_version;
    Link link;
    link.from = from;
    link.to = to;
    link.sender = std::make_unique<LinkSender>(sending, engines_[from].get());
    link.receiver = std::make_unique<LinkReceiver>(
        LinkReceiver::Options{topology_->cluster(), NameOf(to), NameOf(from)});
    CompareInitiator::Options compare;
    compare.interval = absl::Seconds(10);
    link.receiver->EnableComparisons(engines_[to].get(), compare);
    link.receiver->SetShared(SharedNamespaces(*topology_, NameOf(to), NameOf(from)));
    const PullRequest hello =
        link.receiver->OnConnected(topology_->fingerprint(), *cores_[to]->view(), Now().wall);
    if (link.sender->OnHello(hello.hello(), topology_, *cores_[from]->view())) {
      return absl::InternalError("a link was refused");
    }
    PullResponse answer;
    *answer.mutable_hello() =
        MakeHello(topology_->cluster(), NameOf(from), topology_->fingerprint(),
                  *cores_[from]->view(), Now().wall);
    if (auto status = link.receiver->OnResponse(answer, steady_); !status.ok()) return status;
    link.sender->OnRequest(hello, *cores_[from]->view());
    links_.push_back(std::move(link));
    return absl::OkStatus();
  }

  // Every region commits and sends what its sessions have written.
  absl::Status Round() {
    for (int i = 0; i < load_.writes_per_commit; ++i) {
      steady_ += absl::Seconds(1) / load_.writes_per_second;
      for (int at = 0; at < kRegions; ++at) {
        if (auto status = Write(at); !status.ok()) return status;
      }
    }
    if (auto status = CommitAll(); !status.ok()) return status;
    watermarks_.clear();
    for (auto& core : cores_) watermarks_.push_back(core->MakeWatermark(Now()));
    for (Link& link : links_) {
      if (auto status = Send(link); !status.ok()) return status;
    }
    if (auto status = CommitAll(); !status.ok()) return status;
    for (Link& link : links_) {
      link.receiver->OnCommitted(std::exchange(link.credit, 0), std::exchange(link.entries, 0),
                                 steady_);
      if (auto status = Answer(link); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Write(int at) {
    SessionToken& session =
        sessions_[static_cast<size_t>(at) * kSessionsPerRegion + writes_ % kSessionsPerRegion];
    if (load_.reads_elsewhere) {
      const ReplicaCore& other =
          *cores_[(static_cast<size_t>(at) + 1 + random_() % (kRegions - 1)) % kRegions];
      session.Advance(other.self(), cores_[at]->view()->AppliedOf(other.self()));
    }
    v1::MutateRequest mutation;
    mutation.set_namespace_(kNamespace);
    mutation.set_id(absl::StrFormat("put%08d", random_() % load_.records));
    std::string value(load_.value_bytes, '\0');
    for (char& byte : value) byte = static_cast<char>(random_());
    mutation.add_changes()->set_put(value);
    if (load_.request_ids) {
      mutation.mutable_options()->set_request_id(
          absl::StrFormat("%016x%016x", random_(), random_()));
    }
    auto name = cores_[at]->StageWrite({&mutation, &session}, Now());
    if (!name.ok()) return name.status();
    session.Advance(name->version.origin, name->sequence);
    ++writes_;
    bytes_.content +=
        static_cast<double>(mutation.id().size() + load_.value_bytes) * (kRegions - 1);
    return absl::OkStatus();
  }

  absl::Status CommitAll() {
    for (auto& core : cores_) {
      do {
        if (auto status = core->Commit(Now()); !status.ok()) return status;
      } while (core->HasBacklog());
    }
    return absl::OkStatus();
  }

  absl::Status Send(Link& link) {
    const ReplicaView& view = *cores_[link.from]->view();
    while (true) {
      auto next = link.sender->Next(view);
      if (!next.ok()) return next.status();
      if (!next->has_value()) {
        if (link.sender->busy()) continue;
        break;
      }
      if (auto status = Deliver(link, **next); !status.ok()) return status;
    }
    if (steady_ - link.beaten < kHeartbeatInterval) return absl::OkStatus();
    link.beaten = steady_;
    return Deliver(link, link.sender->MakeHeartbeat(
                             view, watermarks_[static_cast<size_t>(link.from)], Now().wall));
  }

  absl::Status Deliver(Link& link, const PullResponse& response) {
    const double bytes = OnTheWire(response.ByteSizeLong());
    if (response.has_compare()) {
      bytes_.comparisons += bytes;
    } else if (response.has_heartbeat()) {
      bytes_.heartbeats += bytes;
    } else {
      bytes_.entries += static_cast<double>(response.batch().block().size());
      bytes_.frames += bytes - static_cast<double>(response.batch().block().size());
    }
    if (auto status = link.receiver->OnResponse(response, steady_); !status.ok()) return status;
    auto batch = UnpackResponse(NameOf(link.from), response);
    if (!batch.ok()) return batch.status();
    if (!link.receiver->TakeRepairs().empty()) return absl::InternalError("replicas differ");
    const Taken taken = TakeIn(*batch, *cores_[link.to], Now());
    if (!taken.status.ok()) return taken.status;
    link.credit += batch->credit_bytes;
    link.entries += taken.entries;
    return absl::OkStatus();
  }

  absl::Status Answer(Link& link) {
    if (steady_ - link.acknowledged < kAckInterval) return absl::OkStatus();
    auto request = link.receiver->NextRequest(*cores_[link.to]->view());
    if (!request) return absl::OkStatus();
    link.acknowledged = steady_;
    (request->has_compare() ? bytes_.comparisons : bytes_.acknowledgements) +=
        OnTheWire(request->ByteSizeLong());
    link.sender->OnRequest(*request, *cores_[link.from]->view());
    return absl::OkStatus();
  }

  const MeshLoad load_;
  std::mt19937_64 random_;
  absl::Duration steady_;
  std::shared_ptr<const Topology> topology_;
  std::vector<std::unique_ptr<KvEngine>> engines_;
  std::vector<std::unique_ptr<ReplicaCore>> cores_;
  std::vector<internal::v1::Watermark> watermarks_;  // of this round, by core
  std::vector<Link> links_;
  std::vector<SessionToken> sessions_;
  MeshBytes bytes_;
  uint64_t writes_ = 0;
};

}  // namespace

absl::StatusOr<MeshBytes> CountMeshBytes(const MeshLoad& load) {
  CountedMesh mesh(load);
  if (auto status = mesh.Open(); !status.ok()) return status;
  if (auto status = mesh.Run(load.seconds); !status.ok()) return status;
  mesh.StartCounting();
  if (auto status = mesh.Run(load.seconds); !status.ok()) return status;
  MeshBytes each = mesh.PerCopy();
  each.entries -= each.content;
  return each;
}

}  // namespace homeport::bench
