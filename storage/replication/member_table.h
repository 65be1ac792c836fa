// What the members of the cluster have, as far as they have said: for each the greatest positions
// that it is known to have had at one moment of its present start.
//
// Heartbeats carry reports: a member's own, and what it knows of others. A report has only what has
// changed since the link's last one, in one message, so that an entry of the table is always at
// least some state that the member really was in. A later start begins anew: the disk may have been
// lost in between. Nothing of this is stored: after a start nothing is known, and whatever needs a
// report waits.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/ids.h"
#include "common/topology/topology.h"
#include "homeport/internal/v1/replication.pb.h"
#include "storage/replication/member_view.h"

namespace homeport {

struct ReplicaView;

// Who the members are, by one topology.
struct MemberSet {
  std::string fingerprint;
  // Every listed replica, with the namespaces that it may hold.
  std::map<ReplicaName, std::set<std::string, std::less<>>> members;

  bool Lists(const ReplicaName& name) const { return members.contains(name); }
  // True if `name` is the first of the members by name.
  bool IsFirst(const ReplicaName& name) const {
    return !members.empty() && members.begin()->first == name;
  }
};

MemberSet MembersOf(const Topology& topology);

// Thread-compatible.
class MemberTable {
 public:
  // Starts of a member that are remembered as past.
  static constexpr size_t kPastStartsMax = 64;
  // A report names at most this many namespaces of a kind; what is beyond makes it useless.
  static constexpr int kPartialMax = 10'000;

  explicit MemberTable(ReplicaName self)
      : self_(std::move(self)), reports_(std::make_shared<const MemberReports>()) {}

  // Forgets who is not listed any more. Before the first call nobody is listed.
  void SetMembers(MemberSet members);
  const MemberSet& members() const { return members_; }

  // Takes note of a report that came from `from`. False if it says nothing new: it is about this
  // replica, about nobody who is listed, or about an earlier start.
  bool Observe(const internal::v1::MemberReport& report, const ReplicaName& from);

  // The replica begins a stream by that start, so it is not past, whatever was thought: the times
  // by which hearsay is judged may mislead.
  void TakeBackPast(const ReplicaName& name, Origin start);

  // Null while nothing is known.
  const Member* Find(const ReplicaName& name) const;
  // True once every other member has been heard of.
  bool Complete() const { return Missing().empty(); }
  // The listed members that were not heard of, in name order.
  std::vector<ReplicaName> Missing() const;
  // True if every other member that may hold the namespace has applied the entry and holds the
  // namespace whole.
  bool AppliedByAll(Origin origin, Sequence sequence, absl::string_view name_space) const;
  // What every other member has applied; 0 while anybody's is not known. Without other members all.
  Sequence MinApplied(Origin origin) const;
  // The greatest position that another member has received; 0 if none has any.
  Sequence MaxReceived(Origin origin) const;
  // True if every other member was heard of, and has heard of the present start of every member:
  // what it may have of earlier starts is in its report, or comes from another member. `self`: of
  // this replica.
  bool KnowEachOther(Origin self) const;

  // For links, which pass it on. Never null.
  const std::shared_ptr<const MemberReports>& reports() const { return reports_; }

 private:
  struct Past {
    std::set<Origin> starts;
  };

  ReplicaName self_;
  MemberSet members_;
  std::shared_ptr<const MemberReports> reports_;
  std::map<ReplicaName, Past> past_;
};

// Makes the reports for one link: each message has what has changed since the one before.
// Thread-compatible.
class ReportSender {
 public:
  // Adds what is new: this replica's own report by `view`, then those of others but `peer`.
  void AddTo(internal::v1::Heartbeat& heartbeat, const ReplicaName& self, const ReplicaName& peer,
             const ReplicaView& view);

 private:
  MemberReports sent_;
};

}  // namespace homeport
