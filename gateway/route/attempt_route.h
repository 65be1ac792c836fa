// Routes that list the replicas of a request, best first. One policy a class; they compose over
// the routes that choose a region.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/route/region_route.h"

namespace homeport {

// Appends replicas to a plan. Immutable, thread-safe, no I/O. Children are owned.
class AttemptRoute {
 public:
  virtual ~AttemptRoute() = default;
  // Makes the whole plan; `plan` is empty before.
  virtual void Fill(const RouteInput& input, Plan& plan) const = 0;
  // Why `attempt` stands where it stands in `plan`, which was made from this input, in words.
  virtual std::string Why(const RouteInput& input, const Plan& plan,
                          const Attempt& attempt) const = 0;
  // The route with its parameters and children.
  virtual std::string Name() const = 0;
};

using AttemptRoutePtr = std::unique_ptr<const AttemptRoute>;

// The replicas of the region that the child chooses: this process' own first, then by name.
class ReplicasRoute final : public AttemptRoute {
 public:
  // `child` always has an answer.
  ReplicasRoute(const RouteWorld& world, RegionRoutePtr child);
  void Fill(const RouteInput& input, Plan& plan) const override;
  std::string Why(const RouteInput& input, const Plan& plan, const Attempt& attempt) const override;
  std::string Name() const override { return child_->Name(); }

 private:
  const RouteWorld& world_;
  const RegionRoutePtr child_;
};

// The child's replicas, then those of the other regions of a set in the order of their round trips
// from this gateway, ties by name.
class FailoverRoute final : public AttemptRoute {
 public:
  // `regions` is in name order. Over a single region, failover is the child.
  static AttemptRoutePtr Create(const RouteWorld& world, AttemptRoutePtr child,
                                std::vector<int> regions);
  void Fill(const RouteInput& input, Plan& plan) const override;
  std::string Why(const RouteInput& input, const Plan& plan, const Attempt& attempt) const override;
  std::string Name() const override;

 private:
  FailoverRoute(const RouteWorld& world, AttemptRoutePtr child, std::vector<int> regions);

  const RouteWorld& world_;
  const AttemptRoutePtr child_;
  const std::vector<int> regions_;
};

// The child's replicas, those that are probing after the healthy ones, and those that are ejected
// last; otherwise in the child's order. None is left out.
class HealthRoute final : public AttemptRoute {
 public:
  explicit HealthRoute(AttemptRoutePtr child) : child_(std::move(child)) {}
  void Fill(const RouteInput& input, Plan& plan) const override;
  std::string Why(const RouteInput& input, const Plan& plan, const Attempt& attempt) const override;
  std::string Name() const override;

 private:
  const AttemptRoutePtr child_;
};

// The replica in this process, and no other.
class LocalOnlyRoute final : public AttemptRoute {
 public:
  LocalOnlyRoute(const RouteWorld& world, Target local) : world_(world), local_(local) {}
  void Fill(const RouteInput& input, Plan& plan) const override;
  std::string Why(const RouteInput& input, const Plan& plan, const Attempt& attempt) const override;
  std::string Name() const override;

 private:
  const RouteWorld& world_;
  const Target local_;
};

}  // namespace homeport
