#include "storage/replication/region_acks.h"

#include <algorithm>

#include "storage/replication/replica_view.h"

namespace homeport {
namespace {

std::string RegionOf(absl::string_view replica) {
  return std::string(replica.substr(0, replica.find('/')));
}

}  // namespace

void RegionAcks::Raise(Member& member, const Reports& reports) {
  for (const internal::v1::OriginReport& report : reports) {
    const Origin origin(report.origin());
    if (member.applied.size() >= kOriginsMax && !member.applied.contains(origin)) continue;
    Sequence& applied = member.applied[origin];
    applied = std::max(applied, Sequence(report.applied()));
  }
}

RegionAcks::Member* RegionAcks::Add(const std::string& replica) {
  std::map<ReplicaName, Member>& region = regions_[RegionOf(replica)];
  auto found = region.find(ReplicaName(replica));
  if (found != region.end()) return &found->second;
  if (members_ >= kMembersMax) return nullptr;
  ++members_;
  return &region[ReplicaName(replica)];
}

void RegionAcks::OnHello(const internal::v1::Hello& hello) {
  Member* added = Add(hello.replica());
  if (added == nullptr) return;
  Member& member = *added;
  member = Member();
  member.start = Origin(hello.origin());
  member.fingerprint = hello.topology_fingerprint();
  member.partial.insert(hello.partial_namespaces().begin(), hello.partial_namespaces().end());
  Raise(member, hello.origins());
}

void RegionAcks::OnAcknowledged(const ReplicaName& peer, const Reports& reports) {
  auto region = regions_.find(RegionOf(peer.value()));
  if (region == regions_.end()) return;
  auto member = region->second.find(peer);
  if (member != region->second.end()) Raise(member->second, reports);
}

void RegionAcks::OnMemberReport(const internal::v1::MemberReport& report) {
  Member* added = Add(report.replica());
  if (added == nullptr) return;
  Member& member = *added;
  if (report.as_of() < member.as_of) return;
  // Of an earlier start than the one that said hello here nothing is believed; of a later one the
  // report may lack what has not changed, which only delays an answer.
  if (member.start != Origin(report.start())) {
    if (member.as_of == 0 && member.start != Origin(0)) return;
    member = Member();
    member.start = Origin(report.start());
  }
  member.as_of = report.as_of();
  member.fingerprint = report.topology_fingerprint();
  member.partial.clear();
  member.partial.insert(report.partial_namespaces().begin(), report.partial_namespaces().end());
  Raise(member, report.origins());
}

int RegionAcks::Count(Origin origin, Sequence sequence, absl::string_view name_space,
                      absl::Span<const std::string> regions) const {
  const auto has = [&](const std::string& name) {
    auto region = regions_.find(name);
    if (region == regions_.end()) return false;
    return std::any_of(region->second.begin(), region->second.end(), [&](const auto& entry) {
      const Member& member = entry.second;
      auto applied = member.applied.find(origin);
      return member.fingerprint == fingerprint_ && applied != member.applied.end() &&
             applied->second >= sequence && !member.partial.contains(std::string(name_space));
    });
  };
  return static_cast<int>(std::count_if(regions.begin(), regions.end(), has));
}

}  // namespace homeport
