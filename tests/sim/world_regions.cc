// What replicas do because of regions: who pulls from afar, whose clock is believed, and which
// writes enough regions have.
#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace homeport::sim {

void World::ChoosePullers(int at, std::vector<RelayCandidate>& candidates) {
  const int region = shape_.region_of[at];
  std::vector<int> peers;
  std::vector<PullCandidate> links;
  for (int from = 0; from < size(); ++from) {
    const Link& link = LinkOf(from, at);
    if (from == at || !shape_.Lists(from, nodes_[at].version)) continue;
    peers.push_back(from);
    links.push_back({link.receiver->peer(), link.receiver->established(),
                     shape_.region_of[from] == region, link.receiver.get()});
  }
  const std::vector<bool> stand_by =
      nodes_[at].puller->StandBy(links, *nodes_[at].core->view(), MomentAt(at).steady);
  for (size_t i = 0; i < candidates.size(); ++i) {
    Link& link = LinkOf(peers[i], at);
    if (stand_by[i]) coverage_->Covered(Path::kStoodBy);
    if (link.stands_by && !stand_by[i]) coverage_->Covered(Path::kPullerReplaced);
    link.stands_by = stand_by[i];
    link.receiver->StandBy(stand_by[i]);
    if (!stand_by[i]) continue;
    // What a standby's link does not bring has to come from siblings, as if the link were down.
    candidates[i].established = false;
    candidates[i].down = true;
  }
}

absl::Time World::ClockReading(int at) const {
  const Moment moment = MomentAt(at);
  return std::max(moment.wall, ToWallTime(nodes_[at].core->view()->TimeAt(moment.steady)));
}

void World::ObserveClock(Link& link, const internal::v1::PullResponse& response) {
  Node& node = nodes_[link.to];
  const absl::Time now = ClockReading(link.to);
  const auto observe = [&](uint64_t micros, absl::Time before) {
    if (micros == 0) return;
    node.guard->Observe(link.receiver->peer(),
                        BoundsOf(absl::FromUnixMicros(static_cast<int64_t>(micros)), before, now));
  };
  if (response.has_hello()) {
    link.hello_took = now_ - link.hello_sent_at;
    observe(response.hello().wall_micros(), link.hello_sent);
  }
  if (response.has_heartbeat()) {
    observe(response.heartbeat().wall_micros(), absl::InfinitePast());
  }
}

bool World::MayWrite(int at) {
  constexpr Micros kMargin = 200 * kMilli;
  Node& node = nodes_[at];
  const bool suspect = node.guard->verdict() == ClockGuard::Verdict::kSuspect;
  bool all_right = std::llabs(node.offset) < kMargin;
  bool surely_ahead = node.started_ahead > shape_.drift_max;
  for (int from = 0; from < size(); ++from) {
    if (from == at) continue;
    const Link& link = LinkOf(from, at);
    all_right = all_right && std::llabs(nodes_[from].offset) < kMargin;
    surely_ahead = surely_ahead && link.receiver->established() &&
                   std::llabs(nodes_[from].offset) < kMargin &&
                   node.started_ahead > shape_.drift_max + link.hello_took + 2 * kMargin;
  }
  if (suspect) coverage_->Covered(Path::kClockSuspect);
  if (suspect && all_right && !clocks_bent_ && shape_.drift_max > 2 * kMargin) {
    Fail(absl::StrCat(shape_.ReplicaNameOf(at), " refuses writes although all clocks agree"));
  }
  if (!suspect && surely_ahead && node.guard->verdict() == ClockGuard::Verdict::kUndecided) {
    Fail(absl::StrCat(shape_.ReplicaNameOf(at),
                      " takes writes although all peers have shown that its clock is ahead"));
  }
  return !suspect;
}

void World::AnswerWanted(int at) {
  Node& node = nodes_[at];
  std::erase_if(node.wanted, [&](const Node::Wanted& wanted) {
    const ShapeNamespace& info = shape_.namespaces[wanted.name_space];
    std::vector<std::string> others;
    int have = 0;
    for (int region = 0; region < shape_.regions; ++region) {
      if (region == shape_.region_of[at] || !RegionHolds(at, region, wanted.name_space)) {
        continue;
      }
      others.push_back(absl::StrCat("r", region));
      for (int i = 0; i < size(); ++i) {
        const ReplicaView* last = nodes_[i].last_view.get();
        if (shape_.region_of[i] != region || last == nullptr) continue;
        if (last->AppliedOf(wanted.origin) < wanted.sequence) continue;
        ++have;
        break;
      }
    }
    if (node.acks.Count(wanted.origin, wanted.sequence, info.name, others) < wanted.regions) {
      return false;
    }
    // A peer's disk may have gone after it had said what it has.
    if (have + disks_lost_ < wanted.regions) {
      Fail(absl::StrCat(shape_.ReplicaNameOf(at), " answers that ", wanted.regions,
                        " other regions have a write, and ", have, " have"));
    }
    coverage_->Covered(Path::kAcknowledgedByRegions);
    EntryRecord* entry = history_.Find(wanted.origin.value(), wanted.sequence.value());
    if (entry != nullptr) entry->regions = std::max(entry->regions, wanted.regions);
    return true;
  });
}

}  // namespace homeport::sim
