// Whole replies of the locator and the admin service, as text for people.
#pragma once

#include <string>

#include "homeport/v1/admin.pb.h"
#include "homeport/v1/locator.pb.h"

namespace homeport {

std::string DescribeLocation(const v1::LocateResponse& response);
std::string DescribeRoute(const v1::ExplainRouteResponse& response, bool colours);
// Regions, links with their lag, positions, databases and warnings.
std::string DescribeStatus(const v1::GetStatusResponse& response, bool colours);

}  // namespace homeport
