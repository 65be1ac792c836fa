#include "client/latency/core/simpler_setups.h"

#include "gtest/gtest.h"

namespace homeport {
namespace {

absl::Duration Ms(int ms) { return absl::Milliseconds(ms); }

constexpr size_t kNear = 0;
constexpr size_t kFar = 1;

// Region 0 is the main one; client kNear is near to it, client kFar to region 1.
SetupsWorld TwoRegions() {
  SetupsWorld world;
  world.client_round_trips = {{Ms(10), Ms(110)}, {Ms(120), Ms(20)}};
  world.region_round_trips = {{Ms(0), Ms(90)}, {Ms(90), Ms(0)}};
  return world;
}

SetupsWorld WithOutage(size_t region, absl::Duration begin, absl::Duration end) {
  SetupsWorld world = TwoRegions();
  world.outages = {{region, begin, end}};
  return world;
}

TEST(SimplerSetupsTest, WhileNothingFailsEachCostsItsDistance) {
  const SimplerSetups setups(TwoRegions());
  EXPECT_EQ(setups.OneRegion(kNear, Ms(0)), Ms(10));
  EXPECT_EQ(setups.OneRegion(kFar, Ms(0)), Ms(120));
  EXPECT_EQ(setups.NearestByDns(kNear, Ms(0)), Ms(10));
  EXPECT_EQ(setups.NearestByDns(kFar, Ms(0)), Ms(20));
  EXPECT_EQ(setups.GeoProxy(kNear, Ms(0)), Ms(10));
  EXPECT_EQ(setups.GeoProxy(kFar, Ms(0)), Ms(110));
}

TEST(SimplerSetupsTest, WithoutItsRegionTheOneAndTheProxysStoreAnswerNobody) {
  const SimplerSetups setups(WithOutage(0, absl::Seconds(5), absl::Seconds(8)));
  for (size_t client : {kNear, kFar}) {
    EXPECT_FALSE(setups.OneRegion(client, absl::Seconds(5)).has_value());
    EXPECT_FALSE(setups.GeoProxy(client, absl::Seconds(5)).has_value());
    EXPECT_TRUE(setups.OneRegion(client, absl::Seconds(8)).has_value());
    EXPECT_TRUE(setups.GeoProxy(client, absl::Seconds(8)).has_value());
  }
}

TEST(SimplerSetupsTest, WithoutItsProxyAClientGoesThroughTheNextOne) {
  const SimplerSetups setups(WithOutage(1, absl::Seconds(5), absl::Seconds(8)));
  EXPECT_EQ(setups.GeoProxy(kFar, absl::Seconds(6)), Ms(120));
}

TEST(SimplerSetupsTest, ALostRegionIsMissedUntilDnsIsAskedAgain) {
  const absl::Duration begin = absl::Seconds(300);
  const SimplerSetups setups(WithOutage(1, begin, absl::Seconds(900)));
  EXPECT_EQ(setups.NearestByDns(kFar, begin - Ms(1)), Ms(20));
  int unanswered = 0;
  bool moved = false;
  for (int second = 0; second < 120; ++second) {
    const auto answer = setups.NearestByDns(kFar, begin + absl::Seconds(second));
    if (!answer.has_value()) {
      EXPECT_FALSE(moved);
      ++unanswered;
    } else {
      EXPECT_EQ(*answer, Ms(120));
      moved = true;
    }
  }
  EXPECT_TRUE(moved);
  EXPECT_LE(unanswered, 60);
  EXPECT_EQ(setups.NearestByDns(kNear, begin), Ms(10));
}

TEST(SimplerSetupsTest, ARegionThatIsBackIsFoundWhenDnsIsAskedAgain) {
  const absl::Duration end = absl::Seconds(300);
  const SimplerSetups setups(WithOutage(1, absl::Seconds(100), end));
  EXPECT_EQ(setups.NearestByDns(kFar, end - Ms(1)), Ms(120));
  EXPECT_EQ(setups.NearestByDns(kFar, end + absl::Seconds(60)), Ms(20));
}

TEST(SimplerSetupsTest, ClientsAskDnsAtDifferentTimes) {
  SetupsWorld world = WithOutage(1, absl::Seconds(300), absl::Seconds(900));
  world.client_round_trips.assign(200, {Ms(120), Ms(20)});
  const SimplerSetups setups(world);
  int answered = 0;
  for (size_t client = 0; client < 200; ++client) {
    answered += setups.NearestByDns(client, absl::Seconds(330)).has_value() ? 1 : 0;
  }
  // Half of them have asked within half of the time; the standard deviation is 7.
  EXPECT_GT(answered, 60);
  EXPECT_LT(answered, 140);
}

TEST(SimplerSetupsTest, AnOutageFromTheStartMeetsClientsThatAskedBefore) {
  const SimplerSetups setups(WithOutage(1, absl::ZeroDuration(), absl::Seconds(600)));
  EXPECT_FALSE(setups.NearestByDns(kFar, absl::ZeroDuration()).has_value());
  EXPECT_EQ(setups.NearestByDns(kFar, absl::Seconds(61)), Ms(120));
}

TEST(SimplerSetupsTest, WithoutAnyRegionNobodyAnswers) {
  SetupsWorld world = TwoRegions();
  world.outages = {{0, absl::ZeroDuration(), absl::Seconds(600)},
                   {1, absl::ZeroDuration(), absl::Seconds(600)}};
  const SimplerSetups setups(world);
  EXPECT_FALSE(setups.OneRegion(kNear, absl::Seconds(90)).has_value());
  EXPECT_FALSE(setups.NearestByDns(kNear, absl::Seconds(90)).has_value());
  EXPECT_FALSE(setups.GeoProxy(kNear, absl::Seconds(90)).has_value());
}

}  // namespace
}  // namespace homeport
