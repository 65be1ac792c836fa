#include "gateway/backend/frames/call_table.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "common/status/error.h"

namespace homeport {
namespace {

using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

constexpr SteadyTime kStart = absl::Seconds(1000);

class CallTableTest : public ::testing::Test {
 protected:
  static CallTableOptions Options() {
    CallTableOptions options;
    options.replica = "eu/a";
    options.fragment_bytes = 100;
    options.message_bytes = 100;
    options.in_flight_max = 3;
    options.in_flight_bytes_max = 2000;
    options.assembly.call_bytes_max = 1500;
    return options;
  }

  // Connects; the round trip is 10 ms.
  void Up() {
    table_.OnStreamStarted(kStart);
    ExchangeRequest request;
    table_.Fill(kStart, &request);
    ExchangeResponse pong;
    pong.set_pong(request.ping());
    CallTable::Outcome outcome;
    now_ = kStart + absl::Milliseconds(10);
    ASSERT_TRUE(table_.OnMessage(now_, &pong, &outcome).ok());
    ASSERT_TRUE(outcome.came_up);
    ASSERT_EQ(outcome.round_trip, absl::Milliseconds(10));
  }

  absl::StatusOr<uint64_t> Begin(size_t bytes = 10,
                                 SteadyTime deadline = absl::InfiniteDuration()) {
    const size_t index = results_.size();
    results_.emplace_back();
    responses_.emplace_back();
    CallTable::Call call;
    call.deadline = deadline;
    call.kind = StoreRequest::kGet;
    call.serialized = std::string(bytes, 'x');
    call.response = &responses_.back();
    call.done = [this, index](absl::Status status) { results_[index].push_back(status); };
    return table_.Begin(now_, &call);
  }
  ExchangeRequest Fill() {
    ExchangeRequest message;
    table_.Fill(now_, &message);
    return message;
  }
  static void Run(CallTable::Outcome& outcome) {
    for (Completion& completion : outcome.completions) completion.Run();
  }
  void Tick() {
    CallTable::Outcome outcome;
    table_.OnTick(now_, &outcome);
    is_silent_ = outcome.is_silent;
    Run(outcome);
  }
  absl::Status Receive(ExchangeResponse message) {
    CallTable::Outcome outcome;
    absl::Status status = table_.OnMessage(now_, &message, &outcome);
    Run(outcome);
    return status;
  }

  CallTable table_{Options()};
  SteadyTime now_ = kStart;
  std::deque<std::vector<absl::Status>> results_;
  std::deque<StoreResponse> responses_;
  bool is_silent_ = false;
};

std::string GetAnswer(const std::string& value) {
  StoreResponse response;
  response.mutable_get()->mutable_item()->set_value(value);
  return response.SerializeAsString();
}

ExchangeResponse Answer(uint64_t call, std::string data) {
  ExchangeResponse message;
  message.add_fragments()->set_call(call);
  message.mutable_fragments(0)->set_data(std::move(data));
  return message;
}

TEST_F(CallTableTest, RefusesCallsUntilThePeerHasAnswered) {
  EXPECT_EQ(ReasonOf(Begin().status()), "REGION_UNREACHABLE");
  table_.OnStreamStarted(now_);
  EXPECT_EQ(ReasonOf(Begin().status()), "REGION_UNREACHABLE");
  Up();
  EXPECT_TRUE(Begin().ok());
}

TEST_F(CallTableTest, AnswersInAnyOrder) {
  Up();
  const uint64_t first = *Begin();
  const uint64_t second = *Begin();
  EXPECT_EQ(Fill().fragments_size(), 2);
  ASSERT_TRUE(Receive(Answer(second, GetAnswer("two"))).ok());
  EXPECT_TRUE(results_[0].empty());
  ASSERT_TRUE(Receive(Answer(first, GetAnswer("one"))).ok());
  EXPECT_EQ(responses_[0].get().item().value(), "one");
  EXPECT_EQ(responses_[1].get().item().value(), "two");
  EXPECT_TRUE(results_[0][0].ok());
  EXPECT_EQ(table_.in_flight(), 0u);
  EXPECT_EQ(table_.in_flight_bytes(), 0u);
}

TEST_F(CallTableTest, PassesOnTheTimeInWhichAnAnswerIsOfUse) {
  Up();
  ASSERT_TRUE(Begin(10, now_ + absl::Milliseconds(100)).ok());
  ASSERT_TRUE(Begin(10).ok());
  ExchangeRequest message = Fill();
  EXPECT_EQ(message.fragments(0).deadline_micros(), 90'000u);
  EXPECT_EQ(message.fragments(1).deadline_micros(), 0u);
}

TEST_F(CallTableTest, CallPastItsDeadlineEndsAndThePeerIsTold) {
  Up();
  const uint64_t call = *Begin(10, now_ + absl::Milliseconds(50));
  Fill();
  EXPECT_EQ(table_.next_tick(), now_ + absl::Milliseconds(50));
  now_ += absl::Milliseconds(50);
  Tick();
  ASSERT_EQ(results_[0].size(), 1u);
  EXPECT_EQ(results_[0][0].code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ErrorMetadataOf(results_[0][0], "waited_for"), "replica");
  ExchangeRequest message = Fill();
  ASSERT_EQ(message.cancelled_size(), 1);
  EXPECT_EQ(message.cancelled(0), call);
  // The answer that crosses it changes nothing.
  EXPECT_TRUE(Receive(Answer(call, GetAnswer("late"))).ok());
  EXPECT_EQ(results_[0].size(), 1u);
}

TEST_F(CallTableTest, CallThatExpiresUnsentIsNeverSent) {
  Up();
  ASSERT_TRUE(Begin(10, now_ + absl::Milliseconds(50)).ok());
  now_ += absl::Milliseconds(50);
  Tick();
  EXPECT_EQ(ErrorMetadataOf(results_[0][0], "waited_for"), "stream");
  ExchangeRequest message = Fill();
  EXPECT_EQ(message.fragments_size(), 0);
  EXPECT_EQ(message.cancelled_size(), 0);
  EXPECT_EQ(ReasonOf(Begin(10, now_).status()), "DEADLINE_EXCEEDED");
}

TEST_F(CallTableTest, CancelledCallEndsAtOnceAndThePeerIsTold) {
  Up();
  const uint64_t call = *Begin();
  Fill();
  CallTable::Outcome outcome;
  table_.Cancel(call, &outcome);
  table_.Cancel(call, &outcome);
  Run(outcome);
  ASSERT_EQ(results_[0].size(), 1u);
  EXPECT_EQ(results_[0][0].code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Fill().cancelled(0), call);
  EXPECT_FALSE(table_.HasOutput());
}

TEST_F(CallTableTest, OnlyWhollySentCallsHaveAnUnknownOutcome) {
  Up();
  ASSERT_TRUE(Begin(10).ok());
  ASSERT_TRUE(Begin(250).ok());  // three fragments, of which one goes out
  Fill();
  ASSERT_TRUE(Begin(10).ok());
  CallTable::Outcome outcome;
  table_.OnStreamEnded("cut", &outcome);
  Run(outcome);
  EXPECT_EQ(ReasonOf(results_[0][0]), "OUTCOME_UNKNOWN");
  EXPECT_EQ(ReasonOf(results_[1][0]), "REGION_UNREACHABLE");
  EXPECT_EQ(ReasonOf(results_[2][0]), "REGION_UNREACHABLE");
  EXPECT_EQ(ErrorMetadataOf(results_[2][0], "replica"), "eu/a");
  EXPECT_FALSE(table_.HasOutput());
}

TEST_F(CallTableTest, OneCallMoreThanTheLimitIsOverload) {
  Up();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Begin().ok());
  const absl::Status status = Begin().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  EXPECT_EQ(ErrorMetadataOf(status, "what"), "calls");
}

TEST_F(CallTableTest, BytesUnderWayAreLimited) {
  Up();
  ASSERT_TRUE(Begin(1500).ok());
  EXPECT_EQ(ErrorMetadataOf(Begin(501).status(), "what"), "bytes");
  EXPECT_TRUE(Begin(500).ok());
  EXPECT_EQ(ReasonOf(Begin(1501).status()), "LIMIT_EXCEEDED");
}

TEST_F(CallTableTest, DrainingPeerGetsNoNewCallsAndFinishesItsOwn) {
  Up();
  const uint64_t call = *Begin();
  Fill();
  ExchangeResponse draining;
  draining.set_draining(true);
  ASSERT_TRUE(Receive(draining).ok());
  EXPECT_EQ(ReasonOf(Begin().status()), "DRAINING");
  ASSERT_TRUE(Receive(Answer(call, GetAnswer("v"))).ok());
  EXPECT_TRUE(results_[0][0].ok());
  CallTable::Outcome outcome;
  table_.OnStreamEnded("drained", &outcome);
  EXPECT_EQ(ReasonOf(Begin().status()), "DRAINING");
  Up();
  EXPECT_TRUE(Begin().ok());
}

TEST_F(CallTableTest, PingsAtTheIntervalAndNoticesSilence) {
  Up();
  EXPECT_FALSE(table_.HasOutput());
  now_ += Options().ping_interval;
  EXPECT_EQ(table_.next_tick(), now_);
  Tick();
  EXPECT_NE(Fill().ping(), 0u);
  now_ += Options().ping_timeout - absl::Milliseconds(1);
  Tick();
  EXPECT_FALSE(is_silent_);
  now_ += absl::Milliseconds(1);
  Tick();
  EXPECT_TRUE(is_silent_);
}

TEST_F(CallTableTest, PeerThatAnswersCallsIsNotSilent) {
  Up();
  const uint64_t call = *Begin();
  now_ += Options().ping_interval;
  Tick();
  Fill();
  now_ += Options().ping_timeout - absl::Milliseconds(1);
  ASSERT_TRUE(Receive(Answer(call, GetAnswer("v"))).ok());
  now_ += absl::Milliseconds(1);
  Tick();
  EXPECT_FALSE(is_silent_);
}

TEST_F(CallTableTest, ErrorsKeepTheirReason) {
  Up();
  const uint64_t call = *Begin();
  Fill();
  ExchangeResponse message;
  message.add_errors()->set_call(call);
  *message.mutable_errors(0)->mutable_status() =
      ToRpcStatus(MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown, "none"));
  ASSERT_TRUE(Receive(message).ok());
  EXPECT_EQ(results_[0][0].code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(results_[0][0]), "NAMESPACE_UNKNOWN");
}

TEST_F(CallTableTest, AnswerOfAnotherKindOrOfGarbageIsAnUnknownOutcome) {
  Up();
  const uint64_t first = *Begin();
  const uint64_t second = *Begin();
  Fill();
  StoreResponse mutate;
  mutate.mutable_mutate();
  ASSERT_TRUE(Receive(Answer(first, mutate.SerializeAsString())).ok());
  ASSERT_TRUE(Receive(Answer(second, "\xff\xff\xff")).ok());
  EXPECT_EQ(ReasonOf(results_[0][0]), "OUTCOME_UNKNOWN");
  EXPECT_EQ(ReasonOf(results_[1][0]), "OUTCOME_UNKNOWN");
}

TEST_F(CallTableTest, PeerThatSendsMoreThanACallMayHaveBreaksTheProtocol) {
  Up();
  const uint64_t call = *Begin();
  Fill();
  EXPECT_EQ(ReasonOf(Receive(Answer(call, std::string(1501, 'x')))), "LIMIT_EXCEEDED");
}

}  // namespace
}  // namespace homeport
