#include "tests/integration/world_fixture.h"

#include <stdlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace homeport {
namespace {

constexpr int kSharedItems = 8;
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr int kPageSize = 1000;

GatewayClientOptions ClientOptions(const std::string& gateway) {
  GatewayClientOptions options;
  options.address = gateway;
  options.timeout = absl::Seconds(10);
  return options;
}

bool AddItems(GatewayClient& client, const std::string& id, Content* content) {
  v1::ListItemsRequest request;
  request.set_namespace_("demo");
  request.set_id(id);
  request.set_page_size(kPageSize);
  request.mutable_options()->set_local_only(true);
  do {
    auto page = client.ListItems(request);
    if (!page.ok()) return false;
    for (const v1::Item& item : page->items()) {
      (*content)[{id, item.key()}] = absl::StrCat(
          item.value(), " at ", item.version().hybrid_time(), "/", item.version().origin());
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return true;
}

}  // namespace

std::string ProgramUnderTest() {
  const char* program = getenv("HOMEPORT_PROGRAM");
  return program == nullptr ? "" : program;
}

Writer::Writer(std::string gateway, std::string record)
    : record_(std::move(record)),
      gateway_(std::move(gateway)),
      client_(std::make_unique<GatewayClient>(ClientOptions(gateway_))),
      thread_([this] { Run(); }) {}

void Writer::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

std::string Writer::ValueOf(uint64_t number) const {
  return absl::StrCat(record_, "-", number, "-", std::string(100, 'v'));
}

void Writer::Run() {
  for (uint64_t number = 0; !stop_.HasBeenNotified(); ++number) {
    if (!PutUntilAcknowledged(record_, absl::StrCat(number), ValueOf(number))) return;
    acknowledged_ = number + 1;
    if (number % 4 == 3) {
      PutUntilAcknowledged("shared", absl::StrCat(number % kSharedItems), ValueOf(number));
    }
  }
}

bool Writer::PutUntilAcknowledged(const std::string& id, const std::string& key,
                                  const std::string& value) {
  v1::PutRequest request;
  request.set_namespace_("demo");
  request.set_id(id);
  request.set_key(key);
  request.set_value(value);
  request.mutable_options()->set_request_id(NewRequestId());
  request.mutable_options()->set_local_only(true);
  while (true) {
    if (client_->Put(request).ok()) return true;
    ++failures_;
    // A channel whose calls all fail at once is polled by nobody but gRPC every five seconds, so it
    // takes twenty to connect again; a new one connects in its first call.
    client_ = std::make_unique<GatewayClient>(ClientOptions(gateway_));
    if (stop_.WaitForNotificationWithTimeout(kPoll)) return false;
  }
}

WorldOptions WorldTest::SmallWorld(int count) {
  WorldOptions options;
  options.regions.resize(count);
  options.more_yaml =
      "gateway:\n  drain_delay: 50ms\n  ping_interval: 100ms\n"
      "storage:\n  heartbeat_interval: 100ms\n";
  return options;
}

void WorldTest::StartWorld(WorldOptions options) {
  options.program = ProgramUnderTest();
  ASSERT_FALSE(options.program.empty()) << "HOMEPORT_PROGRAM is not set";
  auto world = World::Start(std::move(options));
  ASSERT_TRUE(world.ok()) << world.status();
  world_ = *std::move(world);
  for (int region = 0; region < world_->size(); ++region) {
    clients_.push_back(std::make_unique<GatewayClient>(ClientOptions(world_->gateway(region))));
  }
}

Content WorldTest::ContentOf(int region) {
  Content content;
  GatewayClient& client = Client(region);
  v1::ListRecordsRequest request;
  request.set_namespace_("demo");
  request.set_page_size(kPageSize);
  request.mutable_options()->set_local_only(true);
  do {
    auto page = client.ListRecords(request);
    if (!page.ok()) return {};
    EXPECT_EQ(page->provenance().replica(), world_->replica_name(region));
    for (const std::string& id : page->ids()) {
      if (!AddItems(client, id, &content)) return {};
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return content;
}

bool WorldTest::Await(absl::string_view what, absl::FunctionRef<bool()> condition) {
  const absl::Time deadline = absl::Now() + kPatience;
  absl::Notification never;
  while (!condition()) {
    if (absl::Now() > deadline) {
      ADD_FAILURE() << what << " did not come in " << kPatience;
      return false;
    }
    never.WaitForNotificationWithTimeout(kPoll);
  }
  return true;
}

void WorldTest::AwaitEqual(const std::vector<int>& regions,
                           const std::vector<std::unique_ptr<Writer>>& writers) {
  std::vector<Content> contents(regions.size());
  Await("equality of the regions", [&] {
    for (size_t i = 0; i < regions.size(); ++i) contents[i] = ContentOf(regions[i]);
    return !contents[0].empty() &&
           std::all_of(contents.begin(), contents.end(),
                       [&](const Content& content) { return content == contents[0]; });
  });
  for (size_t i = 0; i < regions.size(); ++i) {
    uint64_t missing = 0;
    for (const auto& writer : writers) {
      for (uint64_t number = 0; number < writer->acknowledged(); ++number) {
        const auto item = contents[i].find({writer->record(), absl::StrCat(number)});
        if (item == contents[i].end() || item->second.rfind(writer->ValueOf(number), 0) != 0) {
          if (++missing <= 5) ADD_FAILURE() << writer->record() << " item " << number;
        }
      }
    }
    EXPECT_EQ(missing, 0u) << "acknowledged writes that " << world_->replica_name(regions[i])
                           << " does not hold; it holds " << contents[i].size() << " items";
  }
}

bool WorldTest::AwaitProgress(const std::vector<std::unique_ptr<Writer>>& writers, uint64_t count) {
  std::vector<uint64_t> before;
  for (const auto& writer : writers) before.push_back(writer->acknowledged());
  return Await("progress of every writer", [&] {
    for (size_t i = 0; i < writers.size(); ++i) {
      if (writers[i]->acknowledged() < before[i] + count) return false;
    }
    return true;
  });
}

std::vector<std::unique_ptr<Writer>> WorldTest::StartWriters() {
  std::vector<std::unique_ptr<Writer>> writers;
  for (int region = 0; region < world_->size(); ++region) {
    writers.push_back(std::make_unique<Writer>(world_->gateway(region),
                                               absl::StrCat("of-", world_->replica_name(region))));
  }
  return writers;
}

}  // namespace homeport
