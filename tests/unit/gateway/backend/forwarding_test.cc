// RemoteStore and ForwardingService over a real gRPC server on the loopback.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "common/time/system/system_clock.h"
#include "gateway/backend/forwarding_service.h"
#include "gateway/backend/remote_store.h"
#include "homeport/internal/v1/forwarding.grpc.pb.h"

namespace homeport {
namespace {

using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::Forwarding;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// Nothing here waits for time; this only ends a test that hangs.
constexpr absl::Duration kPatience = absl::Seconds(30);

const SystemClock system_clock;

// Answers a Get of id "now" at once with the key as the value, and of "large" with 1 MiB; one of
// "hold" waits until it is released.
class FakeStore final : public RecordStore {
 public:
  struct Held {
    CallContext context;
    StoreResponse* response;
    Done done;
  };

  void Execute(const CallContext& context, const StoreRequest& request, StoreResponse* response,
               Done done) override {
    const std::string& id = request.get().id();
    if (id == "missing") {
      done(MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown, "no namespace"));
      return;
    }
    if (id == "hold") {
      absl::MutexLock lock(&mutex_);
      held_.push_back({context, response, std::move(done)});
      return;
    }
    response->mutable_get()->mutable_item()->set_value(id == "large" ? std::string(1024 * 1024, 'x')
                                                                     : request.get().key());
    done(absl::OkStatus());
  }
  std::shared_ptr<const StoreFreshness> freshness() const override {
    auto freshness = std::make_shared<StoreFreshness>();
    freshness->writers.push_back({"us/a",
                                  {.age = absl::Milliseconds(80),
                                   .least_age = absl::Milliseconds(40),
                                   .interval = absl::Milliseconds(500),
                                   .advancing = true}});
    freshness->writers.push_back({"jp/a", WatermarkPace()});
    return freshness;
  }
  // Waits for a call to be held, and takes it.
  Held TakeHeld() {
    absl::MutexLock lock(&mutex_);
    auto any = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !held_.empty(); };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&any), kPatience)) return {};
    Held held = std::move(held_.front());
    held_.pop_front();
    return held;
  }
  static void Release(Held held, absl::Status status = absl::OkStatus()) {
    held.response->mutable_get();
    held.done(std::move(status));
  }

 private:
  absl::Mutex mutex_;
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
};

// A replica's process.
class Replica {
 public:
  explicit Replica(int port = 0, ForwardingServiceOptions options = {})
      : service_(&system_clock, &store_, std::move(options)) {
    auto server = StreamServer::Start(absl::StrCat("127.0.0.1:", port), {&service_}, &queues_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = server_->port();
  }
  ~Replica() { Kill(); }
  // Cuts every stream.
  void Kill() {
    if (server_ == nullptr) return;
    server_->Shutdown(absl::ZeroDuration());
    server_ = nullptr;
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int port() const { return port_; }

  StreamQueues queues_{2};

  FakeStore store_;
  ForwardingService service_;
  int port_ = 0;
  std::unique_ptr<StreamServer> server_;
};

// What a RemoteStore tells.
struct Events {
  void Ping() {
    absl::MutexLock lock(&mutex);
    ++round_trips;
  }
  void Lost(std::string reason) {
    absl::MutexLock lock(&mutex);
    lost.push_back(std::move(reason));
  }
  // Waits for more round trips than there are now: a stream is up then.
  void AwaitRoundTrip() {
    absl::MutexLock lock(&mutex);
    const int before = round_trips;
    auto more = [this, before]()
                    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return round_trips > before; };
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&more), kPatience));
  }
  void AwaitLost(size_t count) {
    absl::MutexLock lock(&mutex);
    auto more = [this, count]()
                    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return lost.size() >= count; };
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&more), kPatience));
  }
  absl::Mutex mutex;
  int round_trips ABSL_GUARDED_BY(mutex) = 0;
  std::vector<std::string> lost ABSL_GUARDED_BY(mutex);
};

struct Result {
  StoreRequest request;
  StoreResponse response;
  absl::Status status;
  absl::Notification ended;

  const absl::Status& Wait() {
    EXPECT_TRUE(ended.WaitForNotificationWithTimeout(kPatience));
    return status;
  }
};

class ForwardingTest : public ::testing::Test {
 protected:
  void Connect(const std::string& address, RemoteStoreOptions options = {}) {
    options.address = address;
    options.replica = "eu/a";
    // Frequent, so that a new stream shows soon.
    options.ping_interval = absl::Milliseconds(20);
    options.ping_timeout = kPatience;
    remote_ = RemoteStore::Create(
        &system_clock, &queues_, options, [this](absl::Duration) { events_.Ping(); },
        [this](std::string reason) { events_.Lost(std::move(reason)); });
  }
  std::shared_ptr<Result> Get(std::string id, std::string key = "", CallContext context = {}) {
    auto result = std::make_shared<Result>();
    result->request.mutable_get()->set_id(std::move(id));
    result->request.mutable_get()->set_key(std::move(key));
    remote_->Execute(context, result->request, &result->response, [result](absl::Status status) {
      result->status = std::move(status);
      result->ended.Notify();
    });
    return result;
  }

  Events events_;
  StreamQueues queues_{2};
  std::shared_ptr<RemoteStore> remote_;
};

TEST_F(ForwardingTest, ManyCallsOfManyThreadsEachGetTheirOwnAnswer) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  EXPECT_TRUE(remote_->connected());
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::shared_ptr<Result>> results;
      for (int i = 0; i < 500; ++i) {
        results.push_back(Get(i % 100 == 0 ? "large" : "now", absl::StrCat(t, "/", i)));
      }
      for (int i = 0; i < 500; ++i) {
        if (!results[i]->Wait().ok()) continue;
        const std::string& value = results[i]->response.get().item().value();
        right += i % 100 == 0 ? value.size() == 1024 * 1024 : value == absl::StrCat(t, "/", i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 2000);
}

TEST_F(ForwardingTest, LargeRequestArrivesWhole) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  const std::string key(3 * 1024 * 1024 + 1, 'k');
  auto result = Get("now", key);
  ASSERT_TRUE(result->Wait().ok());
  EXPECT_EQ(result->response.get().item().value(), key);
}

TEST_F(ForwardingTest, ErrorsCrossWithTheirReason) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  auto result = Get("missing");
  EXPECT_EQ(result->Wait().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(result->status), "NAMESPACE_UNKNOWN");
}

TEST_F(ForwardingTest, UnknownOperationIsRefusedAndTheStreamGoesOn) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  Result result;
  remote_->Execute({}, result.request, &result.response, [&](absl::Status status) {
    result.status = std::move(status);
    result.ended.Notify();
  });
  EXPECT_EQ(ReasonOf(result.Wait()), "FIELD_INVALID");
  EXPECT_EQ(ErrorMetadataOf(result.status, "field"), "request");
  EXPECT_TRUE(Get("now")->Wait().ok());
}

TEST_F(ForwardingTest, ValidationDecidesBeforeTheStore) {
  ForwardingServiceOptions options;
  options.validate = [](const StoreRequest&) { return FieldError("get.key", "is not liked"); };
  Replica replica(0, options);
  Connect(replica.address());
  events_.AwaitRoundTrip();
  EXPECT_EQ(ErrorMetadataOf(Get("hold")->Wait(), "field"), "get.key");
}

TEST_F(ForwardingTest, AnswerOverTheLimitIsAnErrorOfThatCallOnly) {
  ForwardingServiceOptions options;
  options.call_bytes_max = 1000;
  Replica replica(0, options);
  Connect(replica.address());
  events_.AwaitRoundTrip();
  EXPECT_EQ(ReasonOf(Get("large")->Wait()), "LIMIT_EXCEEDED");
  EXPECT_TRUE(Get("now")->Wait().ok());
}

TEST_F(ForwardingTest, DeadlineCrossesAndIsEnforcedHere) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  const SteadyTime start = system_clock.SteadyNow();
  CallContext context;
  context.deadline = start + absl::Milliseconds(300);
  auto result = Get("hold", "", context);
  FakeStore::Held held = replica.store_.TakeHeld();
  EXPECT_LE(held.context.deadline, system_clock.SteadyNow() + absl::Milliseconds(300));
  // The store lets it pass, so the caller's side ends it, and tells the store.
  EXPECT_EQ(ReasonOf(result->Wait()), "DEADLINE_EXCEEDED");
  absl::Notification cancelled;
  held.context.cancellation->OnCancel([&] { cancelled.Notify(); });
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(kPatience));
  FakeStore::Release(std::move(held));
}

TEST_F(ForwardingTest, CancellationCrosses) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  CallContext context;
  context.cancellation = std::make_shared<Cancellation>();
  auto result = Get("hold", "", context);
  FakeStore::Held held = replica.store_.TakeHeld();
  absl::Notification cancelled;
  held.context.cancellation->OnCancel([&] { cancelled.Notify(); });
  context.cancellation->Cancel();
  EXPECT_EQ(result->Wait().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(kPatience));
  FakeStore::Release(std::move(held), absl::CancelledError("given up"));
  EXPECT_EQ(Get("now", "", context)->Wait().code(), absl::StatusCode::kCancelled);
}

TEST_F(ForwardingTest, KilledReplicaLeavesSentCallsUnknownAndRefusesNewOnesThenReconnects) {
  auto replica = std::make_unique<Replica>();
  const int port = replica->port();
  Connect(replica->address());
  events_.AwaitRoundTrip();
  auto sent = Get("hold");
  FakeStore::Held held = replica->store_.TakeHeld();
  replica->Kill();
  EXPECT_EQ(ReasonOf(sent->Wait()), "OUTCOME_UNKNOWN");
  events_.AwaitLost(1);
  EXPECT_EQ(ReasonOf(Get("now")->Wait()), "REGION_UNREACHABLE");
  EXPECT_FALSE(remote_->connected());
  FakeStore::Release(std::move(held));
  replica = std::make_unique<Replica>(port);
  events_.AwaitRoundTrip();
  EXPECT_TRUE(Get("now")->Wait().ok());
}

TEST_F(ForwardingTest, HowFarTheReplicaIsBehindComesWithPongsAndGoesWithTheStream) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  const std::shared_ptr<const StoreFreshness> known = remote_->freshness();
  ASSERT_NE(known, nullptr);
  EXPECT_LE(known->as_of, system_clock.SteadyNow());
  ASSERT_EQ(known->writers.size(), 2);
  const WriterFreshness* us = known->Find("us/a");
  ASSERT_NE(us, nullptr);
  EXPECT_EQ(us->pace.age, absl::Milliseconds(80));
  EXPECT_EQ(us->pace.least_age, absl::Milliseconds(40));
  EXPECT_EQ(us->pace.interval, absl::Milliseconds(500));
  EXPECT_TRUE(us->pace.advancing);
  EXPECT_EQ(known->Find("jp/a")->pace.age, absl::InfiniteDuration());
  replica.Kill();
  events_.AwaitLost(1);
  EXPECT_EQ(remote_->freshness(), nullptr);
}

TEST_F(ForwardingTest, CallsWithoutAReplicaFailAtOnce) {
  Connect("127.0.0.1:1");
  EXPECT_EQ(ReasonOf(Get("now")->Wait()), "REGION_UNREACHABLE");
}

TEST_F(ForwardingTest, OneCallMoreThanTheLimitIsOverload) {
  Replica replica;
  RemoteStoreOptions options;
  options.in_flight_max = 1;
  Connect(replica.address(), options);
  events_.AwaitRoundTrip();
  auto first = Get("hold");
  EXPECT_EQ(ReasonOf(Get("now")->Wait()), "OVERLOADED");
  FakeStore::Release(replica.store_.TakeHeld());
  EXPECT_TRUE(first->Wait().ok());
}

TEST_F(ForwardingTest, StreamAtItsLimitIsReadAgainWhenCallsEnd) {
  ForwardingServiceOptions options;
  options.in_flight_max = 1;
  Replica replica(0, options);
  Connect(replica.address());
  events_.AwaitRoundTrip();
  auto first = Get("hold");
  FakeStore::Held held = replica.store_.TakeHeld();
  std::vector<std::shared_ptr<Result>> others;
  for (int i = 0; i < 100; ++i) others.push_back(Get("now"));
  FakeStore::Release(std::move(held));
  EXPECT_TRUE(first->Wait().ok());
  for (auto& other : others) EXPECT_TRUE(other->Wait().ok());
}

TEST_F(ForwardingTest, DrainingReplicaFinishesCallsTakesNoneAndIsLeft) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  auto under_way = Get("hold");
  FakeStore::Held held = replica.store_.TakeHeld();
  replica.service_.Drain();
  EXPECT_FALSE(replica.service_.WaitIdle(absl::ZeroDuration()));
  // The news is on its way; a call that was quicker is still answered.
  while (Get("now")->Wait().ok()) {
  }
  EXPECT_EQ(ReasonOf(Get("now")->Wait()), "DRAINING");
  EXPECT_FALSE(under_way->ended.HasBeenNotified());
  FakeStore::Release(std::move(held));
  EXPECT_TRUE(under_way->Wait().ok());
  events_.AwaitLost(1);
  EXPECT_EQ(ReasonOf(Get("now")->Wait()), "DRAINING");
  replica.Kill();
  EXPECT_TRUE(replica.service_.WaitIdle(kPatience));
}

TEST_F(ForwardingTest, DestroyedStoreEndsItsCallsFirst) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  auto result = Get("hold");
  FakeStore::Held held = replica.store_.TakeHeld();
  remote_.reset();
  EXPECT_TRUE(result->ended.HasBeenNotified());
  EXPECT_EQ(ReasonOf(result->status), "OUTCOME_UNKNOWN");
  FakeStore::Release(std::move(held));
}

TEST_F(ForwardingTest, StoreMayBeDestroyedByItsLastCallback) {
  Replica replica;
  Connect(replica.address());
  events_.AwaitRoundTrip();
  absl::Notification ended;
  StoreRequest request;
  request.mutable_get()->set_id("hold");
  StoreResponse response;
  remote_->Execute({}, request, &response, [this, &ended](absl::Status) {
    remote_.reset();
    ended.Notify();
  });
  FakeStore::Release(replica.store_.TakeHeld());
  EXPECT_TRUE(ended.WaitForNotificationWithTimeout(kPatience));
}

// A caller that breaks the protocol.
class HostileCallerTest : public ForwardingTest {
 protected:
  // Sends `message` on a stream of its own, reads to the end, and returns how that came.
  grpc::Status Send(Replica& replica, const ExchangeRequest& message) {
    auto stub = Forwarding::NewStub(
        grpc::CreateChannel(replica.address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    auto stream = stub->Exchange(&context);
    stream->Write(message);
    ExchangeResponse response;
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }
  void ExpectRefused(const ExchangeRequest& message, const std::string& what) {
    Replica replica;
    Connect(replica.address());
    events_.AwaitRoundTrip();
    const grpc::Status status = Send(replica, message);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), ::testing::HasSubstr(what));
    EXPECT_TRUE(Get("now")->Wait().ok());
    remote_.reset();
  }
};

TEST_F(HostileCallerTest, StreamsThatADrainingReplicaRefusesMayBeCancelledWhileItDoes) {
  constexpr int kStreams = 500;
  Replica replica;
  replica.service_.Drain();
  auto stub = Forwarding::NewStub(
      grpc::CreateChannel(replica.address(), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < kStreams; ++i) {
    grpc::ClientContext context;
    auto stream = stub->Exchange(&context);
    stream->Write(ExchangeRequest());
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
}

TEST_F(HostileCallerTest, CallZeroEndsItsStreamOnly) {
  ExchangeRequest message;
  message.add_fragments()->set_data("x");
  ExpectRefused(message, "fragments.call: is 0");
}

TEST_F(HostileCallerTest, EndlessEmptyPiecesEndItsStreamOnly) {
  ExchangeRequest message;
  message.add_fragments()->set_call(1);
  message.mutable_fragments(0)->set_more(true);
  ExpectRefused(message, "fragments.data: is empty");
}

TEST_F(HostileCallerTest, TooManyCallsInAssemblyEndItsStreamOnly) {
  ExchangeRequest message;
  for (int call = 1; call <= 65; ++call) {
    auto* fragment = message.add_fragments();
    fragment->set_call(call);
    fragment->set_data("x");
    fragment->set_more(true);
  }
  ExpectRefused(message, "over the limit of 64");
}

TEST_F(HostileCallerTest, TooManyFragmentsInAMessageEndItsStreamOnly) {
  ExchangeRequest message;
  for (int call = 1; call <= 2049; ++call) message.add_fragments()->set_call(call);
  ExpectRefused(message, "2049 fragments in a message");
}

TEST_F(HostileCallerTest, CallNumberUnderWayEndsItsStreamOnly) {
  StoreRequest hold;
  hold.mutable_get()->set_id("hold");
  ExchangeRequest message;
  for (int i = 0; i < 2; ++i) {
    message.add_fragments()->set_call(7);
    message.mutable_fragments(i)->set_data(hold.SerializeAsString());
  }
  Replica replica;
  const grpc::Status status = Send(replica, message);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "fragments.call: 7 is under way already");
  FakeStore::Held held = replica.store_.TakeHeld();
  EXPECT_TRUE(held.context.cancellation->cancelled());
  FakeStore::Release(std::move(held));
}

TEST_F(HostileCallerTest, GarbageInARequestIsAnErrorOfThatCall) {
  Replica replica;
  auto stub = Forwarding::NewStub(
      grpc::CreateChannel(replica.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  auto stream = stub->Exchange(&context);
  ExchangeRequest message;
  message.add_fragments()->set_call(9);
  message.mutable_fragments(0)->set_data("\xff\xff\xff");
  stream->WriteLast(message, {});
  ExchangeResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.errors_size(), 1);
  EXPECT_EQ(response.errors(0).call(), 9u);
  EXPECT_EQ(ReasonOf(FromRpcStatus(response.errors(0).status())), "FIELD_INVALID");
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace homeport
