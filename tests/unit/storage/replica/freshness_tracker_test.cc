#include "storage/replica/freshness_tracker.h"

#include <gtest/gtest.h>

#include <utility>

namespace homeport {
namespace {

const ReplicaName kSelf("r0/a");
const ReplicaName kPeer("r1/a");
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

HybridTime At(int64_t ms) { return FromWallTime(kStart + absl::Milliseconds(ms)); }
SteadyTime Steady(int64_t ms) { return absl::Hours(1) + absl::Milliseconds(ms); }

OriginView Start(uint64_t origin, const ReplicaName& replica, HybridTime watermark) {
  OriginView view;
  view.origin = Origin(origin);
  view.replica = std::make_shared<ReplicaName>(replica);
  view.received = view.applied = Sequence(5);
  view.watermark = watermark;
  return view;
}

ReplicaView ViewOf(std::vector<OriginView> origins) {
  ReplicaView view;
  view.self = Origin(1);
  view.origins = std::move(origins);
  return view;
}

// A third member that has received so much of origin 2.
void ReportReceived(ReplicaView& view, uint64_t sequence) {
  auto member = std::make_shared<Member>();
  member->origins[Origin(2)].received = Sequence(sequence);
  auto members = std::make_shared<MemberReports>();
  (*members)[ReplicaName("r2/a")] = std::move(member);
  view.members = std::move(members);
}

TEST(FreshnessTrackerTest, AReplicasMarkIsThatOfItsPresentStart) {
  EXPECT_EQ(MarkOf(ViewOf({}), kPeer), HybridTime(0));
  EXPECT_EQ(MarkOf(ViewOf({Start(2, kPeer, At(10)), Start(3, kPeer, At(90))}), kPeer), At(90));
}

TEST(FreshnessTrackerTest, AnEarlierStartCountsWhileSomebodyHasMoreOfIt) {
  ReplicaView view = ViewOf({Start(2, kPeer, At(10)), Start(3, kPeer, At(90))});
  ReportReceived(view, 5);
  EXPECT_EQ(MarkOf(view, kPeer), At(90));
  ReportReceived(view, 6);
  EXPECT_EQ(MarkOf(view, kPeer), At(10));
  view.origins[0].covered_by = Origin(3);
  EXPECT_EQ(MarkOf(view, kPeer), At(90));
}

TEST(FreshnessTrackerTest, AClosedStartIsSettled) {
  ReplicaView view = ViewOf({Start(2, kPeer, At(10)), Start(3, kPeer, At(90))});
  ReportReceived(view, 6);
  view.origins[0].closed_end = Sequence(5);
  EXPECT_EQ(MarkOf(view, kPeer), At(90));
}

TEST(FreshnessTrackerTest, AReplicaIsBehindItselfOnlyByWhatItsLostDiskHad) {
  ReplicaView view = ViewOf({Start(1, kSelf, At(0)), Start(2, kSelf, At(10))});
  EXPECT_EQ(MarkOfSelf(view, kSelf), kNothingMissing);
  ReportReceived(view, 6);
  EXPECT_EQ(MarkOfSelf(view, kSelf), At(10));
}

TEST(FreshnessTrackerTest, TheWayAndTheIntervalAreMeasured) {
  FreshnessTracker tracker;
  tracker.Observe(kPeer, At(0), At(40), Steady(40));
  WriterMark mark;
  for (int64_t ms = 200; ms <= 4000; ms += 200) {
    mark = tracker.Observe(kPeer, At(ms), At(ms + 40), Steady(ms + 40));
  }
  EXPECT_EQ(mark.least_age, absl::Milliseconds(40));
  EXPECT_EQ(mark.advanced_at, Steady(4040));
  // From the 500 ms that were taken for the first.
  EXPECT_GE(mark.interval, absl::Milliseconds(200));
  EXPECT_LT(mark.interval, absl::Milliseconds(203));
  EXPECT_EQ(PaceAt(mark, At(4100), Steady(4100)).age, absl::Milliseconds(100));
}

TEST(FreshnessTrackerTest, ALongerIntervalCountsAtOnceAndSilenceIsNone) {
  FreshnessTracker tracker;
  tracker.Observe(kPeer, At(0), At(0), Steady(0));
  EXPECT_EQ(tracker.Observe(kPeer, At(900), At(900), Steady(900)).interval,
            absl::Milliseconds(900));
  const WriterMark mark = tracker.Observe(kPeer, At(900), At(2899), Steady(2899));
  EXPECT_TRUE(PaceAt(mark, At(2899), Steady(2899)).advancing);
  EXPECT_FALSE(PaceAt(mark, At(2900), Steady(2900)).advancing);
  EXPECT_EQ(tracker.Observe(kPeer, At(60'000), At(60'000), Steady(60'000)).interval,
            kWriterSilence);
}

TEST(FreshnessTrackerTest, AWriterThatWasNotHeardOfHasNoAge) {
  EXPECT_EQ(PaceAt(WriterMark(), At(0), Steady(0)).age, absl::InfiniteDuration());
}

}  // namespace
}  // namespace homeport
