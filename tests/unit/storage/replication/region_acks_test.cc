#include "storage/replication/region_acks.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace homeport {
namespace {

using internal::v1::Hello;
using internal::v1::MemberReport;

const Origin kOrigin{7};
const std::vector<std::string> kRegions = {"r1", "r2", "r3"};

Hello HelloOf(const std::string& replica, uint64_t start, uint64_t applied) {
  Hello hello;
  hello.set_replica(replica);
  hello.set_origin(start);
  hello.add_origins()->set_origin(kOrigin.value());
  hello.mutable_origins(0)->set_received(applied + 5);
  hello.mutable_origins(0)->set_applied(applied);
  return hello;
}

MemberReport ReportOf(const std::string& replica, uint64_t start, uint64_t as_of,
                      uint64_t applied) {
  MemberReport report;
  report.set_replica(replica);
  report.set_start(start);
  report.set_as_of(as_of);
  report.add_origins()->set_origin(kOrigin.value());
  report.mutable_origins(0)->set_applied(applied);
  return report;
}

class RegionAcksTest : public testing::Test {
 protected:
  int Count(uint64_t sequence) { return acks_.Count(kOrigin, Sequence(sequence), "all", kRegions); }
  void Acknowledge(const std::string& replica, uint64_t applied) {
    acks_.OnAcknowledged(ReplicaName(replica), HelloOf(replica, 0, applied).origins());
  }
  RegionAcks acks_;
};

TEST_F(RegionAcksTest, WhoGoesByAnotherTopologyDoesNotCountForItMayHaveLeftTheEntryOut) {
  acks_.SetTopology("new");
  Hello hello = HelloOf("r1/a", 11, 9);
  hello.set_topology_fingerprint("old");
  acks_.OnHello(hello);
  EXPECT_EQ(Count(9), 0);
  MemberReport report = ReportOf("r1/a", 11, 5, 9);
  report.set_topology_fingerprint("new");
  acks_.OnMemberReport(report);
  EXPECT_EQ(Count(9), 1);
  acks_.SetTopology("newer");
  EXPECT_EQ(Count(9), 0);
}

TEST_F(RegionAcksTest, ARegionCountsOnceWhicheverOfItsReplicasAppliedTheEntry) {
  acks_.OnHello(HelloOf("r1/a", 11, 0));
  acks_.OnHello(HelloOf("r1/b", 12, 0));
  acks_.OnHello(HelloOf("r2/a", 13, 0));
  EXPECT_EQ(Count(4), 0);
  Acknowledge("r1/b", 4);
  EXPECT_EQ(Count(4), 1);
  EXPECT_EQ(Count(5), 0);
  Acknowledge("r1/a", 4);
  EXPECT_EQ(Count(4), 1);
  Acknowledge("r2/a", 9);
  EXPECT_EQ(Count(4), 2);
}

TEST_F(RegionAcksTest, WhatIsReceivedAndNotAppliedDoesNotCount) {
  acks_.OnHello(HelloOf("r1/a", 11, 3));
  EXPECT_EQ(Count(3), 1);
  EXPECT_EQ(Count(4), 0);
}

TEST_F(RegionAcksTest, RegionsThatDoNotHoldTheNamespaceDoNotCount) {
  acks_.OnHello(HelloOf("elsewhere/a", 11, 9));
  EXPECT_EQ(Count(4), 0);
}

TEST_F(RegionAcksTest, AReplicaThatHoldsTheNamespaceInPartDoesNotCountUntilItHoldsItWhole) {
  Hello hello = HelloOf("r1/a", 11, 9);
  hello.add_partial_namespaces("all");
  acks_.OnHello(hello);
  EXPECT_EQ(Count(4), 0);
  EXPECT_EQ(acks_.Count(kOrigin, Sequence(4), "another", kRegions), 1);
  acks_.OnMemberReport(ReportOf("r1/a", 11, 1, 9));
  EXPECT_EQ(Count(4), 1);
}

TEST_F(RegionAcksTest, AReplicaThatComesBackWithLessCountsByWhatItHasNow) {
  acks_.OnHello(HelloOf("r1/a", 11, 9));
  EXPECT_EQ(Count(4), 1);
  acks_.OnHello(HelloOf("r1/a", 12, 0));  // its disk was lost
  EXPECT_EQ(Count(4), 0);
}

TEST_F(RegionAcksTest, AMemberThatCanNotBeReachedCountsByWhatOthersReport) {
  acks_.OnMemberReport(ReportOf("r3/a", 11, 5, 3));
  EXPECT_EQ(Count(3), 1);
  acks_.OnMemberReport(ReportOf("r3/a", 11, 6, 4));
  EXPECT_EQ(Count(4), 1);
  // An older report that took a longer way changes nothing.
  acks_.OnMemberReport(ReportOf("r3/a", 11, 5, 3));
  EXPECT_EQ(Count(4), 1);
  // A later start begins anew.
  acks_.OnMemberReport(ReportOf("r3/a", 12, 7, 1));
  EXPECT_EQ(Count(4), 0);
}

TEST_F(RegionAcksTest, AReportOfAnotherStartThanTheOneThatSaidHelloIsNotBelieved) {
  acks_.OnHello(HelloOf("r1/a", 12, 0));
  acks_.OnMemberReport(ReportOf("r1/a", 11, 5, 9));  // of the time before its disk was lost
  EXPECT_EQ(Count(4), 0);
}

TEST_F(RegionAcksTest, AcknowledgementsOfWhoNeverSaidHelloAreNotKept) {
  Acknowledge("r1/a", 9);
  EXPECT_EQ(Count(4), 0);
}

}  // namespace
}  // namespace homeport
