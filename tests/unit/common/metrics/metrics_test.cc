#include "common/metrics/metrics.h"

#include <httplib.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class MetricsServerTest : public testing::Test {
 protected:
  std::unique_ptr<MetricsServer> Started(const std::string& address) {
    auto server = MetricsServer::Start(address, registry_);
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? *std::move(server) : nullptr;
  }

  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
};

TEST_F(MetricsServerTest, ServesTheRegistryAsPrometheusText) {
  auto& counter = prometheus::BuildCounter()
                      .Name("homeport_writes_total")
                      .Help("Writes.")
                      .Register(*registry_)
                      .Add({{"region", "eu"}});
  const auto server = Started("127.0.0.1:0");
  ASSERT_GT(server->port(), 0);
  httplib::Client client("127.0.0.1", server->port());
  counter.Increment(3);
  auto answer = client.Get("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->get_header_value("Content-Type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(answer->body, HasSubstr("homeport_writes_total{region=\"eu\"} 3"));
  counter.Increment();
  EXPECT_THAT(client.Get("/metrics")->body, HasSubstr("homeport_writes_total{region=\"eu\"} 4"));
}

TEST_F(MetricsServerTest, HealthIsOkAndOtherPathsAreNotFound) {
  const auto server = Started("127.0.0.1:0");
  httplib::Client client("127.0.0.1", server->port());
  EXPECT_EQ(client.Get("/healthz")->body, "ok\n");
  EXPECT_EQ(client.Get("/")->status, 404);
  EXPECT_EQ(client.Get("/metrics/x")->status, 404);
}

TEST_F(MetricsServerTest, ListensOnIpv6) {
  const auto server = Started("[::1]:0");
  httplib::Client client("::1", server->port());
  const auto answer = client.Get("/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
}

TEST_F(MetricsServerTest, ABusyPortIsAnErrorThatNamesTheAddress) {
  const auto first = Started("127.0.0.1:0");
  const std::string address = absl::StrCat("127.0.0.1:", first->port());
  const auto second = MetricsServer::Start(address, registry_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(second.status()), reason::kListenFailed);
  EXPECT_EQ(ErrorMetadataOf(second.status(), "address"), address);
  EXPECT_EQ(second.status().message(),
            absl::StrCat("metrics: can not listen on ", address, ": Address already in use"));
}

TEST_F(MetricsServerTest, ABadAddressIsInvalid) {
  for (const char* address : {"", "127.0.0.1", "::1:80", "127.0.0.1:http"}) {
    const auto server = MetricsServer::Start(address, registry_);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_EQ(ReasonOf(server.status()), reason::kAddressInvalid);
  }
}

TEST_F(MetricsServerTest, ThePortIsFreeAfterTheEnd) {
  auto server = Started("127.0.0.1:0");
  const std::string address = absl::StrCat("127.0.0.1:", server->port());
  httplib::Client client("127.0.0.1", server->port());
  client.set_keep_alive(true);
  ASSERT_TRUE(client.Get("/healthz"));
  server.reset();
  EXPECT_NE(Started(address), nullptr);
}

TEST_F(MetricsServerTest, ClientsThatKeepTheirConnectionDoNotStarveOthers) {
  const auto server = Started("127.0.0.1:0");
  std::vector<std::unique_ptr<httplib::Client>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<httplib::Client>("127.0.0.1", server->port()));
    clients.back()->set_keep_alive(true);
    const auto answer = clients.back()->Get("/metrics");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
  }
}

TEST_F(MetricsServerTest, CanBeStoppedRightAfterItsStart) {
  for (int i = 0; i < 20; ++i) EXPECT_NE(Started("127.0.0.1:0"), nullptr);
}

}  // namespace
}  // namespace homeport
