#include "tests/sim/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeport::sim {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

bool Nobody(uint64_t) { return false; }

Totals Whole() {
  Totals totals;
  totals.next = 10'001;
  totals.seeds = 10'000;
  totals.thin = 1'000;
  totals.four_regions = 3'700;
  totals.three_kinds = 7'800;
  totals.acknowledged = 1'500'000;
  totals.paths.fill(20);
  totals.builds = {"0123456789abcdef"};
  return totals;
}

TEST(JudgeTest, WhereNothingFailedTheClaimIsMadeOfTheSeedsThatCount) {
  const Verdict verdict = Judge(Whole(), Nobody);
  EXPECT_TRUE(verdict.good);
  EXPECT_EQ(verdict.lines.back(), "9000, 0 failures: p < 3/9000");
}

TEST(JudgeTest, WhileKnownSeedsFailTheyAreNamedAndThereIsNoClaim) {
  Totals totals = Whole();
  totals.failed = {17, 535};
  const Verdict verdict = Judge(totals, [](uint64_t seed) { return seed == 17 || seed == 535; });
  EXPECT_TRUE(verdict.good);
  EXPECT_EQ(verdict.lines.back(), "9000 counted, 2 known failures (seeds 17 535)");
  EXPECT_THAT(verdict.lines, Each(Not(HasSubstr("0 failures"))));
  EXPECT_THAT(verdict.lines, Each(Not(HasSubstr("p <"))));
}

TEST(JudgeTest, ASeedThatIsNotKnownToFailFailsTheCampaignBesideOnesThatAre) {
  Totals totals = Whole();
  totals.failed = {17, 18};
  const Verdict verdict = Judge(totals, [](uint64_t seed) { return seed == 17; });
  EXPECT_FALSE(verdict.good);
  EXPECT_THAT(verdict.lines, Contains("FAILED: 1 seeds: 18"));
  EXPECT_THAT(verdict.lines, Contains("9000 counted, 1 known failures (seeds 17)"));
  EXPECT_THAT(verdict.lines, Each(Not(HasSubstr("p <"))));
}

TEST(JudgeTest, ARarePathThatTooFewSeedsMetFailsTheCampaign) {
  Totals totals = Whole();
  totals.paths[3] = 19;
  const Verdict verdict = Judge(totals, Nobody);
  EXPECT_FALSE(verdict.good);
  EXPECT_THAT(verdict.lines, Contains(HasSubstr("only 19 of 20 seeds met: ")));
}

TEST(JudgeTest, ASmallerCampaignMeetsRarePathsInProportion) {
  Totals totals = Whole();
  totals.seeds = 3'000;
  totals.four_regions = 1'000;
  totals.three_kinds = 2'000;
  totals.paths.fill(6);
  EXPECT_TRUE(Judge(totals, Nobody).good);
  totals.paths[0] = 5;
  EXPECT_FALSE(Judge(totals, Nobody).good);
  totals.seeds = kCoverageSeeds - 1;
  totals.thin = 0;
  EXPECT_TRUE(Judge(totals, Nobody).good);
}

TEST(JudgeTest, SeedsThatAreTooEasyFailTheCampaign) {
  Totals totals = Whole();
  totals.four_regions = 2'999;
  EXPECT_FALSE(Judge(totals, Nobody).good);
  totals.four_regions = 3'000;
  EXPECT_TRUE(Judge(totals, Nobody).good);
  totals.three_kinds = 4'999;
  EXPECT_FALSE(Judge(totals, Nobody).good);
}

TEST(JudgeTest, ACampaignOfSeedsThatDoNotCountProvesNothing) {
  Totals totals;
  totals.seeds = totals.thin = 5;
  const Verdict verdict = Judge(totals, Nobody);
  EXPECT_FALSE(verdict.good);
  EXPECT_THAT(verdict.lines, Each(Not(HasSubstr("p <"))));
}

TEST(JudgeTest, SeedsOfSeveralBuildsAreSaidToBe) {
  Totals totals = Whole();
  totals.builds.insert("fedcba9876543210");
  EXPECT_THAT(Judge(totals, Nobody).lines, Contains("they were run by 2 builds of the program"));
}

TEST(TotalsTest, AreReadAsTheyWereWritten) {
  Totals totals = Whole();
  totals.failed = {3, 99};
  totals.lost = 7;
  totals.events = 11;
  totals.paths[1] = 23;
  Totals read;
  ASSERT_TRUE(ParseTotals(FormatTotals(totals), read));
  EXPECT_EQ(read, totals);
}

TEST(TotalsTest, AFileWithoutACampaignIsNone) {
  Totals read;
  EXPECT_FALSE(ParseTotals("", read));
  EXPECT_FALSE(ParseTotals("nothing of\nthis kind\n", read));
}

TEST(TotalsTest, WhatAnotherVersionCountedIsPassedOver) {
  Totals read;
  ASSERT_TRUE(ParseTotals("next 5\nkPathOfAnotherTime 7\nseeds 4\n", read));
  EXPECT_EQ(read.next, 5u);
  EXPECT_EQ(read.seeds, 4u);
}

}  // namespace
}  // namespace homeport::sim
