#include "client/node/node.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/node/config_metrics.h"
#include "client/node/follow_topology.h"
#include "client/node/replica_store.h"
#include "client/node/storage_metrics.h"
#include "common/endpoint/endpoint.h"
#include "common/endpoint/listen_address.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/rpc/stream_server.h"
#include "common/status/error.h"
#include "common/store/validate.h"
#include "common/time/system/system_clock.h"
#include "common/topology/yaml/topology_watcher.h"
#include "gateway/backend/forwarding_service.h"
#include "gateway/backend/remote_store.h"
#include "gateway/geo/mmdb/geo_reloader.h"
#include "gateway/server/rpc/public_server.h"
#include "storage/engine/quarantine/quarantine.h"
#include "storage/engine/rocksdb/rocksdb_engine.h"
#include "storage/link/link_manager.h"
#include "storage/link/replication_service.h"
#include "storage/replica/conflict_calls.h"
#include "storage/replica/replica.h"

namespace homeport {
namespace {

constexpr absl::string_view kVersion = "0.1.0";
constexpr absl::Duration kGrace = absl::Seconds(10);
// A peer whose clock is to be compared with this one's at a start has answered by then, or is taken
// for one that can not be reached.
constexpr absl::Duration kClockHold = absl::Seconds(2);
// A stopping replica waits this long for connected peers to take what they lack.
constexpr absl::Duration kHandOver = absl::Seconds(2);

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Status FlagError(absl::string_view flag, absl::string_view problem) {
  return FieldError(flag, problem);
}

Origin MintOrigin() {
  std::random_device device;
  while (true) {
    const uint64_t high = device();
    const Origin origin((high << 32) | device());
    if (origin != Origin(0)) return origin;
  }
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

std::vector<IpRange> TrustedProxies(const Topology& topology) {
  std::vector<IpRange> ranges;
  for (const std::string& text : topology.proto().geo().trusted_proxies()) {
    if (auto range = IpRange::Parse(text); range.ok()) ranges.push_back(*range);
  }
  return ranges;
}

class ProcessNode final : public Node {
 public:
  explicit ProcessNode(NodeOptions options) : options_(std::move(options)) {}
  ~ProcessNode() override { Stop(absl::ZeroDuration()); }

  absl::Status Init() {
    if (auto status = LoadTopology(); !status.ok()) return status;
    if (auto status = CheckAddresses(); !status.ok()) return status;
    registry_ = std::make_shared<prometheus::Registry>();
    const std::shared_ptr<const Topology> topology = watcher_->current();
    if (!replica_name_.empty()) {
      if (auto status = StartReplica(topology); !status.ok()) return status;
    }
    geo_ = std::make_unique<GeoReloader>(topology, self_region_);
    gateway_ = std::make_unique<Gateway>(&clock_, MakeState(topology));
    if (auto status = ListenPublicly(); !status.ok()) return status;
    SetStores(topology);
    if (auto status = StartServers(*topology); !status.ok()) return status;
    AwaitClock();
    public_server_->Serve();
    // Reloads that came while starting are seen by the first tick.
    absl::MutexLock lock(&mutex_);
    started_ = true;
    return absl::OkStatus();
  }

  NodeAddresses addresses() const override { return addresses_; }

  void Reload() override {
    Log(LogLevel::kInfo, "reloading");
    if (auto status = watcher_->Reload(); !status.ok()) {
      Log(LogLevel::kError, "topology not taken", {{"why", status.ToString()}});
    }
    geo_->Reload();
    Refresh();
  }

  void Tick() override {
    watcher_->Poll().IgnoreError();  // refusals are logged by the watcher
    geo_->Poll();
    Refresh();
    LookForDamage();
  }

  bool ShouldStartAnew() const override {
    return replica_ != nullptr && (replica_->MayBeReopened() || marked_damaged_);
  }

  void Drain() override {
    const absl::Duration delay = FromProto(watcher_->current()->proto().gateway().drain_delay());
    Log(LogLevel::kInfo, "draining", {{"delay", absl::FormatDuration(delay)}});
    public_server_->BeginDrain();
    if (forwarding_ != nullptr) forwarding_->Drain();
    absl::SleepFor(delay);
    Stop(kGrace);
    Log(LogLevel::kInfo, "stopped");
  }

 private:
  absl::Status LoadTopology() {
    TopologyWatcher::Options options;
    options.path = options_.topology_file;
    options.poll_interval = absl::InfiniteDuration();
    options.vet = [this](const Topology& in_force, const Topology& next) {
      return CanFollow(options_.region, replica_name_, in_force, next);
    };
    auto watcher = TopologyWatcher::Start(std::move(options));
    if (!watcher.ok()) return watcher.status();
    watcher_ = std::move(*watcher);
    const Topology& topology = *watcher_->current();
    std::optional<int> region = topology.FindRegion(options_.region);
    if (!region) {
      std::vector<std::string> names;
      for (const RegionInfo& info : topology.regions()) names.push_back(info.name.value());
      return FlagError("--region", absl::StrCat("the topology has no region '", options_.region,
                                                "'; it has ", absl::StrJoin(names, ", ")));
    }
    self_region_ = *region;
    return ChooseReplica(topology.regions()[self_region_]);
  }

  absl::Status ChooseReplica(const RegionInfo& region) {
    if (options_.no_replica) {
      if (!options_.replica.empty() || !options_.data.empty()) {
        return FlagError("--no-replica", "can not be given with --replica or --data");
      }
      return absl::OkStatus();
    }
    if (region.replicas.empty()) {
      return FlagError("--region", absl::StrCat("'", options_.region,
                                                "' has no replicas in the topology; give "
                                                "--no-replica for a gateway without one"));
    }
    if (options_.replica.empty() && region.replicas.size() > 1) {
      return FlagError("--replica",
                       absl::StrCat("'", options_.region, "' has ", region.replicas.size(),
                                    " replicas; say which one this is"));
    }
    const std::string name = options_.replica.empty()
                                 ? region.replicas[0].name.value()
                                 : absl::StrCat(options_.region, "/", options_.replica);
    for (size_t i = 0; i < region.replicas.size(); ++i) {
      if (region.replicas[i].name.value() == name) local_index_ = static_cast<int>(i);
    }
    if (!local_index_) {
      return FlagError("--replica", absl::StrCat("the topology has no replica '", name, "'"));
    }
    if (options_.data.empty()) {
      return FlagError("--data", "is missing: a replica needs a directory for its data");
    }
    replica_name_ = name;
    return absl::OkStatus();
  }

  absl::Status CheckAddresses() {
    const RegionInfo& region = watcher_->current()->regions()[self_region_];
    addresses_.public_address = options_.listen;
    if (addresses_.public_address.empty()) {
      if (region.gateways.empty()) {
        return FlagError("--listen", absl::StrCat("is missing, and region '", options_.region,
                                                  "' lists no gateway address"));
      }
      addresses_.public_address = region.gateways[0];
    }
    addresses_.metrics_address =
        options_.metrics_listen.empty() ? "127.0.0.1:0" : options_.metrics_listen;
    if (!replica_name_.empty()) {
      addresses_.internal_address = options_.internal_listen.empty()
                                        ? region.replicas[*local_index_].address
                                        : options_.internal_listen;
    }
    for (const std::string* address :
         {&addresses_.public_address, &addresses_.internal_address, &addresses_.metrics_address}) {
      if (address->empty()) continue;
      auto status = CheckListenAddress(*address, /*tls=*/false, options_.insecure_plaintext);
      if (!status.ok()) return status;
    }
    for (const auto& [name, address] : options_.dial) {
      if (watcher_->current()->FindReplica(ReplicaName(name)) == nullptr) {
        return FlagError("--dial", absl::StrCat("the topology has no replica '", name, "'"));
      }
      if (auto endpoint = Endpoint::Parse(address); !endpoint.ok()) return endpoint.status();
    }
    return absl::OkStatus();
  }

  absl::Status StartReplica(const std::shared_ptr<const Topology>& topology) {
    const internal::v1::StorageOptions& storage = topology->proto().storage();
    RocksdbOptions engine_options;
    engine_options.path = options_.data;
    ReplicaOptions options;
    options.name = ReplicaName(replica_name_);
    options.data_path = options_.data;
    options.clock_drift_max = FromProto(storage.clock_drift_max());
    options.request_id_window = FromProto(storage.request_id_window());
    options.clock_confirmed = options_.trust_clock;
    options.clock_hold = kClockHold;
    // What opening again may need must stay free, whatever the topology asks for.
    options.disk_reserve_bytes =
        std::max<uint64_t>(storage.disk_reserve_bytes(), BallastBytes(engine_options));
    if (auto status = OpenReplica(engine_options, options, topology); !status.ok()) return status;
    conflicts_ = std::make_unique<ConflictCalls>(replica_.get());

    ForwardingServiceOptions forwarding;
    forwarding.validate = [](const internal::v1::StoreRequest& request) {
      return ValidateRequest(request);
    };
    forwarding_ =
        std::make_unique<ForwardingService>(&clock_, replica_.get(), std::move(forwarding));
    ReplicationServiceOptions replication;
    replication.heartbeat_interval = FromProto(storage.heartbeat_interval());
    replication.batch_bytes = storage.batch_bytes();
    replication.seed_bytes_per_second = storage.seed_bytes_per_second();
    replication_ = std::make_unique<ReplicationService>(replica_.get(), replication);
    return absl::OkStatus();
  }

  // A store may open and turn out to be damaged at the first look at it.
  absl::Status OpenReplica(const RocksdbOptions& engine_options, const ReplicaOptions& options,
                           const std::shared_ptr<const Topology>& topology) {
    const absl::Status may_rebuild = MayRebuild(*topology, self_region_, options_.keep_damaged);
    while (true) {
      auto store = OpenReplicaStore(engine_options, may_rebuild);
      if (!store.ok()) return store.status();
      damage_ = store->watch;
      scrub_ = store->scrub;
      if (!store->moved_aside.empty()) moved_aside_ = store->moved_aside;
      auto replica =
          Replica::Open(options, std::move(store->engine), &clock_, topology, MintOrigin());
      if (replica.ok()) {
        replica_ = std::move(*replica);
        return absl::OkStatus();
      }
      const absl::Status damage = damage_->damage();
      // One that was just begun is not damaged by age: its disk is not to be trusted.
      if (damage.ok() || !may_rebuild.ok() || !store->moved_aside.empty()) return replica.status();
      if (auto status = MarkDamaged(engine_options.path, damage); !status.ok()) return status;
    }
  }

  // Marks a store that was found damaged, so that the next start begins anew. Where it can not be
  // filled anew it goes on: what is whole is answered, what is not is an error.
  void LookForDamage() {
    if (damage_ == nullptr || marked_damaged_) return;
    const absl::Status damage = damage_->damage();
    if (damage.ok()) return;
    const absl::Status may_rebuild =
        MayRebuild(*watcher_->current(), self_region_, options_.keep_damaged);
    if (may_rebuild.ok()) {
      if (auto status = MarkDamaged(options_.data, damage); !status.ok()) {
        Log(LogLevel::kError, "the store is damaged, and can not be marked so",
            {{"path", options_.data}, {"why", std::string(status.message())}});
        return;
      }
      marked_damaged_ = true;
    } else if (damage_told_) {
      return;
    }
    damage_told_ = true;
    Log(LogLevel::kError, "the store is damaged",
        {{"path", options_.data},
         {"why", std::string(damage.message())},
         {"filled_anew", may_rebuild.ok() ? "yes" : std::string(may_rebuild.message())}});
  }

  // Its queues serve the streams to other processes as well, so it is there before them.
  // Who is told that this process is ready may write.
  void AwaitClock() {
    const SteadyTime give_up = clock_.SteadyNow() + kClockHold;
    while (replica_ != nullptr && replica_->clock_held() && clock_.SteadyNow() < give_up) {
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  absl::Status ListenPublicly() {
    PublicServerOptions options;
    options.address = addresses_.public_address;
    options.threads = options_.threads;
    auto server = PublicServer::Listen(options, gateway_.get(), MakeStatusSource(), registry_);
    if (!server.ok()) return server.status();
    public_server_ = std::move(*server);
    streams_ = std::make_unique<StreamQueues>(public_server_->queues());
    addresses_.public_address =
        absl::StrCat(HostOf(addresses_.public_address), ":", public_server_->port());
    return absl::OkStatus();
  }

  absl::Status StartServers(const Topology& topology) {
    if (replica_ != nullptr) {
      auto server = StreamServer::Start(addresses_.internal_address,
                                        {forwarding_.get(), replication_.get()}, streams_.get());
      if (!server.ok()) return server.status();
      internal_server_ = std::move(*server);
      addresses_.internal_address =
          absl::StrCat(HostOf(addresses_.internal_address), ":", internal_server_->port());
      LinkOptions links;
      links.credit_bytes = topology.proto().storage().credit_bytes();
      links.compare_interval = FromProto(topology.proto().storage().compare_interval());
      links.silence_max = std::max(absl::Seconds(3),
                                   FromProto(topology.proto().storage().heartbeat_interval()) * 4);
      links.dial = options_.dial;
      links_ = std::make_unique<LinkManager>(replica_.get(), streams_.get(), std::move(links));
      storage_metrics_ = std::make_shared<StorageMetrics>(
          replica_.get(), links_.get(), replication_.get(), scrub_.get(), options_.data);
    }
    auto metrics = MetricsServer::Start(addresses_.metrics_address, registry_);
    if (!metrics.ok()) return metrics.status();
    metrics_server_ = std::move(*metrics);
    addresses_.metrics_address =
        absl::StrCat(HostOf(addresses_.metrics_address), ":", metrics_server_->port());
    config_metrics_ = std::make_shared<ConfigMetrics>(watcher_.get(), geo_.get());
    metrics_server_->Add(config_metrics_);
    if (storage_metrics_ != nullptr) metrics_server_->Add(storage_metrics_);
    return absl::OkStatus();
  }

  StatusSource MakeStatusSource() {
    StatusSource source;
    source.version = std::string(kVersion);
    source.started = clock_.WallNow();
    source.replica = [this] { return LocalStatus(); };
    if (replica_ != nullptr) {
      source.conflicts.list = [this](const v1::ListConflictsRequest& request) {
        return conflicts_->List(request);
      };
      source.conflicts.get = [this](const v1::GetConflictRequest& request) {
        return conflicts_->Get(request);
      };
      source.conflicts.restore = [this](const CallContext& context,
                                        const v1::RestoreConflictRequest& request,
                                        ConflictSource::RestoreDone done) {
        conflicts_->Restore(context, request, std::move(done));
      };
    }
    source.warnings = [this] {
      std::vector<std::string> warnings;
      if (std::string refusal = watcher_->refusal(); !refusal.empty()) {
        warnings.push_back(absl::StrCat("the topology file is refused, the one before serves on: ",
                                        absl::StrReplaceAll(refusal, {{"\n", "; "}})));
      }
      const GeoStatus geo = geo_->status();
      for (const GeoFileStatus& file : geo.files) {
        if (!file.refused.empty()) warnings.push_back(file.refused);
      }
      if (replica_ != nullptr) {
        if (absl::Status state = replica_->WriteState(); !state.ok()) {
          warnings.push_back(absl::StrCat("writes are refused: ", std::string(state.message())));
        }
        if (!moved_aside_.empty()) warnings.push_back(moved_aside_);
        if (absl::Status damage = damage_->damage(); !damage.ok()) {
          warnings.push_back(absl::StrCat("the store is damaged: ", std::string(damage.message())));
        }
      }
      return warnings;
    };
    return source;
  }

  std::optional<v1::ReplicaStatus> LocalStatus() const {
    if (replica_ == nullptr) return std::nullopt;
    v1::ReplicaStatus status = replica_->Status();
    std::map<std::string, PullingPeer> peers;
    for (PullingPeer& peer : replication_->Peers()) {
      const std::string name = peer.name.value();
      peers.insert_or_assign(name, std::move(peer));
    }
    for (v1::LinkStatus& link : links_->Status()) {
      if (auto peer = peers.find(link.peer()); peer != peers.end()) {
        link.set_peer_received(peer->second.received);
        link.set_peer_applied(peer->second.applied);
      }
      *status.add_links() = std::move(link);
    }
    return status;
  }

  // Follows a new topology or new databases. All parts follow at once for later requests.
  void Refresh() {
    absl::MutexLock lock(&mutex_);
    if (!started_ || stopped_) return;
    const std::shared_ptr<const Topology> topology = watcher_->current();
    const std::shared_ptr<const GatewayState> state = gateway_->state();
    if (topology != state->router->shared_topology()) {
      self_region_ = *topology->FindRegion(options_.region);
      if (local_index_) {
        const auto& replicas = topology->regions()[self_region_].replicas;
        for (size_t i = 0; i < replicas.size(); ++i) {
          if (replicas[i].name.value() == replica_name_) local_index_ = static_cast<int>(i);
        }
      }
      geo_->SetTopology(topology, self_region_);
      if (replica_ != nullptr) {
        replica_->SetTopology(topology);
        links_->OnTopology();
      }
      gateway_->SetState(MakeState(topology));
      SetStores(topology);
      return;
    }
    if (geo_->Get() != state->locator) {
      auto next = std::make_shared<GatewayState>(*state);
      next->locator = geo_->Get();
      gateway_->SetState(std::move(next));
    }
  }

  std::shared_ptr<const GatewayState> MakeState(const std::shared_ptr<const Topology>& topology) {
    const internal::v1::GatewayOptions& options = topology->proto().gateway();
    const GatewayFacts facts{self_region_, local_index_};
    auto state = std::make_shared<GatewayState>();
    state->router = std::make_shared<const Router>(topology, facts);
    state->locator = geo_->Get();
    state->addresses = std::make_shared<const ClientAddressResolver>(
        TrustedProxies(*topology), topology->proto().geo().client_address_header());
    HealthOptions health;
    health.ejection_failures = static_cast<int>(options.ejection_failures());
    health.ejection_time = FromProto(options.ejection_time());
    state->health = std::make_shared<HealthTracker>(topology, facts, health);
    DispatchOptions dispatch;
    dispatch.attempts_max = static_cast<int>(options.attempts_max());
    state->dispatcher = std::make_shared<Dispatcher>(
        &clock_, [this, topology](Target target) { return FindStore(*topology, target); },
        state->health.get(), dispatch);
    return state;
  }

  std::shared_ptr<RecordStore> FindStore(const Topology& topology, Target target) const {
    const ReplicaInfo& info = topology.regions()[target.region].replicas[target.replica];
    if (info.name.value() == replica_name_) return replica_;
    absl::ReaderMutexLock lock(&stores_mutex_);
    auto found = stores_.find(info.name.value());
    return found == stores_.end() ? nullptr : found->second.store;
  }

  // Connects to every other replica of the topology, keeping the connections that are there.
  void SetStores(const std::shared_ptr<const Topology>& topology) {
    std::map<std::string, Remote> old;
    {
      absl::ReaderMutexLock lock(&stores_mutex_);
      old = stores_;
    }
    std::map<std::string, Remote> next;
    for (const RegionInfo& region : topology->regions()) {
      for (const ReplicaInfo& info : region.replicas) {
        const std::string& name = info.name.value();
        if (name == replica_name_) continue;
        auto dial = options_.dial.find(name);
        const std::string& address = dial == options_.dial.end() ? info.address : dial->second;
        auto kept = old.find(name);
        if (kept != old.end() && kept->second.address == address) {
          next[name] = kept->second;
        } else {
          next[name] = {address, Dial(*topology, name, address)};
        }
      }
    }
    absl::MutexLock lock(&stores_mutex_);
    stores_.swap(next);
  }

  std::shared_ptr<RemoteStore> Dial(const Topology& topology, const std::string& name,
                                    const std::string& address) {
    RemoteStoreOptions options;
    options.address = address;
    options.replica = name;
    options.ping_interval = FromProto(topology.proto().gateway().ping_interval());
    return RemoteStore::Create(
        &clock_, streams_.get(), std::move(options),
        [this, name](absl::Duration round_trip) {
          WithTarget(name, [&](HealthTracker& health, Target target) {
            health.OnRoundTrip(target, round_trip, clock_.SteadyNow());
          });
        },
        [this, name](const std::string& why) {
          WithTarget(name, [&](HealthTracker& health, Target target) {
            health.OnConnectionLost(target, why, clock_.SteadyNow());
          });
        });
  }

  // The replica's place in the topology in force, which may have changed since it was dialled.
  void WithTarget(const std::string& name,
                  const std::function<void(HealthTracker&, Target)>& use) const {
    const std::shared_ptr<const GatewayState> state = gateway_->state();
    const Topology& topology = state->router->topology();
    for (size_t region = 0; region < topology.regions().size(); ++region) {
      const auto& replicas = topology.regions()[region].replicas;
      for (size_t replica = 0; replica < replicas.size(); ++replica) {
        if (replicas[replica].name.value() != name) continue;
        use(*state->health, {static_cast<int>(region), static_cast<int>(replica)});
      }
    }
  }

  // Entries that connected peers lack are theirs before this process goes.
  void HandOver() {
    const SteadyTime until = clock_.SteadyNow() + kHandOver;
    while (clock_.SteadyNow() < until) {
      const auto view = replica_->view();
      const uint64_t last = view->ReceivedOf(view->self).value();
      const std::vector<PullingPeer> peers = replication_->Peers();
      const bool all = std::all_of(peers.begin(), peers.end(), [last](const PullingPeer& peer) {
        return peer.received >= last;
      });
      if (all) return;
      absl::SleepFor(absl::Milliseconds(10));
    }
  }

  void Stop(absl::Duration grace) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      stopped_ = true;
    }
    if (public_server_ != nullptr) public_server_->Shutdown(grace);
    if (forwarding_ != nullptr && grace > absl::ZeroDuration()) {
      forwarding_->Drain();
      forwarding_->WaitIdle(grace);
      HandOver();
    }
    if (links_ != nullptr) links_->Stop();
    if (replication_ != nullptr) replication_->Stop();
    if (internal_server_ != nullptr) internal_server_->Shutdown(absl::Seconds(1));
    std::map<std::string, Remote> stores;
    {
      absl::MutexLock lock(&stores_mutex_);
      stores.swap(stores_);
    }
    stores.clear();
    if (replica_ != nullptr) replica_->Stop();
    // The metrics look at parts that go now.
    metrics_server_.reset();
  }

  struct Remote {
    std::string address;
    std::shared_ptr<RemoteStore> store;
  };

  const NodeOptions options_;
  SystemClock clock_;
  int self_region_ = 0;
  std::string replica_name_;  // empty without one
  std::optional<int> local_index_;
  NodeAddresses addresses_;
  std::shared_ptr<prometheus::Registry> registry_;

  absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // In the order of their dependencies; destroyed the other way round.
  std::unique_ptr<TopologyWatcher> watcher_;
  std::shared_ptr<DamageWatch> damage_;  // null without a replica
  std::shared_ptr<Scrub> scrub_;         // as that
  std::string moved_aside_;              // what became of the store that was there before
  bool damage_told_ = false;             // as the next, only of the thread that ticks
  bool marked_damaged_ = false;
  std::shared_ptr<Replica> replica_;
  std::unique_ptr<ConflictCalls> conflicts_;
  std::unique_ptr<ForwardingService> forwarding_;
  std::unique_ptr<ReplicationService> replication_;
  std::unique_ptr<GeoReloader> geo_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<PublicServer> public_server_;
  std::unique_ptr<StreamQueues> streams_;
  std::unique_ptr<LinkManager> links_;
  std::unique_ptr<StreamServer> internal_server_;
  mutable absl::Mutex stores_mutex_;
  std::map<std::string, Remote> stores_ ABSL_GUARDED_BY(stores_mutex_);
  std::shared_ptr<ConfigMetrics> config_metrics_;
  std::shared_ptr<StorageMetrics> storage_metrics_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Node>> Node::Start(const NodeOptions& options) {
  auto node = std::make_unique<ProcessNode>(options);
  if (auto status = node->Init(); !status.ok()) return status;
  return std::unique_ptr<Node>(std::move(node));
}

}  // namespace homeport
