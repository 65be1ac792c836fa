#include "storage/replication/fence.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::Optional;

const ReplicaName kA("us/a"), kB("eu/a");

TEST(FenceTest, AReplicaThatNobodyHasHeardHasNotLeft) { EXPECT_EQ(Fence().detail(), std::nullopt); }

TEST(FenceTest, OnePeersWordIsEnough) {
  Fence fence;
  fence.OnLeft(kA, "empty its disk");
  EXPECT_THAT(fence.detail(), Optional(std::string("empty its disk")));
}

TEST(FenceTest, APeerThatHasNotHeardOfTheReturnCountsLessThanOneThatHas) {
  Fence fence;
  fence.OnLeft(kA, "empty its disk");
  fence.OnAccepted(kB);
  EXPECT_EQ(fence.detail(), std::nullopt);
}

TEST(FenceTest, APeerThatLearnsOfTheLeavingLaterIsBelieved) {
  Fence fence;
  fence.OnAccepted(kA);
  fence.OnLeft(kA, "empty its disk");
  EXPECT_THAT(fence.detail(), Optional(std::string("empty its disk")));
}

TEST(FenceTest, APeerThatTakesItBackIsBelieved) {
  Fence fence;
  fence.OnLeft(kA, "empty its disk");
  fence.OnAccepted(kA);
  EXPECT_EQ(fence.detail(), std::nullopt);
}

}  // namespace
}  // namespace homeport
