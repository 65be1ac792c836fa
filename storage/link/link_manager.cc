#include "storage/link/link_manager.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/link/peer_link.h"
#include "storage/replica/runner.h"
#include "storage/replication/puller.h"
#include "storage/replication/relay_planner.h"
#include "storage/replication/seed_planner.h"

namespace homeport {
namespace {

constexpr absl::Duration kRelayInterval = absl::Milliseconds(500);

}  // namespace

class LinkManager::Impl {
 public:
  Impl(Replica* replica, StreamQueues* queues, LinkOptions options)
      : replica_(replica),
        queues_(queues),
        options_(std::move(options)),
        puller_(replica->name(), options_.silence_max) {
    OnTopology();
    listener_ = replica_->AddListener([this] { Wake(); });
  }
  ~Impl() { Stop(); }

  void OnTopology() {
    std::map<std::string, Peer> gone;
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      gone = std::move(peers_);
      peers_.clear();
      order_.clear();
      const auto topology = replica_->topology();
      for (const RegionInfo& region : topology->regions()) {
        for (const ReplicaInfo& info : region.replicas) {
          if (info.name == replica_->name()) continue;
          auto dial = options_.dial.find(info.name.value());
          const std::string& address = dial == options_.dial.end() ? info.address : dial->second;
          order_.push_back(info.name.value());
          auto kept = gone.find(info.name.value());
          if (kept != gone.end() && kept->second.address == address) {
            peers_[info.name.value()] = std::move(kept->second);
            gone.erase(kept);
          } else {
            peers_[info.name.value()] = {address, PeerLink::Create(replica_, queues_, &runner_,
                                                                   info.name, address, options_)};
          }
        }
      }
    }
    for (auto& [name, peer] : gone) peer.link->Stop();
    absl::MutexLock lock(&mutex_);
    for (auto& [name, peer] : peers_) peer.link->OnTopology();
  }

  std::vector<v1::LinkStatus> Status() const {
    std::vector<v1::LinkStatus> status;
    absl::MutexLock lock(&mutex_);
    for (const std::string& name : order_) status.push_back(peers_.at(name).link->Status());
    return status;
  }

  std::map<std::string, absl::Duration> ClockOffsets() const {
    std::map<std::string, absl::Duration> offsets;
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, peer] : peers_) {
      if (auto offset = peer.link->ClockOffset()) offsets[name] = *offset;
    }
    return offsets;
  }

  void Stop() {
    std::map<std::string, Peer> peers;
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      stopped_ = true;
      peers = std::move(peers_);
      peers_.clear();
      order_.clear();
    }
    replica_->RemoveListener(listener_);
    // They end on the runner.
    for (auto& [name, peer] : peers) peer.link->Stop();
    runner_.Stop();
  }

 private:
  struct Peer {
    std::string address;
    std::shared_ptr<PeerLink> link;
  };

  void Wake() {
    absl::MutexLock lock(&wake_mutex_);
    if (woken_) return;
    woken_ = true;
    runner_.Run([this] { Tick(); });
  }

  void Tick() {
    {
      absl::MutexLock lock(&wake_mutex_);
      woken_ = false;
    }
    std::vector<std::shared_ptr<PeerLink>> links;
    {
      absl::MutexLock lock(&mutex_);
      for (const std::string& name : order_) links.push_back(peers_.at(name).link);
    }
    const SteadyTime now = replica_->clock()->SteadyNow();
    if (now >= relay_next_) {
      relay_next_ = now + kRelayInterval;
      PlanOver(links);
      if (replica_->joining()) LookAtComparisons(links, now);
    }
    for (auto& link : links) link->Tick();
  }

  // A new replica takes writes once what it holds was found to be what some peer holds.
  void LookAtComparisons(const std::vector<std::shared_ptr<PeerLink>>& links, SteadyTime now) {
    for (const auto& link : links) {
      const v1::LinkStatus status = link->Status();
      if (!status.has_verified_age() || status.records_differ() > 0) continue;
      replica_->OnCompared(now - absl::Seconds(status.verified_age().seconds()) -
                           absl::Nanoseconds(status.verified_age().nanos()));
    }
  }

  // Replicas of this region pull far entries once. What a standby's link does not bring has to come
  // from siblings, just as if the link were down.
  std::vector<bool> ChoosePullers(std::vector<RelayCandidate>& candidates) {
    const std::string& self = replica_->name().value();
    const absl::string_view region = absl::string_view(self).substr(0, self.find('/') + 1);
    std::vector<PullCandidate> links;
    links.reserve(candidates.size());
    for (const RelayCandidate& candidate : candidates) {
      links.push_back({candidate.peer, candidate.established,
                       absl::StartsWith(candidate.peer.value(), region), candidate.receiver});
    }
    std::vector<bool> stand_by =
        puller_.StandBy(links, *replica_->view(), replica_->clock()->SteadyNow());
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (!stand_by[i]) continue;
      candidates[i].established = false;
      candidates[i].down = true;
    }
    return stand_by;
  }

  struct Plan {
    std::vector<bool> stand_by;
    RelayPlan relays;
    SeedPlan seeding;
  };

  // Collects candidates under all links' locks (always taken in the topology's order), plans, and
  // tells each link what it is to relay and to seed.
  void PlanOver(const std::vector<std::shared_ptr<PeerLink>>& links) {
    std::vector<RelayCandidate> candidates;
    Plan plan;
    Collect(links, 0, candidates, plan);
    for (size_t i = 0; i < links.size(); ++i) {
      links[i]->StandBy(plan.stand_by[i]);
      links[i]->WantRelay(std::move(plan.relays.relays[i]), std::move(plan.relays.waits[i]));
      const bool asked = plan.seeding.ask && plan.seeding.ask->candidate == i;
      links[i]->WantSeed(asked ? std::optional<std::string>(plan.seeding.ask->name_space)
                               : std::nullopt);
    }
    if (plan.seeding.seed_all) replica_->SeedAll(std::move(*plan.seeding.seed_all));
  }
  void Collect(const std::vector<std::shared_ptr<PeerLink>>& links, size_t at,
               std::vector<RelayCandidate>& candidates, Plan& plan) {
    if (at == links.size()) {
      const std::shared_ptr<const ReplicaView> view = replica_->view();
      plan.stand_by = ChoosePullers(candidates);
      plan.relays = PlanRelays(*view, replica_->name(), *replica_->topology(), candidates);
      plan.seeding = PlanSeeding(*view, replica_->name(), *replica_->topology(), candidates);
      return;
    }
    links[at]->WithCandidate([&](const RelayCandidate& candidate) {
      candidates.push_back(candidate);
      Collect(links, at + 1, candidates, plan);
    });
  }

  Replica* const replica_;
  StreamQueues* const queues_;
  const LinkOptions options_;
  int listener_ = 0;
  mutable absl::Mutex mutex_;
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> order_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex wake_mutex_;
  bool woken_ ABSL_GUARDED_BY(wake_mutex_) = false;
  PullerChoice puller_;                                // the runner's
  SteadyTime relay_next_ = -absl::InfiniteDuration();  // the runner's
  Runner runner_;
};

LinkManager::LinkManager(Replica* replica, StreamQueues* queues, LinkOptions options)
    : impl_(std::make_unique<Impl>(replica, queues, std::move(options))) {}
LinkManager::~LinkManager() = default;
void LinkManager::OnTopology() { impl_->OnTopology(); }
std::vector<v1::LinkStatus> LinkManager::Status() const { return impl_->Status(); }
std::map<std::string, absl::Duration> LinkManager::ClockOffsets() const {
  return impl_->ClockOffsets();
}
void LinkManager::Stop() { impl_->Stop(); }

}  // namespace homeport
