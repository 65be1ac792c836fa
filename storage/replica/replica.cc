#include "storage/replica/replica.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/replica/replica_impl.h"
#include "storage/replication/item_types.h"

namespace homeport {

absl::StatusOr<std::shared_ptr<Replica>> Replica::Open(ReplicaOptions options,
                                                       std::unique_ptr<KvEngine> engine,
                                                       const Clock* clock,
                                                       std::shared_ptr<const Topology> topology,
                                                       Origin origin) {
  ReplicaCore::Options core_options;
  core_options.cluster = topology->cluster();
  core_options.replica = options.name;
  core_options.clock.drift_max = options.clock_drift_max;
  core_options.request_id_window = options.request_id_window;
  core_options.retention = RetentionOf(*topology);
  core_options.conflict_journal_bytes = topology->proto().storage().conflict_journal_bytes();
  if (topology->FindReplica(options.name) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the topology has no replica ", options.name.value()));
  }
  const int region = RegionOf(*topology, options.name);
  // First of all: without its owner's name a disk with anything on it is refused.
  auto phase = LoadJoinPhase(engine.get(), topology->cluster(), options.name,
                             topology->proto().regions(region).joining());
  if (!phase.ok()) {
    return absl::Status(phase.status().code(),
                        absl::StrCat(options.data_path, ": ", phase.status().message()));
  }
  auto core = ReplicaCore::Open(std::move(core_options), engine.get(), origin,
                                {clock->WallNow(), clock->SteadyNow()});
  if (!core.ok()) {
    return absl::Status(core.status().code(),
                        absl::StrCat(options.data_path, ": ", core.status().message()));
  }
  if (auto status = CheckItemTypes(engine.get(), *topology); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(options.data_path, ": ", status.message()));
  }
  return std::shared_ptr<Replica>(
      new Replica(std::make_unique<Impl>(std::move(options), std::move(engine), std::move(*core),
                                         clock, std::move(topology), *phase)));
}

Replica::Replica(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Replica::~Replica() = default;

void Replica::Execute(const CallContext& context, const internal::v1::StoreRequest& request,
                      internal::v1::StoreResponse* response, Done done) {
  impl_->Execute(context, request, response, std::move(done));
}
std::shared_ptr<const StoreFreshness> Replica::freshness() const {
  return FreshnessOf(*impl_->published(), impl_->clock()->SteadyNow());
}
void Replica::SubmitFromPeer(PeerBatch batch, absl::AnyInvocable<void(Taken)> done) {
  impl_->SubmitFromPeer(std::move(batch), std::move(done));
}
void Replica::OnPeerHello(const internal::v1::Hello& hello) { impl_->acks().OnHello(hello); }
void Replica::OnPeerAcknowledged(
    const ReplicaName& peer,
    const google::protobuf::RepeatedPtrField<internal::v1::OriginReport>& reports) {
  impl_->acks().OnAcknowledged(peer, reports);
}
void Replica::ObservePeerClock(const ReplicaName& peer, const ClockBounds& bounds) {
  impl_->guards().ObserveClock(peer, bounds);
}
void Replica::OnPeerUnreachable(const ReplicaName& peer) { impl_->guards().OnUnreachable(peer); }
void Replica::OnPulledHello(const internal::v1::Hello& hello) {
  impl_->guards().OnPeer(hello, clock()->SteadyNow());
}
void Replica::OnLeft(const ReplicaName& peer, const std::string& detail) {
  impl_->guards().OnLeft(peer, detail);
}
void Replica::OnCompared(SteadyTime since) { impl_->guards().OnCompared(since); }
bool Replica::joining() const { return impl_->guards().joining(); }
bool Replica::clock_held() const { return impl_->guards().clock_held(); }
absl::Time Replica::ClockReading() const {
  const std::shared_ptr<const ReplicaView> view = this->view();
  return std::max({clock()->WallNow(), ToWallTime(view->TimeAt(clock()->SteadyNow())),
                   ToWallTime(view->stamp)});
}
void Replica::SeedAll(std::vector<std::string> namespaces) {
  impl_->SeedAll(std::move(namespaces));
}
std::shared_ptr<const ReplicaView> Replica::view() const { return impl_->published()->view; }
std::shared_ptr<const Topology> Replica::topology() const { return impl_->topology(); }
void Replica::SetTopology(std::shared_ptr<const Topology> topology) {
  impl_->SetTopology(std::move(topology));
}
internal::v1::Watermark Replica::watermark() const { return impl_->watermark(); }
KvEngine* Replica::engine() { return impl_->engine(); }
const ReplicaName& Replica::name() const { return impl_->options().name; }
const Clock* Replica::clock() const { return impl_->clock(); }
int Replica::AddListener(std::function<void()> listener) {
  return impl_->AddListener(std::move(listener));
}
void Replica::RemoveListener(int number) { impl_->RemoveListener(number); }
absl::Status Replica::WriteState() const { return impl_->WriteState(); }
bool Replica::MayBeReopened() const { return impl_->MayBeReopened(); }
ReplicaStats Replica::Stats() const { return impl_->Stats(); }
void Replica::Stop() { impl_->Stop(); }

}  // namespace homeport
