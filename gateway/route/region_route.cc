#include "gateway/route/region_route.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"

namespace homeport {
namespace {

std::string Names(const RouteWorld& world, const std::vector<int>& regions) {
  return absl::StrJoin(regions, ", ", [&world](std::string* out, int region) {
    absl::StrAppend(out, world.NameOf(region));
  });
}

std::string Distance(const RouteWorld& world, const GeoPoint& from, int region) {
  return absl::StrFormat("%.0f km", DistanceKm(from, world.topology->regions()[region].point));
}

}  // namespace

std::optional<RegionPick> PinnedRoute::Pick(const RouteInput& input) const {
  const Place& place = input.place;
  // A reserved address says nothing of where a client is, but it can only come from nearby.
  if (place.source == v1::PLACE_SOURCE_RESERVED) {
    return RegionPick{world_.gateway.self_region, v1::ROUTE_REASON_GATEWAY_REGION, this};
  }
  // The place may stem from a topology that a reload has just replaced.
  if (!place.pinned_region || *place.pinned_region < 0 ||
      static_cast<size_t>(*place.pinned_region) >= world_.points.size()) {
    return std::nullopt;
  }
  return RegionPick{*place.pinned_region, v1::ROUTE_REASON_RULE, this};
}

std::string PinnedRoute::Why(const RouteInput& input, const RegionPick&) const {
  return input.place.source == v1::PLACE_SOURCE_RESERVED
             ? "private or reserved address: this gateway's region"
             : "rule: the client's address range names this region";
}

std::optional<RegionPick> RuleRoute::Pick(const RouteInput& input) const {
  const std::optional<RegionRules::Match> match = rules_.Find(input.place);
  if (!match) return std::nullopt;
  return RegionPick{match->region, v1::ROUTE_REASON_RULE, this};
}

std::string RuleRoute::Why(const RouteInput& input, const RegionPick&) const {
  return absl::StrCat("rule: ", rules_.Describe(rules_.Find(input.place)->rule),
                      " names this region");
}

std::string RuleRoute::Name() const { return absl::StrCat("rules(", rules_.size(), ")"); }

NearestRoute::NearestRoute(const RouteWorld& world, std::vector<int> regions, std::string of)
    : world_(world), regions_(std::move(regions)), of_(std::move(of)) {
  HP_CHECK(!regions_.empty());
}

int NearestRoute::NearestTo(const UnitVector& point) const {
  int nearest = regions_.front();
  double least = std::numeric_limits<double>::infinity();
  for (int region : regions_) {
    const double chord = point.ChordSquaredTo(world_.points[region]);
    if (chord < least) {
      least = chord;
      nearest = region;
    }
  }
  return nearest;
}

std::optional<RegionPick> NearestRoute::Pick(const RouteInput& input) const {
  if (!input.place.point) return std::nullopt;
  return RegionPick{NearestTo(UnitVector::Of(*input.place.point)), v1::ROUTE_REASON_NEAREST, this};
}

std::string NearestRoute::Why(const RouteInput& input, const RegionPick& pick) const {
  return absl::StrCat("nearest of ", of_, ": ", Distance(world_, *input.place.point, pick.region));
}

std::string NearestRoute::Name() const {
  return absl::StrCat("nearest(", Names(world_, regions_), ")");
}

std::optional<RegionPick> DefaultRoute::Pick(const RouteInput&) const {
  return RegionPick{world_.topology->default_region().value_or(world_.gateway.self_region),
                    v1::ROUTE_REASON_DEFAULT, this};
}

std::string DefaultRoute::Why(const RouteInput&, const RegionPick&) const {
  return world_.topology->default_region()
             ? "the client's place is not known: the default region"
             : "the client's place is not known: this gateway's region";
}

std::string DefaultRoute::Name() const {
  const std::optional<int> region = world_.topology->default_region();
  return absl::StrCat("default(", region ? world_.NameOf(*region) : "own region", ")");
}

std::string FixedRegionRoute::Name() const {
  return absl::StrCat("region(", world_.NameOf(region_), ")");
}

FastestRoute::FastestRoute(const RouteWorld& world, std::vector<int> regions,
                           v1::RouteReason reason, std::string of)
    : world_(world), regions_(std::move(regions)), reason_(reason), of_(std::move(of)) {
  HP_CHECK(!regions_.empty());
}

std::optional<RegionPick> FastestRoute::Pick(const RouteInput& input) const {
  int fastest = regions_.front();
  absl::Duration least = absl::InfiniteDuration();
  for (int region : regions_) {
    const absl::Duration round_trip = world_.RoundTrip(region, input.health).round_trip;
    if (round_trip < least) {
      least = round_trip;
      fastest = region;
    }
  }
  return RegionPick{fastest, reason_, this};
}

std::string FastestRoute::Why(const RouteInput& input, const RegionPick& pick) const {
  const RegionRoundTrip trip = world_.RoundTrip(pick.region, input.health);
  const std::string least = absl::StrCat(
      "the least ", trip.measured ? "measured round trip" : "round trip by the topology", ", ",
      InMilliseconds(trip.round_trip));
  if (reason_ == v1::ROUTE_REASON_FASTEST) return absl::StrCat(least, ", of ", of_);
  return absl::StrCat("this gateway's region '", world_.NameOf(world_.gateway.self_region),
                      "' is not one of ", of_, "; ", least);
}

std::string FastestRoute::Name() const {
  return absl::StrCat("fastest(", Names(world_, regions_), ")");
}

RegionRoutePtr FirstOfRoute::Create(std::vector<RegionRoutePtr> children) {
  HP_CHECK(!children.empty());
  if (children.size() == 1) return std::move(children.front());
  return RegionRoutePtr(new FirstOfRoute(std::move(children)));
}

std::optional<RegionPick> FirstOfRoute::Pick(const RouteInput& input) const {
  for (const RegionRoutePtr& child : children_) {
    if (std::optional<RegionPick> pick = child->Pick(input)) return pick;
  }
  return std::nullopt;
}

std::string FirstOfRoute::Why(const RouteInput& input, const RegionPick& pick) const {
  return pick.by->Why(input, pick);
}

std::string FirstOfRoute::Name() const {
  return absl::StrCat("first_of(",
                      absl::StrJoin(children_, ", ",
                                    [](std::string* out, const RegionRoutePtr& child) {
                                      absl::StrAppend(out, child->Name());
                                    }),
                      ")");
}

HeldRoute::HeldRoute(const RouteWorld& world, RegionRoutePtr child, const NamespaceInfo& name_space,
                     std::unique_ptr<const NearestRoute> nearest)
    : world_(world),
      child_(std::move(child)),
      name_space_(name_space.name.value()),
      held_(world.points.size()),
      nearest_(std::move(nearest)) {
  for (int region : name_space.regions) held_[region] = true;
}

std::optional<RegionPick> HeldRoute::Pick(const RouteInput& input) const {
  std::optional<RegionPick> pick = child_->Pick(input);
  if (!pick || held_[pick->region]) return pick;
  if (std::optional<RegionPick> nearest = nearest_->Pick(input)) {
    nearest->by = this;
    return nearest;
  }
  // Nothing is known of the client but the region that it was sent to, so it is taken to be there.
  return RegionPick{nearest_->NearestTo(world_.points[pick->region]), pick->reason, this};
}

std::string HeldRoute::Why(const RouteInput& input, const RegionPick& pick) const {
  const RegionPick wanted = *child_->Pick(input);
  const std::string& wanted_name = world_.NameOf(wanted.region);
  const bool placed = input.place.point.has_value();
  const GeoPoint from =
      placed ? *input.place.point : world_.topology->regions()[wanted.region].point;
  return absl::StrCat(
      "'", wanted_name, "' (", wanted.by->Why(input, wanted), ") does not hold '", name_space_,
      "'; ",
      placed ? std::string("nearest of ") : absl::StrCat("nearest to '", wanted_name, "' of "),
      nearest_->of(), ": ", Distance(world_, from, pick.region));
}

std::string HeldRoute::Name() const {
  return absl::StrCat("held(", child_->Name(), ", else ", nearest_->Name(), ")");
}

}  // namespace homeport
