#include "gateway/server/route_words.h"

#include "absl/strings/str_cat.h"

namespace homeport {
namespace {

absl::string_view WhereOf(const Place& place) {
  if (!place.country.empty()) return place.country;
  switch (place.source) {
    case v1::PLACE_SOURCE_RESERVED:
      return "a private or reserved address";
    case v1::PLACE_SOURCE_CIDR:
      return "an address of the operator's table";
    default:
      return "a place without a country";
  }
}

}  // namespace

std::string RouteInWords(const Topology& topology, const Place& place, int preferred_region,
                         const DispatchResult& result) {
  const std::string& region = topology.regions()[result.target.region].name.value();
  switch (result.reason) {
    case v1::ROUTE_REASON_RULE:
      return absl::StrCat("a rule sends clients at ", WhereOf(place), " to ", region);
    case v1::ROUTE_REASON_NEAREST:
      return absl::StrCat(region, " is the nearest to ", WhereOf(place));
    case v1::ROUTE_REASON_GATEWAY_REGION:
      if (place.source == v1::PLACE_SOURCE_RESERVED) {
        return absl::StrCat("a private or reserved address counts as this gateway's region: ",
                            region);
      }
      return absl::StrCat("the gateway's region decides, not the client's place: ", region);
    case v1::ROUTE_REASON_DEFAULT:
      return absl::StrCat("the client's place is not known; the default is ", region);
    case v1::ROUTE_REASON_FAILOVER:
      return absl::StrCat(topology.regions()[preferred_region].name.value(),
                          " was preferred but not fit or failed; next by round trip is ", region);
    case v1::ROUTE_REASON_FRESHNESS:
      return absl::StrCat(topology.regions()[preferred_region].name.value(),
                          " is further behind or away than was asked for; ", region,
                          " was predicted to meet it first");
    case v1::ROUTE_REASON_FASTEST:
      return absl::StrCat(region, " was predicted to answer first");
    case v1::ROUTE_REASON_ISOLATED:
      return absl::StrCat(region,
                          " is cut off from all other regions, and serves what it has: it may be "
                          "older than was asked for");
    case v1::ROUTE_REASON_LOCAL_ONLY:
      return absl::StrCat("this process' replica was asked for, in ", region);
    default:
      return region;
  }
}

absl::string_view HealthWord(HealthState state) {
  switch (state) {
    case HealthState::kHealthy:
      return "healthy";
    case HealthState::kEjected:
      return "ejected";
    case HealthState::kProbing:
      return "probing";
    case HealthState::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace homeport
