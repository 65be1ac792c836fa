#include "storage/replication/last_changes.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace homeport {
namespace {

LastChanges RoundTrip(const LastChanges& changes) {
  LastChanges::Proto proto;
  changes.AddTo(proto);
  return LastChanges::Parse(changes.known(), proto);
}

TEST(LastChangesTest, TheLastEntryThatChangedANamespaceIsKnown) {
  LastChanges changes;
  EXPECT_EQ(changes.Of("all"), Sequence(0));
  changes.Note("all", Sequence(3));
  changes.Note("some", Sequence(5));
  changes.Note("all", Sequence(4));
  const LastChanges read = RoundTrip(changes);
  EXPECT_EQ(read.Of("all"), Sequence(4));
  EXPECT_EQ(read.Of("some"), Sequence(5));
  EXPECT_EQ(read.Of("other"), Sequence(0));
}

TEST(LastChangesTest, WhatALaterPositionSaysIsTakenOver) {
  LastChanges here;
  here.Note("all", Sequence(3));
  here.Note("some", Sequence(5));
  LastChanges later;
  later.Note("all", Sequence(9));
  here.Take(later);
  EXPECT_EQ(here.Of("all"), Sequence(9));
  EXPECT_EQ(here.Of("some"), Sequence(5));
}

TEST(LastChangesTest, WhereNobodyLookedNothingIsKnownFromThenOn) {
  LastChanges here;
  here.Note("all", Sequence(3));
  here.Take(LastChanges::Unknown());
  EXPECT_EQ(here.Of("all"), std::nullopt);
  EXPECT_EQ(here.Of("other"), std::nullopt);
  here.Note("all", Sequence(4));
  EXPECT_FALSE(RoundTrip(here).known());
}

TEST(LastChangesTest, OfAnOriginThatChangesTooManyNamespacesNothingIsKnown) {
  LastChanges changes;
  for (size_t i = 0; i < LastChanges::kNamespacesMax; ++i) {
    changes.Note(std::to_string(i), Sequence(i + 1));
  }
  EXPECT_EQ(changes.Of("0"), Sequence(1));
  changes.Note("one more", Sequence(100));
  EXPECT_EQ(changes.Of("0"), std::nullopt);
}

}  // namespace
}  // namespace homeport
