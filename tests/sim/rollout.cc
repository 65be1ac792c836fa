#include "tests/sim/rollout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/shape.h"

namespace homeport::sim {
namespace {

using Kind = RolloutStory::Kind;

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "";
    case Kind::kJoin:
      return "joins";
    case Kind::kLeave:
      return "leaves";
    case Kind::kComeBack:
      return "leaves and comes back";
    case Kind::kGive:
      return "a namespace is given to regions";
    case Kind::kTake:
      return "a namespace is taken from a region";
    case Kind::kRollBack:
      return "a namespace is given to regions, and that is rolled back";
  }
  return "?";
}

TopologyVersion FirstOf(const Shape& shape) {
  TopologyVersion first;
  first.listed.assign(shape.regions, true);
  first.joining.assign(shape.regions, false);
  first.leaving.assign(shape.regions, false);
  for (const ShapeNamespace& info : shape.namespaces) first.held.push_back(info.held);
  return first;
}

int CountOf(const std::vector<bool>& regions) {
  return static_cast<int>(std::count(regions.begin(), regions.end(), true));
}

class Drawer {
 public:
  Drawer(Random random, Shape& shape) : random_(random), shape_(shape), story_(shape.story) {}

  void Draw(Kind kind) {
    story_.kind = kind;
    switch (kind) {
      case Kind::kNone:
        return;
      case Kind::kJoin:
        return Join();
      case Kind::kLeave:
      case Kind::kComeBack:
        return Leave();
      case Kind::kGive:
      case Kind::kTake:
      case Kind::kRollBack:
        return Move();
    }
  }

 private:
  void Roll(TopologyVersion version, Rollout::Waits waits = Rollout::Waits::kForNothing,
            uint64_t reach = 1000) {
    Rollout rollout;
    rollout.version = static_cast<int>(story_.versions.size());
    rollout.at = at_;
    rollout.spread = random_.Between(0, shape_.operations_end / 4);
    rollout.reach = reach;
    rollout.waits = waits;
    at_ += random_.Between(1, shape_.operations_end / 4);
    story_.versions.push_back(std::move(version));
    story_.rollouts.push_back(rollout);
  }

  // Nothing is held by this region alone.
  void ShareWithOthers(int region) {
    for (auto& held : story_.versions[0].held) {
      if (held[region] && CountOf(held) == 1) held[region == 0 ? 1 : 0] = true;
    }
  }

  void Join() {
    story_.region = shape_.regions - 1;
    ShareWithOthers(story_.region);
    story_.versions[0].listed[story_.region] = false;
    // Often enough that it ends while clients are at work.
    shape_.compare_interval = random_.Between(100, 500) * kMilli;
    TopologyVersion next = story_.versions[0];
    next.listed[story_.region] = true;
    next.joining[story_.region] = true;
    Roll(next);
    if (!random_.Chance(500)) return;
    next.joining[story_.region] = false;
    Roll(next);
  }

  void Leave() {
    story_.region = static_cast<int>(random_.Below(shape_.regions));
    ShareWithOthers(story_.region);
    TopologyVersion next = story_.versions[0];
    next.leaving[story_.region] = true;
    Roll(next);
    next.leaving[story_.region] = false;
    next.listed[story_.region] = false;
    Roll(next, Rollout::Waits::kForHandover);
    if (story_.kind != Kind::kComeBack) return;
    next.listed[story_.region] = true;
    next.joining[story_.region] = true;
    Roll(next, Rollout::Waits::kForDeparture);
  }

  void Move() {
    const bool take = story_.kind == Kind::kTake;
    ShapeNamespace moved{"moved", std::vector<bool>(shape_.regions, false)};
    for (int region = 0; region < shape_.regions; ++region) {
      moved.held[region] = random_.Chance(600);
    }
    const int other = static_cast<int>(random_.Below(shape_.regions));
    const int changed = (other + 1) % shape_.regions;
    moved.held[other] = true;
    moved.held[changed] = take;
    // Of two that have to be seeded by each other with the namespace, one has to hold it whole.
    if (!take && CountOf(moved.held) == 1) shape_.log_bytes_max = uint64_t{1} << 30;
    if (random_.Chance(300)) {
      moved.type =
          random_.Chance(500) ? internal::v1::ITEM_TYPE_COUNTER : internal::v1::ITEM_TYPE_SET;
    }
    shape_.namespaces.push_back(moved);
    story_.versions[0].held.push_back(moved.held);
    TopologyVersion next = story_.versions[0];
    next.held.back()[changed] = !take;
    Roll(next, Rollout::Waits::kForNothing,
         story_.kind == Kind::kRollBack ? static_cast<uint64_t>(random_.Between(200, 1000)) : 1000);
    if (story_.kind == Kind::kRollBack) Roll(story_.versions[0]);
  }

  Random random_;
  Shape& shape_;
  RolloutStory& story_;
  int64_t at_ = random_.Between(0, shape_.operations_end / 3);
};

}  // namespace

std::string RolloutStory::Describe() const {
  if (kind == Kind::kNone) return "";
  return region == -1 ? NameOf(kind) : absl::StrCat("r", region, " ", NameOf(kind));
}

void DrawRollouts(Random random, Shape& shape) {
  shape.story.versions = {FirstOf(shape)};
  if (random.Chance(200)) shape.disks_lost_max = static_cast<int>(random.Between(2, 3));
  shape.mixed_frames = random.Split(1).Chance(300);
  if (!random.Chance(250)) return;
  Kind kind = static_cast<Kind>(random.Between(1, 6));
  const bool regions = kind == Kind::kJoin || kind == Kind::kLeave || kind == Kind::kComeBack;
  // Who is left has somebody to hand over to.
  if (regions && shape.regions < 3) kind = Kind::kGive;
  // What only a lost disk had of a namespace that moves, nobody could tell from what moved.
  if (kind != Kind::kJoin) shape.lose_disk = false;
  Drawer(random, shape).Draw(kind);
}

}  // namespace homeport::sim
