#include "client/text/region_text.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/text/describe.h"

namespace homeport {
namespace {

bool IsOf(const std::string& replica, absl::string_view region) {
  return absl::StartsWith(replica, absl::StrCat(region, "/"));
}

}  // namespace

std::string DescribeJoin(const v1::ReplicaStatus& replica) {
  switch (replica.phase()) {
    case v1::REPLICA_PHASE_CATCHING_UP: {
      std::string text =
          absl::StrFormat("%s: catching up, %.0f%%", replica.name(), replica.progress() * 100);
      if (replica.has_remaining()) {
        absl::StrAppend(&text, ", about ", Describe(DurationOf(replica.remaining())), " left");
      }
      return text;
    }
    case v1::REPLICA_PHASE_COMPARING:
      return absl::StrCat(replica.name(), ": answers reads, ", replica.phase_detail());
    case v1::REPLICA_PHASE_LEAVING:
      return absl::StrCat(replica.name(), ": its region is leaving");
    default:
      break;
  }
  if (!replica.writes_refused().empty()) {
    return absl::StrCat(replica.name(), ": answers reads, ", replica.writes_refused());
  }
  return absl::StrCat(replica.name(), ": serves");
}

bool HasJoined(const v1::ReplicaStatus& replica) {
  return replica.phase() == v1::REPLICA_PHASE_SERVING && replica.writes_refused().empty();
}

std::string DescribeLeave(const v1::ReplicaStatus& replica, absl::string_view region) {
  std::vector<std::string> open;
  for (const v1::MemberStatus& member : replica.members()) {
    if (IsOf(member.replica(), region)) continue;
    if (!member.known()) {
      open.push_back(absl::StrCat(member.replica(), " was not heard of"));
    } else if (member.missing_entries() > 0) {
      open.push_back(
          absl::StrCat(member.replica(), " lacks ", member.missing_entries(), " entries"));
    }
  }
  return absl::StrCat(replica.name(), ": ",
                      open.empty() ? "handed over" : absl::StrJoin(open, ", "));
}

bool HasHandedOver(const v1::ReplicaStatus& replica, absl::string_view region) {
  for (const v1::MemberStatus& member : replica.members()) {
    if (IsOf(member.replica(), region)) continue;
    if (!member.known() || member.missing_entries() > 0) return false;
  }
  return true;
}

}  // namespace homeport
