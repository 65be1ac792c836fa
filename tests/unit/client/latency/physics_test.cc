#include "client/latency/core/physics.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(PhysicsTest, AccessIsReadByTheNameThatItHas) {
  for (Access access : {Access::kFibre, Access::k5g, Access::kLte}) {
    EXPECT_EQ(ParseAccess(AccessName(access)), access);
  }
  EXPECT_FALSE(ParseAccess("5G").has_value());
  EXPECT_FALSE(ParseAccess("").has_value());
}

void ExpectRange(Access access, int shortest_ms, int longest_ms) {
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most = absl::ZeroDuration();
  for (uint64_t client = 0; client < 1000; ++client) {
    const absl::Duration last_mile = LastMile(access, 1, client);
    least = std::min(least, last_mile);
    most = std::max(most, last_mile);
  }
  const absl::Duration part = absl::Milliseconds((longest_ms - shortest_ms) / 20.0);
  EXPECT_GE(least, absl::Milliseconds(shortest_ms));
  EXPECT_LE(least, absl::Milliseconds(shortest_ms) + part);
  EXPECT_LE(most, absl::Milliseconds(longest_ms));
  EXPECT_GE(most, absl::Milliseconds(longest_ms) - part);
}

TEST(PhysicsTest, LastMilesFillTheRangeOfTheirAccess) {
  ExpectRange(Access::kFibre, 2, 10);
  ExpectRange(Access::k5g, 15, 30);
  ExpectRange(Access::kLte, 30, 60);
}

TEST(PhysicsTest, ALastMileDependsOnSeedAndClientAlone) {
  const absl::Duration last_mile = LastMile(Access::kLte, 5, 2);
  EXPECT_EQ(LastMile(Access::kLte, 5, 2), last_mile);
  EXPECT_NE(LastMile(Access::kLte, 5, 3), last_mile);
  EXPECT_NE(LastMile(Access::kLte, 6, 2), last_mile);
}

TEST(PhysicsTest, DistanceCostsByTheKilometre) {
  EXPECT_EQ(ClientRoundTrip(absl::Milliseconds(4), 0), absl::Milliseconds(7.5));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(ClientRoundTrip(absl::Milliseconds(4), 1000)), 24.5, 1e-6);
}

TEST(PhysicsTest, TheNearestRegionThatIsAllowedIsFound) {
  const std::vector<absl::Duration> round_trips = {absl::Milliseconds(30), absl::Milliseconds(10),
                                                   absl::Milliseconds(30)};
  EXPECT_EQ(NearestAllowed(round_trips, {true, true, true}), 1u);
  EXPECT_EQ(NearestAllowed(round_trips, {true, false, true}), 0u);
  EXPECT_EQ(NearestAllowed(round_trips, {false, false, true}), 2u);
  EXPECT_FALSE(NearestAllowed(round_trips, {false, false, false}).has_value());
  EXPECT_FALSE(NearestAllowed({}, {}).has_value());
}

}  // namespace
}  // namespace homeport
