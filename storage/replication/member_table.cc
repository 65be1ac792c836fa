#include "storage/replication/member_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/replication/kept_items.h"
#include "storage/replication/replica_view.h"

namespace homeport {
namespace {

using internal::v1::MemberReport;
using internal::v1::OriginReport;

void Raise(const MemberReport& report, Member& member) {
  for (const OriginReport& said : report.origins()) {
    const Origin origin(said.origin());
    if (member.origins.size() >= kOriginsMax && !member.origins.contains(origin)) continue;
    MemberOrigin& known = member.origins[origin];
    known.received = std::max(known.received, Sequence(said.received()));
    known.applied = std::max(known.applied, Sequence(said.applied()));
  }
}

// Whether an origin is frozen goes back and forth, so the later report says it.
void TakeFrozen(const MemberReport& report, Member& member) {
  for (const OriginReport& said : report.origins()) {
    auto known = member.origins.find(Origin(said.origin()));
    if (known != member.origins.end()) known->second.frozen = said.frozen();
  }
}

// What is in `now` and not in `before`.
MemberReport ReportOf(const ReplicaName& name, const Member& now, const Member* before) {
  MemberReport report;
  report.set_replica(name.value());
  report.set_start(now.start.value());
  report.set_as_of(now.as_of.value());
  report.set_topology_fingerprint(now.fingerprint);
  for (const auto& [origin, has] : now.origins) {
    if (before != nullptr && before->Of(origin) == has) continue;
    OriginReport* said = report.add_origins();
    said->set_origin(origin.value());
    said->set_received(has.received.value());
    said->set_applied(has.applied.value());
    said->set_frozen(has.frozen);
  }
  for (const std::string& name_space : now.partial) report.add_partial_namespaces(name_space);
  for (const std::string& name_space : now.kept) report.add_kept_namespaces(name_space);
  return report;
}

std::shared_ptr<const Member> OwnOf(const ReplicaView& view) {
  auto own = std::make_shared<Member>();
  own->start = view.self;
  own->as_of = view.time;
  own->fingerprint = view.topology_fingerprint;
  for (const OriginView& origin : view.origins) {
    own->origins[origin.origin] = {origin.received, origin.applied, origin.frozen};
  }
  if (view.seeding != nullptr) {
    for (const NamespaceSeeding& seeding : view.seeding->namespaces) {
      if (seeding.partial) own->partial.insert(seeding.name);
    }
  }
  if (view.kept != nullptr) {
    for (const auto& [name_space, cut] : view.kept->cuts) own->kept.insert(name_space);
  }
  return own;
}

}  // namespace

std::string LeftText(const ReplicaName& replica, Origin origin) {
  return absl::StrCat(replica.value(),
                      " has left, and comes back with the data of that time (origin ",
                      absl::Hex(origin.value(), absl::kZeroPad16),
                      "); it has to begin with an empty data directory");
}

MemberSet MembersOf(const Topology& topology) {
  MemberSet set;
  set.fingerprint = topology.fingerprint();
  for (size_t region = 0; region < topology.regions().size(); ++region) {
    for (const ReplicaInfo& replica : topology.regions()[region].replicas) {
      auto& held = set.members[replica.name];
      for (const NamespaceInfo& info : topology.namespaces()) {
        if (info.HeldBy(static_cast<int>(region))) held.insert(info.name.value());
      }
    }
  }
  return set;
}

void MemberTable::SetMembers(MemberSet members) {
  members_ = std::move(members);
  const auto gone = [this](const auto& item) { return !members_.Lists(item.first); };
  std::erase_if(past_, gone);
  auto reports = std::make_shared<MemberReports>(*reports_);
  if (std::erase_if(*reports, gone) > 0) reports_ = std::move(reports);
}

bool MemberTable::Observe(const MemberReport& report, const ReplicaName& from) {
  const ReplicaName name(report.replica());
  const Origin start(report.start());
  const HybridTime as_of(report.as_of());
  if (name == self_ || !members_.Lists(name) || start == Origin(0) ||
      report.partial_namespaces_size() > kPartialMax ||
      report.kept_namespaces_size() > kPartialMax) {
    return false;
  }
  std::set<Origin>& past = past_[name].starts;
  if (past.contains(start)) return false;
  const Member* known = Find(name);
  auto next = std::make_shared<Member>();
  if (known != nullptr && known->start == start) {
    *next = *known;
  } else if (known != nullptr) {
    // Its own word is enough; of what others pass on the later counts.
    if (name != from && as_of <= known->as_of) return false;
    if (past.size() >= kPastStartsMax) past.clear();
    past.insert(known->start);
  }
  next->start = start;
  Raise(report, *next);
  // Of two of the same time its own word is the later one.
  const bool later = known == nullptr || known->start != start || as_of > known->as_of ||
                     (name == from && as_of == known->as_of);
  if (later) {
    TakeFrozen(report, *next);
    next->as_of = as_of;
    next->fingerprint = report.topology_fingerprint();
    next->partial.clear();
    next->partial.insert(report.partial_namespaces().begin(), report.partial_namespaces().end());
    next->kept.clear();
    next->kept.insert(report.kept_namespaces().begin(), report.kept_namespaces().end());
  }
  auto reports = std::make_shared<MemberReports>(*reports_);
  (*reports)[name] = std::move(next);
  reports_ = std::move(reports);
  return true;
}

void MemberTable::TakeBackPast(const ReplicaName& name, Origin start) {
  const auto past = past_.find(name);
  if (past != past_.end()) past->second.starts.erase(start);
}

const Member* MemberTable::Find(const ReplicaName& name) const {
  auto found = reports_->find(name);
  return found == reports_->end() ? nullptr : found->second.get();
}

std::vector<ReplicaName> MemberTable::Missing() const {
  std::vector<ReplicaName> missing;
  for (const auto& [name, held] : members_.members) {
    if (name != self_ && Find(name) == nullptr) missing.push_back(name);
  }
  return missing;
}

bool MemberTable::AppliedByAll(Origin origin, Sequence sequence,
                               absl::string_view name_space) const {
  return std::all_of(members_.members.begin(), members_.members.end(), [&](const auto& listed) {
    const auto& [name, held] = listed;
    if (name == self_ || !held.contains(name_space)) return true;
    const Member* member = Find(name);
    return member != nullptr && !member->partial.contains(name_space) &&
           member->Of(origin).applied >= sequence;
  });
}

Sequence MemberTable::MinApplied(Origin origin) const {
  if (members_.members.empty()) return Sequence(0);
  Sequence least(~uint64_t{0});
  for (const auto& [name, held] : members_.members) {
    if (name == self_) continue;
    const Member* member = Find(name);
    least = std::min(least, member == nullptr ? Sequence(0) : member->Of(origin).applied);
  }
  return least;
}

Sequence MemberTable::MaxReceived(Origin origin) const {
  Sequence most(0);
  for (const auto& [name, member] : *reports_) most = std::max(most, member->Of(origin).received);
  return most;
}

bool MemberTable::KnowEachOther(Origin self) const {
  if (members_.members.empty() || !Complete()) return false;
  for (const auto& [name, member] : *reports_) {
    if (member->Of(self).applied == Sequence(0)) return false;
    for (const auto& [other, reported] : *reports_) {
      if (member->Of(reported->start).applied == Sequence(0)) return false;
    }
  }
  return true;
}

void ReportSender::AddTo(internal::v1::Heartbeat& heartbeat, const ReplicaName& self,
                         const ReplicaName& peer, const ReplicaView& view) {
  const auto add = [&](const ReplicaName& name, const std::shared_ptr<const Member>& now) {
    std::shared_ptr<const Member>& last = sent_[name];
    if (last == now) return;
    const bool same_start = last != nullptr && last->start == now->start;
    MemberReport report = ReportOf(name, *now, same_start ? last.get() : nullptr);
    const bool news = !same_start || report.origins_size() > 0 ||
                      last->fingerprint != now->fingerprint || last->partial != now->partial ||
                      last->kept != now->kept;
    if (!news) return;
    *heartbeat.add_members() = std::move(report);
    last = now;
  };
  add(self, OwnOf(view));
  if (view.members == nullptr) return;
  std::erase_if(sent_, [&](const auto& item) {
    return item.first != self && !view.members->contains(item.first);
  });
  for (const auto& [name, member] : *view.members) {
    if (name != peer) add(name, member);
  }
}

}  // namespace homeport
