// Links over real streams, while the topology changes under them.

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "common/time/system/system_clock.h"
#include "gtest/gtest.h"
#include "storage/engine/memory/memory_disk.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/link/link_manager.h"
#include "storage/link/replication_service.h"
#include "storage/replica/replica.h"

namespace homeport {
namespace {

// Longer than anything here takes; only a failure waits so long.
constexpr absl::Duration kPatience = absl::Seconds(20);

// Regions r0 and r1 hold "both"; "first" is held by r0 only.
std::shared_ptr<const Topology> MakeTopology(const std::string& default_region,
                                             bool first_everywhere = false) {
  internal::v1::Topology proto;
  proto.set_cluster("links");
  proto.set_default_region(default_region);
  for (int i = 0; i < 2; ++i) {
    internal::v1::Region* region = proto.add_regions();
    region->set_name(absl::StrCat("r", i));
    region->set_country("DE");
    region->set_latitude(i);
    region->set_longitude(i);
    region->add_gateways(absl::StrCat("127.0.0.1:", 1000 + i));
    internal::v1::Replica* replica = region->add_replicas();
    replica->set_name("a");
    replica->set_address(absl::StrCat("127.0.0.1:", 2000 + i));
  }
  proto.add_namespaces()->set_name("both");
  internal::v1::Namespace* first = proto.add_namespaces();
  first->set_name("first");
  first->add_regions("r0");
  if (first_everywhere) first->add_regions("r1");
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

absl::StatusOr<std::shared_ptr<Replica>> TryOpen(const std::string& name, const Clock* clock,
                                                 Origin origin, std::shared_ptr<MemoryDisk> disk,
                                                 std::shared_ptr<const Topology> topology) {
  ReplicaOptions options;
  options.name = ReplicaName(name);
  options.data_path = name;
  auto engine = MemoryEngine::Open(std::move(disk));
  EXPECT_TRUE(engine.ok()) << engine.status();
  return Replica::Open(std::move(options), std::move(*engine), clock, std::move(topology), origin);
}

std::shared_ptr<Replica> OpenReplica(const std::string& name, const Clock* clock, Origin origin,
                                     std::shared_ptr<MemoryDisk> disk) {
  auto replica = TryOpen(name, clock, origin, std::move(disk), MakeTopology("r0"));
  EXPECT_TRUE(replica.ok()) << replica.status();
  return *replica;
}

void Put(Replica& replica, const std::string& name_space) {
  internal::v1::StoreRequest request;
  request.mutable_mutate()->set_namespace_(name_space);
  request.mutable_mutate()->set_id("record");
  request.mutable_mutate()->add_changes()->set_put("value");
  internal::v1::StoreResponse response;
  absl::Status status;
  absl::Notification done;
  replica.Execute(CallContext(), request, &response, [&](absl::Status result) {
    status = std::move(result);
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_TRUE(status.ok()) << status;
}

// The value of the record in the namespace; "" if there is none.
absl::StatusOr<std::string> Get(Replica& replica, const std::string& name_space) {
  internal::v1::StoreRequest request;
  request.mutable_get()->set_namespace_(name_space);
  request.mutable_get()->set_id("record");
  internal::v1::StoreResponse response;
  absl::Status status;
  absl::Notification done;
  replica.Execute(CallContext(), request, &response, [&](absl::Status result) {
    status = std::move(result);
    done.Notify();
  });
  done.WaitForNotification();
  if (!status.ok()) return status;
  return response.get().item().value();
}

// True once it is so; looked at after each commit.
bool WaitUntil(Replica& replica, absl::FunctionRef<bool()> is_so) {
  absl::Mutex mutex;
  bool there = false;
  const int listener = replica.AddListener([&] {
    absl::MutexLock lock(&mutex);
    there = is_so();
  });
  {
    absl::MutexLock lock(&mutex);
    mutex.AwaitWithTimeout(absl::Condition(&there), kPatience);
  }
  replica.RemoveListener(listener);
  return there;
}

// True once `replica` has applied the origin up to `sequence`.
bool WaitApplied(Replica& replica, Origin origin, Sequence sequence) {
  return WaitUntil(replica, [&] { return replica.view()->AppliedOf(origin) >= sequence; });
}

class TopologyChangeTest : public testing::Test {
 protected:
  TopologyChangeTest()
      : sender_(OpenReplica("r0/a", &clock_, kSender, std::make_shared<MemoryDisk>())),
        receiver_(OpenReplica("r1/a", &clock_, Origin(2), receiver_disk_)),
        service_(sender_.get(), ReplicationServiceOptions()) {
    server_ = Serve(service_);
    options_.dial["r0/a"] = absl::StrCat("127.0.0.1:", server_->port());
    links_ = std::make_unique<LinkManager>(receiver_.get(), &queues_, options_);
  }
  ~TopologyChangeTest() override {
    if (links_ != nullptr) links_->Stop();
    service_.Stop();
    server_->Shutdown(absl::InfiniteDuration());
  }
  std::unique_ptr<StreamServer> Serve(ReplicationService& service) {
    auto server = StreamServer::Start("127.0.0.1:0", {&service}, &queues_);
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

  const Origin kSender{1};
  SystemClock clock_;
  const std::shared_ptr<MemoryDisk> receiver_disk_ = std::make_shared<MemoryDisk>();
  std::shared_ptr<Replica> sender_;
  std::shared_ptr<Replica> receiver_;
  StreamQueues queues_{2};
  ReplicationService service_;
  std::unique_ptr<StreamServer> server_;
  LinkOptions options_;
  std::unique_ptr<LinkManager> links_;
};

TEST_F(TopologyChangeTest, WhatAPeerMayNotHoldIsStillLeftOutAfterBothSidesChanged) {
  Put(*sender_, "first");
  Put(*sender_, "both");
  ASSERT_TRUE(WaitApplied(*receiver_, kSender, Sequence(3)));

  sender_->SetTopology(MakeTopology("r1"));
  receiver_->SetTopology(MakeTopology("r1"));
  links_->OnTopology();
  Put(*sender_, "first");
  Put(*sender_, "both");
  EXPECT_TRUE(WaitApplied(*receiver_, kSender, Sequence(5)));
}

TEST_F(TopologyChangeTest, TheSideThatChangesLastSetsTheLinkGoingAgain) {
  receiver_->SetTopology(MakeTopology("r1"));
  links_->OnTopology();
  Put(*sender_, "first");
  Put(*sender_, "both");
  sender_->SetTopology(MakeTopology("r1"));
  EXPECT_TRUE(WaitApplied(*receiver_, kSender, Sequence(3)));
}

TEST_F(TopologyChangeTest, ANamespaceOfWhichEntriesWereLeftOutIsSeededWhenTheRegionComesToHoldIt) {
  Put(*sender_, "first");
  ASSERT_TRUE(WaitApplied(*receiver_, kSender, Sequence(2)));
  links_.reset();
  receiver_.reset();

  const auto grown = MakeTopology("r0", /*first_everywhere=*/true);
  auto reopened = TryOpen("r1/a", &clock_, Origin(3), receiver_disk_, grown);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  receiver_ = *reopened;
  // What is here has holes, and is not shown.
  EXPECT_EQ(ReasonOf(Get(*receiver_, "first").status()), reason::kCatchingUp);
  sender_->SetTopology(grown);
  links_ = std::make_unique<LinkManager>(receiver_.get(), &queues_, options_);
  // The sender has to know what the receiver has written itself: a link the other way round.
  ReplicationService back(receiver_.get(), ReplicationServiceOptions());
  const std::unique_ptr<StreamServer> server = Serve(back);
  LinkOptions options_back;
  options_back.dial["r1/a"] = absl::StrCat("127.0.0.1:", server->port());
  LinkManager links_back(sender_.get(), &queues_, std::move(options_back));
  ASSERT_TRUE(WaitUntil(*receiver_, [this] { return receiver_->view()->seeding == nullptr; }));
  auto value = Get(*receiver_, "first");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, "value");
  links_back.Stop();
  back.Stop();
  server->Shutdown(absl::InfiniteDuration());
}

}  // namespace
}  // namespace homeport
