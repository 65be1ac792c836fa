#include "gateway/dispatch/load_budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace homeport {
namespace {

int TakeAll(LoadBudget& budget, SteadyTime now) {
  int taken = 0;
  while (budget.Take(now)) ++taken;
  return taken;
}

TEST(LoadBudgetTest, ATenthOfTheRequestsMayBeSentOnceMore) {
  LoadBudget budget({.share = 0.1, .each_second = 0, .most = 1000, .first = 0});
  const SteadyTime now = absl::Hours(1);
  EXPECT_FALSE(budget.Take(now));
  for (int i = 0; i < 9; ++i) budget.OnRequest();
  EXPECT_FALSE(budget.Take(now));
  budget.OnRequest();
  EXPECT_TRUE(budget.Take(now));
  EXPECT_FALSE(budget.Take(now));
  for (int i = 0; i < 2000; ++i) budget.OnRequest();
  EXPECT_EQ(TakeAll(budget, now), 200);
  EXPECT_EQ(budget.taken(), 201);
  EXPECT_EQ(budget.denied(), 4);
}

TEST(LoadBudgetTest, WhatIsSavedUpHasABound) {
  LoadBudget budget({.share = 0.1, .each_second = 10, .most = 50, .first = 20});
  SteadyTime now = absl::Hours(1);
  EXPECT_EQ(TakeAll(budget, now), 20);
  for (int i = 0; i < 10'000; ++i) budget.OnRequest();
  EXPECT_EQ(TakeAll(budget, now), 50);
  now += absl::Hours(1);
  EXPECT_EQ(TakeAll(budget, now), 50);
}

TEST(LoadBudgetTest, AQuietGatewayMayRetryByTime) {
  LoadBudget budget({.share = 0.1, .each_second = 10, .most = 50, .first = 0});
  SteadyTime now = absl::Hours(1);
  EXPECT_FALSE(budget.Take(now));
  // Asking often does not round what has come to nothing.
  int taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    now += absl::Microseconds(10);
    taken += budget.Take(now);
  }
  EXPECT_NEAR(taken, 10, 1);
}

TEST(LoadBudgetTest, ThreadsTakeNoMoreThanThereIs) {
  LoadBudget budget({.share = 0.1, .each_second = 0, .most = 1e6, .first = 0});
  const SteadyTime now = absl::Hours(1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) {
        budget.OnRequest();
        budget.Take(now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  TakeAll(budget, now);
  EXPECT_EQ(budget.taken(), 4'000);
}

}  // namespace
}  // namespace homeport
