// How far regions are that join or leave, in words for people.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "homeport/v1/admin.pb.h"

namespace homeport {

// "eu-north/a: catching up, 43%, about 12.0 s left"
std::string DescribeJoin(const v1::ReplicaStatus& replica);
// True once the replica answers reads and writes.
bool HasJoined(const v1::ReplicaStatus& replica);

// "eu-north/a: us-east/a lacks 120 entries, ap-south/a was not heard of"; members of `region`
// itself are left out.
std::string DescribeLeave(const v1::ReplicaStatus& replica, absl::string_view region);
// True once every member outside `region` has everything of the replica.
bool HasHandedOver(const v1::ReplicaStatus& replica, absl::string_view region);

}  // namespace homeport
