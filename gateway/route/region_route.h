// Routes that choose the region of a request. One policy a class; they compose.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/route/region_rules.h"
#include "gateway/route/route_world.h"

namespace homeport {

class RegionRoute;

// A region, why, and the route that said so.
struct RegionPick {
  int region = 0;
  v1::RouteReason reason = v1::ROUTE_REASON_UNSPECIFIED;
  const RegionRoute* by = nullptr;
};

// Chooses one region, or has no answer. Immutable, thread-safe, no I/O. Children are owned.
class RegionRoute {
 public:
  virtual ~RegionRoute() = default;
  virtual std::optional<RegionPick> Pick(const RouteInput& input) const = 0;
  // Why the route picked `pick`, which it did for this input, in words.
  virtual std::string Why(const RouteInput& input, const RegionPick& pick) const = 0;
  // The route with its parameters and children, "nearest(eu-west, us-east)".
  virtual std::string Name() const = 0;
};

using RegionRoutePtr = std::unique_ptr<const RegionRoute>;

// The region that the operator's table of address ranges names, or this gateway's own for a private
// or reserved address. No answer for other places.
class PinnedRoute final : public RegionRoute {
 public:
  explicit PinnedRoute(const RouteWorld& world) : world_(world) {}
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override { return "pinned"; }

 private:
  const RouteWorld& world_;
};

// The region of the first rule that matches the place. No answer when none does.
class RuleRoute final : public RegionRoute {
 public:
  explicit RuleRoute(const RegionRules& rules) : rules_(rules) {}
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override;

 private:
  const RegionRules& rules_;
};

// The region of a set with the least great-circle distance to the client, ties by name. No answer
// when the client's coordinates are not known.
class NearestRoute final : public RegionRoute {
 public:
  // `regions` is in name order and not empty; `of` says what they are, "the regions that hold 'x'".
  NearestRoute(const RouteWorld& world, std::vector<int> regions, std::string of);
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override;
  // The region of the set that is nearest to a point.
  int NearestTo(const UnitVector& point) const;
  const std::string& of() const { return of_; }

 private:
  const RouteWorld& world_;
  const std::vector<int> regions_;
  const std::string of_;
};

// The topology's default region, or this gateway's own.
class DefaultRoute final : public RegionRoute {
 public:
  explicit DefaultRoute(const RouteWorld& world) : world_(world) {}
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override;

 private:
  const RouteWorld& world_;
};

// One region, whoever asks.
class FixedRegionRoute final : public RegionRoute {
 public:
  FixedRegionRoute(const RouteWorld& world, int region, v1::RouteReason reason, std::string why)
      : world_(world), region_(region), reason_(reason), why_(std::move(why)) {}
  std::optional<RegionPick> Pick(const RouteInput&) const override {
    return RegionPick{region_, reason_, this};
  }
  std::string Why(const RouteInput&, const RegionPick&) const override { return why_; }
  std::string Name() const override;

 private:
  const RouteWorld& world_;
  const int region_;
  const v1::RouteReason reason_;
  const std::string why_;
};

// The region of a set with the least round trip from this gateway, ties by name. For the region
// choice of that name, and what stands in for the gateway's own region where that is not in the
// set.
class FastestRoute final : public RegionRoute {
 public:
  // `regions` is in name order and not empty; `of` says what they are. `reason` is FASTEST or
  // GATEWAY_REGION.
  FastestRoute(const RouteWorld& world, std::vector<int> regions, v1::RouteReason reason,
               std::string of);
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override;

 private:
  const RouteWorld& world_;
  const std::vector<int> regions_;
  const v1::RouteReason reason_;
  const std::string of_;
};

// The answer of the first child that has one.
class FirstOfRoute final : public RegionRoute {
 public:
  // One child is returned as it is. `children` is not empty.
  static RegionRoutePtr Create(std::vector<RegionRoutePtr> children);
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override;

 private:
  explicit FirstOfRoute(std::vector<RegionRoutePtr> children) : children_(std::move(children)) {}
  const std::vector<RegionRoutePtr> children_;
};

// The child's region if it holds a namespace; otherwise the one that does and is nearest to the
// client, or to the child's region when the client's coordinates are not known.
class HeldRoute final : public RegionRoute {
 public:
  HeldRoute(const RouteWorld& world, RegionRoutePtr child, const NamespaceInfo& name_space,
            std::unique_ptr<const NearestRoute> nearest);
  std::optional<RegionPick> Pick(const RouteInput& input) const override;
  std::string Why(const RouteInput& input, const RegionPick& pick) const override;
  std::string Name() const override;

 private:
  const RouteWorld& world_;
  const RegionRoutePtr child_;
  const std::string name_space_;
  std::vector<bool> held_;  // by region
  const std::unique_ptr<const NearestRoute> nearest_;
};

}  // namespace homeport
