#include "client/node/follow_topology.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using Proto = internal::v1::Topology;

// Regions r0 .. with one replica each; namespace "all" in all of them, "some" in r0 and r1.
Proto MakeProto(int regions) {
  Proto proto;
  proto.set_cluster("test");
  for (int i = 0; i < regions; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(i);
    region->set_longitude(i);
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:", 2000 + i));
  }
  proto.add_namespaces()->set_name("all");
  internal::v1::Namespace* some = proto.add_namespaces();
  some->set_name("some");
  some->add_regions("r0");
  some->add_regions("r1");
  return proto;
}

absl::Status Follow(const Proto& before, const Proto& after) {
  auto in_force = Topology::Create(before);
  auto next = Topology::Create(after);
  EXPECT_TRUE(in_force.ok()) << in_force.status();
  EXPECT_TRUE(next.ok()) << next.status();
  return CanFollow("r0", "r0/a", **in_force, **next);
}

void ExpectRefused(const absl::Status& status, const std::string& what) {
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(FollowTopologyTest, ANewRegionAndANewNamespaceAreFollowed) {
  Proto after = MakeProto(4);
  after.add_namespaces()->set_name("more");
  EXPECT_EQ(Follow(MakeProto(3), after), absl::OkStatus());
}

TEST(FollowTopologyTest, AChangedPolicyIsFollowed) {
  Proto after = MakeProto(3);
  after.mutable_namespaces(0)->set_region_choice(v1::REGION_CHOICE_GATEWAY);
  EXPECT_EQ(Follow(MakeProto(3), after), absl::OkStatus());
}

TEST(FollowTopologyTest, ANamespaceCanBeGivenToARegionAndTakenFromOne) {
  Proto after = MakeProto(3);
  after.mutable_namespaces(1)->add_regions("r2");
  EXPECT_EQ(Follow(MakeProto(3), after), absl::OkStatus());
  after.mutable_namespaces(1)->mutable_regions()->DeleteSubrange(0, 1);
  EXPECT_EQ(Follow(MakeProto(3), after), absl::OkStatus());
}

TEST(FollowTopologyTest, ANamespaceCanNotBeTakenFromEveryRegionThatHoldsIt) {
  Proto after = MakeProto(3);
  after.mutable_namespaces(1)->clear_regions();
  after.mutable_namespaces(1)->add_regions("r2");
  ExpectRefused(Follow(MakeProto(3), after), "'some' is taken from every region that holds it");
}

TEST(FollowTopologyTest, ANamespaceKeepsTheTypeOfItsItems) {
  Proto after = MakeProto(3);
  after.mutable_namespaces(1)->set_item_type(internal::v1::ITEM_TYPE_COUNTER);
  ExpectRefused(Follow(MakeProto(3), after),
                "'some' would change its item_type from register to counter");
  after.mutable_namespaces(1)->set_item_type(internal::v1::ITEM_TYPE_REGISTER);
  after.mutable_namespaces(1)->mutable_ttl()->set_seconds(10);
  EXPECT_EQ(Follow(MakeProto(3), after), absl::OkStatus());
}

TEST(FollowTopologyTest, ANamespaceCanNotGo) {
  Proto after = MakeProto(3);
  after.mutable_namespaces()->RemoveLast();
  ExpectRefused(Follow(MakeProto(3), after), "'some' is gone");
}

TEST(FollowTopologyTest, ThisProcessRegionCanNotGo) {
  Proto after = MakeProto(3);
  after.mutable_namespaces(1)->mutable_regions()->DeleteSubrange(0, 1);
  after.mutable_regions()->DeleteSubrange(0, 1);
  ExpectRefused(Follow(MakeProto(3), after), "'r0' is gone");
}

TEST(FollowTopologyTest, ARegionThatHoldsDataCanNotGo) {
  ExpectRefused(Follow(MakeProto(3), MakeProto(2)), "'r2' is gone");
}

TEST(FollowTopologyTest, ARegionThatIsLeavingCanGo) {
  Proto before = MakeProto(3);
  before.mutable_regions(2)->set_leaving(true);
  EXPECT_EQ(Follow(before, MakeProto(2)), absl::OkStatus());
}

}  // namespace
}  // namespace homeport
