#include "client/world/relay_stream.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace homeport {
namespace {

constexpr RelayNanos kMs = 1'000'000;

std::string TakeArrived(RelayStream& stream, RelayNanos now) {
  iovec buffers[16];
  const int n = stream.Arrived(now, buffers, 16);
  std::string text;
  for (int i = 0; i < n; ++i) {
    text.append(static_cast<char*>(buffers[i].iov_base), buffers[i].iov_len);
  }
  stream.Delivered(text.size());
  return text;
}

TEST(RelayStreamTest, BytesArriveAfterTheDelayAndNotBefore) {
  RelayStream stream(1, 0, 0);
  stream.Send("abc", 5 * kMs, 40 * kMs);
  EXPECT_EQ(stream.NextArrival(), 45 * kMs);
  EXPECT_EQ(TakeArrived(stream, 45 * kMs - 1), "");
  EXPECT_EQ(TakeArrived(stream, 45 * kMs), "abc");
  EXPECT_EQ(stream.NextArrival(), std::nullopt);
}

TEST(RelayStreamTest, DelaysOfPiecesInFlightDoNotAddUp) {
  RelayStream stream(1, 0, 0);
  for (int i = 0; i < 10; ++i) stream.Send("x", i * kMs, 40 * kMs);
  EXPECT_EQ(stream.in_flight_bytes(), 10u);
  EXPECT_EQ(TakeArrived(stream, 49 * kMs), "xxxxxxxxxx");
}

TEST(RelayStreamTest, AShorterDelayDoesNotOvertake) {
  RelayStream stream(1, 0, 0);
  stream.Send("first ", 0, 100 * kMs);
  stream.Send("second", 1 * kMs, 10 * kMs);
  EXPECT_EQ(TakeArrived(stream, 99 * kMs), "");
  EXPECT_EQ(TakeArrived(stream, 100 * kMs), "first second");
}

TEST(RelayStreamTest, JitterIsBoundedNeverReordersAndRepeatsWithItsSeed) {
  auto arrivals = [](uint64_t seed) {
    RelayStream stream(seed, 5 * kMs, 0);
    std::vector<RelayNanos> times;
    for (int i = 0; i < 200; ++i) {
      const RelayNanos sent = i * 10 * kMs;
      stream.Send("x", sent, 40 * kMs);
      times.push_back(*stream.NextArrival());
      EXPECT_GE(times.back(), sent + 40 * kMs);
      EXPECT_LE(times.back(), sent + 45 * kMs);
      EXPECT_EQ(TakeArrived(stream, times.back()), "x");
    }
    return times;
  };
  EXPECT_EQ(arrivals(7), arrivals(7));
  EXPECT_NE(arrivals(7), arrivals(8));
}

TEST(RelayStreamTest, BytesQueueForALimitedLine) {
  RelayStream stream(1, 0, 1000);  // 1 byte a millisecond
  stream.Send(std::string(100, 'x'), 0, 40 * kMs);
  EXPECT_EQ(stream.NextArrival(), 140 * kMs);
  stream.Send("y", 0, 40 * kMs);
  TakeArrived(stream, 140 * kMs);
  EXPECT_EQ(stream.NextArrival(), 141 * kMs);
}

TEST(RelayStreamTest, PartOfAPieceCanBeDelivered) {
  RelayStream stream(1, 0, 0);
  stream.Send("hello", 0, 0);
  stream.Send("world", 0, 0);
  stream.Delivered(7);
  EXPECT_EQ(stream.in_flight_bytes(), 3u);
  EXPECT_EQ(TakeArrived(stream, 1), "rld");
}

TEST(RelayStreamTest, TheEndArrivesAfterAllBytes) {
  RelayStream stream(1, 0, 0);
  stream.Send("x", 0, 10 * kMs);
  stream.SendEnd(1 * kMs, 5 * kMs);
  EXPECT_FALSE(stream.EndArrived(100 * kMs));
  EXPECT_EQ(TakeArrived(stream, 10 * kMs), "x");
  EXPECT_TRUE(stream.EndArrived(10 * kMs));
  stream.DeliveredEnd();
  EXPECT_EQ(stream.NextArrival(), std::nullopt);
}

}  // namespace
}  // namespace homeport
