// Conflicts as text for people.
#pragma once

#include <string>
#include <vector>

#include "homeport/v1/admin.pb.h"

namespace homeport {

// A line each, under a header.
std::string DescribeConflicts(const std::vector<v1::Conflict>& conflicts, bool colours);
// All that there is to say of one.
std::string DescribeConflict(const v1::Conflict& conflict);

}  // namespace homeport
