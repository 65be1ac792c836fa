// Which regions have applied what: for writes that are answered only once so many other regions
// have them. No I/O.
//
// A region has a write when one of its replicas has applied it, durably, and holds the write's
// namespace whole, by the same topology: by another one it may have applied the write by leaving it
// out. What is known comes from the peers themselves, over the links on which they
// pull, and from their reports that others pass on.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/ids.h"
#include "homeport/internal/v1/replication.pb.h"

namespace homeport {

// Thread-compatible.
class RegionAcks {
 public:
  // Members that are kept at most; there are as many as the topology has replicas, and those that
  // left.
  static constexpr size_t kMembersMax = 1000;

  using Reports = google::protobuf::RepeatedPtrField<internal::v1::OriginReport>;

  // The topology in force here.
  void SetTopology(std::string fingerprint) { fingerprint_ = std::move(fingerprint); }
  // A peer's stream began. What was known of the peer is forgotten: its disk may be another one.
  void OnHello(const internal::v1::Hello& hello);
  // What the peer has by now, as far as it has changed since its hello.
  void OnAcknowledged(const ReplicaName& peer, const Reports& reports);
  // What others know of a member. A report of another start than is known replaces it if it is
  // later.
  void OnMemberReport(const internal::v1::MemberReport& report);

  // How many of the regions have an entry of the namespace.
  int Count(Origin origin, Sequence sequence, absl::string_view name_space,
            absl::Span<const std::string> regions) const;

 private:
  struct Member {
    Origin start;
    std::string fingerprint;
    uint64_t as_of = 0;  // of the last report that was passed on
    std::map<Origin, Sequence> applied;
    std::set<std::string> partial;
  };
  static void Raise(Member& member, const Reports& reports);
  // Null if there are too many.
  Member* Add(const std::string& replica);

  std::string fingerprint_;
  size_t members_ = 0;
  // By region, then by replica.
  std::map<std::string, std::map<ReplicaName, Member>, std::less<>> regions_;
};

}  // namespace homeport
