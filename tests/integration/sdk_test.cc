// The C++ SDK on real processes: hand-over, a gateway that dies, pipelining, a nearer gateway.
#include <atomic>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "client/sdk/client.h"
#include "common/status/error.h"
#include "tests/integration/world_fixture.h"

namespace homeport {
namespace {

v1::PutRequest PutOf(const std::string& id, const std::string& value) {
  v1::PutRequest request;
  request.set_namespace_("demo");
  request.set_id(id);
  request.set_value(value);
  return request;
}

v1::GetRequest GetOf(const std::string& id, bool local_only) {
  v1::GetRequest request;
  request.set_namespace_("demo");
  request.set_id(id);
  request.mutable_options()->set_local_only(local_only);
  return request;
}

class SdkTest : public WorldTest {
 protected:
  std::unique_ptr<sdk::Client> ClientOf(std::vector<int> regions,
                                        absl::Duration deadline = absl::Seconds(30),
                                        std::string from = "") {
    sdk::ClientOptions options;
    for (int region : regions) options.gateways.push_back(world_->gateway(region));
    options.deadline = deadline;
    options.from = std::move(from);
    auto client = sdk::Client::Create(std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
};

TEST_F(SdkTest, ASessionHandedOverDuringACutReadsItsWriteOnceTheCutIsHealedAndNothingOlder) {
  StartWorld(SmallWorld(2));
  if (HasFatalFailure()) return;
  auto here = ClientOf({0});
  auto there = ClientOf({1}, absl::Seconds(1));
  auto writer = here->NewSession();
  world_->Break(0, 1, LinkFailure::kCut);
  auto written = writer->Put(PutOf("x", "1"));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->provenance().replica(), world_->replica_name(0));

  auto reader = there->NewSession();
  ASSERT_TRUE(reader->Join(writer->Export()).ok());
  EXPECT_FALSE(reader->Get(GetOf("x", /*local_only=*/true)).ok());
  auto stranger = there->NewSession();
  auto nothing = stranger->Get(GetOf("x", /*local_only=*/true));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_FALSE(nothing->has_item());

  world_->HealAll();
  ASSERT_TRUE(Await("the session's past", [&] {
    auto read = reader->Get(GetOf("x", /*local_only=*/true));
    if (!read.ok()) return false;
    EXPECT_EQ(read->item().value(), "1");
    EXPECT_EQ(read->provenance().replica(), world_->replica_name(1));
    return true;
  }));
}

TEST_F(SdkTest, AThousandPipelinedWritesAreAllDoneAndAllCarriedOn) {
  constexpr int kWrites = 1000;
  StartWorld(SmallWorld(2));
  if (HasFatalFailure()) return;
  auto client = ClientOf({0});
  auto session = client->NewSession();
  absl::BlockingCounter left(kWrites);
  std::atomic<int> failures{0};
  for (int i = 0; i < kWrites; ++i) {
    session->Put(PutOf(absl::StrCat("many/", i), "v"), [&](absl::StatusOr<v1::PutResponse> put) {
      if (!put.ok()) ++failures;
      left.DecrementCount();
    });
  }
  left.Wait();
  EXPECT_EQ(failures, 0);

  auto there = ClientOf({1});
  auto reader = there->NewSession();
  ASSERT_TRUE(reader->Join(session->Export()).ok());
  v1::ListRecordsRequest list;
  list.set_namespace_("demo");
  list.set_prefix("many/");
  list.set_page_size(300);
  list.mutable_options()->set_local_only(true);
  sdk::RecordPages pages(*reader, list);
  std::set<std::string> ids;
  auto page = pages.Next();
  for (; page.ok() && page->has_value(); page = pages.Next()) {
    ids.insert((*page)->ids().begin(), (*page)->ids().end());
  }
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(ids.size(), kWrites);
}

TEST_F(SdkTest, AGatewayThatDiesMidRequestFailsNoReadAndLeavesNoWriteInDoubtUntold) {
  constexpr int kCalls = 200;
  StartWorld(SmallWorld(2));
  if (HasFatalFailure()) return;
  auto client = ClientOf({0, 1});
  auto session = client->NewSession();
  auto reads_session = client->NewSession();
  absl::BlockingCounter left(2 * kCalls);
  std::atomic<int> failed_reads{0};
  std::atomic<int> other_failures{0};
  for (int i = 0; i < kCalls; ++i) {
    reads_session->Get(GetOf("x", false), [&](absl::StatusOr<v1::GetResponse> get) {
      if (!get.ok()) ++failed_reads;
      left.DecrementCount();
    });
    session->Put(PutOf(absl::StrCat("w/", i), "v"), [&](absl::StatusOr<v1::PutResponse> put) {
      if (!put.ok() && ReasonOf(put.status()) != reason::kOutcomeUnknown) ++other_failures;
      left.DecrementCount();
    });
  }
  ASSERT_TRUE(world_->Kill(0).ok());
  left.Wait();
  EXPECT_EQ(failed_reads, 0);
  EXPECT_EQ(other_failures, 0);
  auto after = client->NewSession()->Put(PutOf("after", "v"));
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->provenance().replica(), world_->replica_name(1));
}

TEST_F(SdkTest, AClientMovesToTheNearerGatewayThatAReplyNames) {
  WorldOptions options = SmallWorld(2);
  options.more_yaml =
      "  cidr_rules:\n    - range: 203.0.113.0/24\n      region: " + options.regions[0].name +
      "\n" + options.more_yaml;
  StartWorld(std::move(options));
  if (HasFatalFailure()) return;
  auto client = ClientOf({1}, absl::Seconds(30), "203.0.113.7");
  auto session = client->NewSession();
  auto far = session->Put(PutOf("x", "1"));
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_EQ(far->provenance().gateway_region(), world_->regions()[1].name);
  EXPECT_EQ(client->preferred_gateway(), world_->gateway(0));
  auto near = session->Get(GetOf("x", false));
  ASSERT_TRUE(near.ok()) << near.status();
  EXPECT_EQ(near->item().value(), "1");
  EXPECT_EQ(near->provenance().gateway_region(), world_->regions()[0].name);
}

}  // namespace
}  // namespace homeport
