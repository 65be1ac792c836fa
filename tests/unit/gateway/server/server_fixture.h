// A public server on loopback over the test world, and clients of it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/time/system/system_clock.h"
#include "gateway/server/rpc/public_server.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "homeport/v1/key_value.grpc.pb.h"
#include "tests/unit/gateway/server/test_world.h"

namespace homeport {

// The error of a reply as its trailers describe it; not what the status line alone says.
inline absl::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return absl::UnknownError("no details");
  return FromRpcStatus(details);
}

class ServerFixture : public testing::Test {
 protected:
  ServerFixture() {
    options_.address = "127.0.0.1:0";
    options_.threads = 2;
    options_.health_watch_interval = absl::Milliseconds(5);
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
  }

  void Start() {
    auto server = PublicServer::Listen(options_, &world_.gateway(), status_, registry_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->Serve();
    channel_ = NewChannel();
    stub_ = v1::KeyValue::NewStub(channel_);
  }
  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }
  static v1::GetRequest GetOf(const std::string& id) {
    v1::GetRequest request;
    request.set_namespace_("orders");
    request.set_id(id);
    request.set_key("total");
    return request;
  }
  grpc::Status Get(const v1::GetRequest& request, v1::GetResponse* response = nullptr) {
    grpc::ClientContext context;
    v1::GetResponse unused;
    return stub_->Get(&context, request, response != nullptr ? response : &unused);
  }
  grpc::Status Put(const v1::PutRequest& request, v1::PutResponse* response = nullptr) {
    grpc::ClientContext context;
    v1::PutResponse unused;
    return stub_->Put(&context, request, response != nullptr ? response : &unused);
  }
  // Sum of a counter over the label sets that have `label` = `value`.
  double Counted(const std::string& name, const std::string& label, const std::string& value) {
    double sum = 0;
    for (const prometheus::MetricFamily& family : registry_->Collect()) {
      if (family.name != name) continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        for (const auto& pair : metric.label) {
          if (pair.name == label && pair.value == value) sum += metric.counter.value;
        }
      }
    }
    return sum;
  }

  SystemClock clock_;
  TestWorld world_{{.self_region = kUs, .local_replica = 0}, &clock_};
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  PublicServerOptions options_;
  StatusSource status_;
  std::unique_ptr<PublicServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::KeyValue::Stub> stub_;
};

}  // namespace homeport
