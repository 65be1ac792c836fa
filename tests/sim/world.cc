#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/replication/kept_items.h"
#include "tests/sim/invariants.h"

namespace homeport::sim {

World::World(const Shape& shape, Random random, Trace* trace, Coverage* coverage)
    : shape_(shape),
      random_(random),
      trace_(trace),
      coverage_(coverage),
      nodes_(shape.replicas()),
      links_(static_cast<size_t>(shape.replicas() * shape.replicas())),
      invariants_(std::make_unique<Invariants>(this)) {
  for (int from = 0; from < size(); ++from) {
    for (int to = 0; to < size(); ++to) {
      LinkOf(from, to).from = from;
      LinkOf(from, to).to = to;
    }
  }
  for (size_t i = 0; i < shape.story.versions.size(); ++i) {
    topologies_.push_back(shape.MakeTopology(static_cast<int>(i)));
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

void World::Begin() {
  for (int at = 0; at < size(); ++at) {
    // Coarse clocks that agree make ties of timestamps.
    if (shape_.clock_grain == 1) {
      nodes_[at].offset = random_.Between(-100 * kMilli, 100 * kMilli);
      nodes_[at].rate = random_.Between(-100, 100);
    }
    Start(at);
  }
  BeginRollouts();
}

void World::TellDifferences() {
  for (const auto& [origin, of] : history_.origins()) {
    std::string text;
    bool differ = false;
    for (int at = 0; at < size(); ++at) {
      const ReplicaView* view = nodes_[at].last_view.get();
      const OriginView* known = view == nullptr ? nullptr : view->Find(Origin(origin));
      const uint64_t received = known == nullptr ? 0 : known->received.value();
      const uint64_t applied = known == nullptr ? 0 : known->applied.value();
      differ = differ || received != of.last || applied != of.last;
      absl::StrAppend(&text, " ", shape_.ReplicaNameOf(at), " ", received, "/", applied,
                      known == nullptr || known->log_begin.value() == 1
                          ? ""
                          : absl::StrCat(" from ", known->log_begin.value()),
                      view != nullptr && view->seeding != nullptr ? " seeding" : "",
                      known != nullptr && known->frozen ? " frozen" : "", ";");
    }
    if (!differ) continue;
    text = absl::StrCat(absl::Hex(origin, absl::kZeroPad16), " of ",
                        of.replica == -1 ? "?" : shape_.ReplicaNameOf(of.replica), " ends at ",
                        of.last, ":", text);
    trace_->Tell([&] { return text; });
  }
  for (int at = 0; at < size(); ++at) {
    const Node& node = nodes_[at];
    if (!Listed(at) || !node.running()) continue;
    const ReplicaView& view = *node.core->view();
    for (const NamespaceInfo& info : TopologyOf(at).namespaces()) {
      const std::string& name = info.name.value();
      const bool kept = view.kept != nullptr && view.kept->cuts.contains(name);
      if (view.HoldsWhole(name) && !kept) continue;
      trace_->Tell([&] {
        return absl::StrCat(shape_.ReplicaNameOf(at), kept ? " keeps " : " waits for ", name);
      });
    }
    for (int from = 0; from < size(); ++from) {
      const Link& link = LinkOf(from, at);
      if (link.receiver == nullptr) continue;
      const v1::LinkStatus status = link.receiver->Status(view, MomentAt(at).wall);
      if (status.state() == v1::LINK_STATE_STREAMING) continue;
      trace_->Tell([&] {
        return absl::StrCat(shape_.ReplicaNameOf(at), " of ", status.peer(), ": ",
                            v1::LinkState_Name(status.state()), ", ", status.reason());
      });
    }
  }
  if (invariants_->AwaitsRepair()) trace_->Tell([] { return "what was lost differs"; });
}

bool World::Converged() {
  const ReplicaView* first = nullptr;
  if (rollouts_done_ < shape_.story.rollouts.size()) return false;
  for (int at = 0; at < size(); ++at) {
    Node& node = nodes_[at];
    const bool takes = shape_.story.rollouts.empty() || shape_.story.rollouts.back().reach == 1000;
    if (takes && node.version + 1 < static_cast<int>(topologies_.size())) return false;
    if (!Listed(at)) continue;
    if (!node.running() || node.paused_until > now_ || node.old_disk) return false;
    if (node.join && node.join->phase() != JoinState::Phase::kServing) return false;
    if (!node.operations.empty()) return false;
    const ReplicaView& view = *node.core->view();
    // What is kept of a namespace that was taken away is to go.
    if (view.kept != nullptr && !view.kept->cuts.empty()) return false;
    for (size_t i = 0; i < shape_.namespaces.size(); ++i) {
      if (IsPartial(at, static_cast<int>(i))) return false;
    }
    if (first == nullptr) first = &view;
    if (view.origins.size() != first->origins.size()) return false;
    for (size_t i = 0; i < view.origins.size(); ++i) {
      const OriginView& a = view.origins[i];
      const OriginView& b = first->origins[i];
      if (a.origin != b.origin || a.applied != a.received || a.applied != b.applied) return false;
    }
  }
  const auto lost = [](const Node& node) { return node.disk_lost; };
  if (std::any_of(nodes_.begin(), nodes_.end(), lost) && invariants_->AwaitsRepair()) return false;
  converged_ = true;
  invariants_->CheckConverged();
  return true;
}

}  // namespace homeport::sim
