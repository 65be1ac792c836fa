#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status/error.h"
#include "gateway/backend/frames/answer_queue.h"
#include "gateway/backend/frames/backoff.h"
#include "gateway/backend/frames/fragment_reader.h"
#include "gateway/backend/frames/fragment_writer.h"

namespace homeport {
namespace {

using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::Fragment;
using ::testing::ElementsAre;

std::vector<uint64_t> CallsOf(const ExchangeRequest& message) {
  std::vector<uint64_t> calls;
  for (const Fragment& fragment : message.fragments()) calls.push_back(fragment.call());
  return calls;
}

ExchangeRequest Next(FragmentWriter& writer) {
  ExchangeRequest message;
  writer.Fill(0, message.mutable_fragments(), [](Fragment*, bool, bool) { return true; });
  return message;
}

Fragment Piece(uint64_t call, std::string data, bool more) {
  Fragment fragment;
  fragment.set_call(call);
  fragment.set_data(std::move(data));
  fragment.set_more(more);
  return fragment;
}

TEST(FragmentWriterTest, SmallMessageOvertakesLargeOneThatWasFirst) {
  FragmentWriter writer(10, 10);
  writer.Add(1, std::string(35, 'a'));
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(1));
  writer.Add(2, "small");
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(2, 1));
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(1));
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(1));
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(writer.bytes(), 0u);
}

TEST(FragmentWriterTest, LargeMessagesTakeTurns) {
  FragmentWriter writer(10, 1);
  writer.Add(1, std::string(25, 'a'));
  writer.Add(2, std::string(15, 'b'));
  std::vector<uint64_t> order;
  while (!writer.empty()) {
    for (uint64_t call : CallsOf(Next(writer))) order.push_back(call);
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 1, 2, 1));
}

TEST(FragmentWriterTest, SmallMessagesNeverStarveALargeOne) {
  FragmentWriter writer(10, 10);
  writer.Add(1, std::string(25, 'a'));
  for (uint64_t call = 2; call < 10; ++call) writer.Add(call, std::string(10, 'b'));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(CallsOf(Next(writer)).back(), 1u);
}

TEST(FragmentWriterTest, WhatWaitsGoesOutInOneMessageUpToTheBudget) {
  FragmentWriter writer(100, 1000);
  for (uint64_t call = 1; call <= 100; ++call) writer.Add(call, "0123456789");
  EXPECT_EQ(Next(writer).fragments_size(), 30);  // 1000 / (10 + 24), rounded up
}

TEST(FragmentWriterTest, AtMostSoManyLargeMessagesTakeTurns) {
  FragmentWriter writer(1, 1);
  for (uint64_t call = 1; call <= kLargeInTurnMax + 1; ++call) writer.Add(call, "ab");
  for (uint64_t call = 1; call <= kLargeInTurnMax; ++call) {
    EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(call));
  }
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(1));
  for (uint64_t call = 2; call <= kLargeInTurnMax; ++call) Next(writer);
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(kLargeInTurnMax + 1));
}

TEST(FragmentWriterTest, CallThatNobodyWantsIsDroppedAtItsNextFragment) {
  FragmentWriter writer(10, 1);
  writer.Add(1, std::string(35, 'a'));
  Next(writer);
  ExchangeRequest message;
  writer.Fill(0, message.mutable_fragments(), [](Fragment*, bool, bool) { return false; });
  EXPECT_EQ(message.fragments_size(), 0);
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(writer.bytes(), 0u);
}

TEST(FragmentWriterTest, DroppedLargeMessageGivesItsTurnAway) {
  FragmentWriter writer(1, 1);
  for (uint64_t call = 1; call <= kLargeInTurnMax + 1; ++call) writer.Add(call, "ab");
  for (uint64_t call = 1; call <= kLargeInTurnMax; ++call) writer.DropLarge(call);
  EXPECT_THAT(CallsOf(Next(writer)), ElementsAre(kLargeInTurnMax + 1));
}

TEST(FragmentReaderTest, PutsTogetherWhatTheWriterCutInterleaved) {
  FragmentWriter writer(7, 20);
  const std::string a(100, 'a');
  const std::string b(51, 'b');
  writer.Add(1, a);
  writer.Add(2, b);
  writer.Add(3, "small");
  FragmentReader reader({});
  std::vector<std::string> whole;
  while (!writer.empty()) {
    ExchangeRequest message = Next(writer);
    for (Fragment& fragment : *message.mutable_fragments()) {
      auto assembled = reader.Add(absl::Seconds(1), &fragment);
      ASSERT_TRUE(assembled.ok());
      if (assembled->data != nullptr) whole.push_back(*assembled->data);
    }
  }
  EXPECT_THAT(whole, ElementsAre("small", b, a));
  EXPECT_EQ(reader.bytes(), 0u);
}

TEST(FragmentReaderTest, DeadlineIsTheFirstFragmentsAndCountsFromItsArrival) {
  FragmentReader reader({});
  Fragment first = Piece(1, "a", true);
  first.set_deadline_micros(7);
  ASSERT_TRUE(reader.Add(absl::Seconds(1), &first).ok());
  Fragment last = Piece(1, "b", false);
  last.set_deadline_micros(9);
  auto assembled = reader.Add(absl::Seconds(2), &last);
  ASSERT_TRUE(assembled.ok());
  EXPECT_EQ(*assembled->data, "ab");
  EXPECT_EQ(assembled->deadline_micros, 7u);
  EXPECT_EQ(assembled->began, absl::Seconds(1));
}

TEST(FragmentReaderTest, EachLimitHoldsAndIsNamed) {
  FragmentReader reader({.call_bytes_max = 4, .calls_max = 2, .bytes_max = 5});
  Fragment over = Piece(1, "12345", false);
  EXPECT_EQ(ReasonOf(reader.Add({}, &over).status()), "LIMIT_EXCEEDED");
  Fragment at = Piece(1, "1234", false);
  EXPECT_TRUE(reader.Add({}, &at).ok());
  Fragment part = Piece(1, "123", true);
  EXPECT_TRUE(reader.Add({}, &part).ok());
  EXPECT_EQ(ErrorMetadataOf(reader.Add({}, &part).status(), "actual"), "6");
  Fragment second = Piece(2, "1", true);
  EXPECT_TRUE(reader.Add({}, &second).ok());
  Fragment third = Piece(3, "1", true);
  EXPECT_EQ(ErrorMetadataOf(reader.Add({}, &third).status(), "field"), "fragments.call");
  Fragment total = Piece(2, "12", true);
  EXPECT_EQ(ErrorMetadataOf(reader.Add({}, &total).status(), "limit"), "5");
}

TEST(FragmentReaderTest, CallZeroAndEmptyPiecesAreErrors) {
  FragmentReader reader({});
  Fragment zero = Piece(0, "a", false);
  EXPECT_EQ(ErrorMetadataOf(reader.Add({}, &zero).status(), "field"), "fragments.call");
  Fragment empty = Piece(1, "", true);
  EXPECT_EQ(ErrorMetadataOf(reader.Add({}, &empty).status(), "field"), "fragments.data");
}

TEST(FragmentReaderTest, DroppedCallLeavesNothing) {
  FragmentReader reader({});
  Fragment part = Piece(1, "123", true);
  ASSERT_TRUE(reader.Add({}, &part).ok());
  reader.Drop(1);
  EXPECT_EQ(reader.bytes(), 0u);
  EXPECT_EQ(reader.calls(), 0u);
}

TEST(AnswerQueueTest, PongAndSmallAnswersGoBeforeALargeOne) {
  AnswerQueue queue(64 * 1024, 64 * 1024);
  queue.AddAnswer(1, std::string(1024 * 1024, 'a'));
  ExchangeResponse message;
  queue.Fill(&message);
  ASSERT_EQ(message.fragments_size(), 1);
  queue.AddAnswer(2, "small");
  queue.AddError(3, absl::NotFoundError("none"));
  queue.Pong(7, {});
  queue.Fill(&message);
  EXPECT_EQ(message.pong(), 7u);
  EXPECT_EQ(message.errors(0).call(), 3u);
  ASSERT_GE(message.fragments_size(), 1);
  EXPECT_EQ(message.fragments(0).call(), 2u);
  queue.Fill(&message);
  EXPECT_EQ(message.pong(), 0u);
}

TEST(AnswerQueueTest, DrainingIsSaidOnceByItselfAndInEveryMessage) {
  AnswerQueue queue(64, 64);
  queue.Drain();
  EXPECT_FALSE(queue.empty());
  ExchangeResponse message;
  queue.Fill(&message);
  EXPECT_TRUE(message.draining());
  EXPECT_TRUE(queue.empty());
  queue.Drain();
  EXPECT_TRUE(queue.empty());
  queue.Pong(1, {});
  queue.Fill(&message);
  EXPECT_TRUE(message.draining());
}

TEST(BackoffTest, DoublesUpToTheMaximumLessAtMostHalf) {
  Backoff backoff(absl::Milliseconds(100), absl::Milliseconds(250));
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(100));
  EXPECT_EQ(backoff.Next(0.5), absl::Milliseconds(150));
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(250));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(100));
}

}  // namespace
}  // namespace homeport
