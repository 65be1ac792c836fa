// Streams over real connections on the loopback.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/client_stream.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/stream_server.h"
#include "common/status/error.h"
#include "homeport/internal/v1/forwarding.grpc.pb.h"

namespace homeport {
namespace {

using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::Forwarding;

// Nothing here waits for time; this only ends a test that hangs.
constexpr absl::Duration kPatience = absl::Seconds(30);

// Answers each ping; ends a stream when its caller does, or when the ping is 99.
class EchoService final : public StreamService {
 public:
  grpc::Service* service() override { return &service_; }
  void Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) override {
    (new Echo(this, arrivals, queues))->Await();
  }
  int ended() {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }
  int cancelled() {
    absl::MutexLock lock(&mutex_);
    return cancelled_;
  }

 private:
  class Echo final : public ServerStream<ExchangeRequest, ExchangeResponse> {
   public:
    Echo(EchoService* owner, grpc::ServerCompletionQueue* arrivals, StreamQueues* queues)
        : owner_(owner), arrivals_(arrivals), queues_(queues) {}
    void Await() {
      Post(queues_, [this](auto* context, auto* stream, auto* queue, void* tag) {
        owner_->service_.RequestExchange(context, stream, queue, arrivals_, tag);
      });
    }
    void OnArrival(bool ok) override {
      if (!ok) {
        delete this;
        return;
      }
      (new Echo(owner_, arrivals_, queues_))->Await();
      StartSendInitialMetadata();
      StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
      if (!ok) return End(grpc::Status::OK);
      if (request_.ping() == 99) return End({grpc::StatusCode::ABORTED, "ninety-nine"});
      response_.set_pong(request_.ping());
      StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return End(grpc::Status::OK);
      if (!finished_) StartRead(&request_);
    }
    void OnCancel() override {
      {
        absl::MutexLock lock(&owner_->mutex_);
        ++owner_->cancelled_;
      }
      End(grpc::Status::CANCELLED);
    }
    void OnDone() override {
      {
        absl::MutexLock lock(&owner_->mutex_);
        ++owner_->ended_;
      }
      delete this;
    }

   private:
    void End(const grpc::Status& status) {
      if (!std::exchange(finished_, true)) Finish(status);
    }
    EchoService* const owner_;
    grpc::ServerCompletionQueue* const arrivals_;
    StreamQueues* const queues_;
    ExchangeRequest request_;
    ExchangeResponse response_;
    bool finished_ = false;
  };

  Forwarding::AsyncService service_;
  absl::Mutex mutex_;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  int cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Sends each ping once the one before is answered, and records what happens.
class Caller final : public ClientStream<ExchangeRequest, ExchangeResponse> {
 public:
  Caller(const std::string& address, std::vector<uint64_t> pings)
      : stub_(
            Forwarding::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        pings_(std::move(pings)) {}

  // The operations begin before the call does.
  void Go(StreamQueues* queues) {
    StartRead(&response_);
    Send();
    Start(queues, [this](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
      return stub_->PrepareAsyncExchange(context, queue);
    });
  }
  grpc::Status Wait() {
    EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kPatience));
    return status_;
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    pongs.push_back(response_.pong());
    if (pongs.size() == pings_.size()) {
      context().TryCancel();
    } else {
      Send();
    }
    StartRead(&response_);
  }
  void OnWriteDone(bool ok) override { written += ok ? 1 : 0; }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    done_.Notify();
  }

  std::vector<uint64_t> pongs;
  int written = 0;

 private:
  void Send() {
    request_.set_ping(pings_[pongs.size()]);
    StartWrite(&request_);
  }
  std::unique_ptr<Forwarding::Stub> stub_;
  const std::vector<uint64_t> pings_;
  ExchangeRequest request_;
  ExchangeResponse response_;
  grpc::Status status_;
  absl::Notification done_;
};

class StreamTest : public testing::Test {
 protected:
  StreamTest() {
    auto server = StreamServer::Start("127.0.0.1:0", {&service_}, &queues_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", server_->port()); }

  EchoService service_;
  StreamQueues queues_{2};
  std::unique_ptr<StreamServer> server_;
};

TEST_F(StreamTest, MessagesGoBothWaysAlsoThoseThatWereStartedBeforeTheCall) {
  Caller caller(address(), {1, 2, 3});
  caller.Go(&queues_);
  EXPECT_EQ(caller.Wait().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(caller.pongs, testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(caller.written, 3);
}

TEST_F(StreamTest, WhatTheServerSaysAtTheEndComes) {
  Caller caller(address(), {1, 99});
  caller.Go(&queues_);
  const grpc::Status status = caller.Wait();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "ninety-nine");
  EXPECT_THAT(caller.pongs, testing::ElementsAre(1));
}

TEST_F(StreamTest, ACallToNobodyEndsItsOperationsAndItself) {
  const std::string address = this->address();
  server_->Shutdown(absl::ZeroDuration());
  Caller caller(address, {1});
  caller.Go(&queues_);
  EXPECT_EQ(caller.Wait().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(caller.written, 0);
}

TEST_F(StreamTest, CallersThatLeaveBeforeTheyAreSeenAreDoneWithAsWell) {
  constexpr int kCalls = 200;
  auto stub =
      Forwarding::NewStub(grpc::CreateChannel(address(), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < kCalls; ++i) {
    grpc::ClientContext context;
    auto stream = stub->Exchange(&context);
    stream->Write(ExchangeRequest());
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  server_->Shutdown(absl::ZeroDuration());
  EXPECT_LE(service_.ended(), kCalls);
  EXPECT_EQ(service_.cancelled(), service_.ended());
}

TEST_F(StreamTest, AShutdownEndsEveryStreamAndReturnsWhenTheLastIsDone) {
  auto stub =
      Forwarding::NewStub(grpc::CreateChannel(address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext contexts[3];
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<ExchangeRequest, ExchangeResponse>>> streams;
  for (grpc::ClientContext& context : contexts) {
    streams.push_back(stub->Exchange(&context));
    ExchangeRequest ping;
    ping.set_ping(7);
    ASSERT_TRUE(streams.back()->Write(ping));
    ExchangeResponse pong;
    ASSERT_TRUE(streams.back()->Read(&pong));
    EXPECT_EQ(pong.pong(), 7u);
  }
  server_->Shutdown(absl::ZeroDuration());
  EXPECT_EQ(service_.ended(), 3);
  EXPECT_EQ(service_.cancelled(), 3);
  for (auto& stream : streams) EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(StreamTest, ABusyPortIsAnErrorThatNamesTheAddress) {
  EchoService service;
  const auto second = StreamServer::Start(address(), {&service}, &queues_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(second.status()), reason::kListenFailed);
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr(address()));
}

}  // namespace
}  // namespace homeport
