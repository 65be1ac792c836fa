// Links over real connections, on loopback.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/time/simulated_clock.h"
#include "common/time/system/system_clock.h"
#include "homeport/internal/v1/replication.grpc.pb.h"
#include "storage/engine/memory/memory_engine.h"
#include "storage/link/link_manager.h"
#include "storage/link/replication_service.h"

namespace homeport {
namespace {

using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

std::shared_ptr<const Topology> MakeTopology(const std::string& cluster, int size) {
  internal::v1::Topology proto;
  proto.set_cluster(cluster);
  for (int i = 0; i < size; ++i) {
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
  proto.add_namespaces()->set_name("all");
  auto topology = Topology::Create(proto);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *topology;
}

// A replica with a server; links come with Dial().
class Node {
 public:
  Node(int at, int size, const Clock* clock, const std::string& cluster = "links") {
    auto engine = MemoryEngine::Open(std::make_shared<MemoryDisk>());
    EXPECT_TRUE(engine.ok());
    ReplicaOptions options;
    options.name = ReplicaName(absl::StrCat("r", at, "/a"));
    auto replica = Replica::Open(options, std::move(*engine), clock, MakeTopology(cluster, size),
                                 Origin(1000 + at));
    EXPECT_TRUE(replica.ok()) << replica.status();
    replica_ = std::move(*replica);
  }
  ~Node() {
    Hang();
    Close();
    replica_->Stop();
  }
  void Serve(size_t batch_bytes = 256 * 1024) {
    ReplicationServiceOptions options;
    options.batch_bytes = batch_bytes;
    service_ = std::make_unique<ReplicationService>(replica_.get(), options);
    auto server =
        StreamServer::Start(absl::StrCat("127.0.0.1:", port_), {service_.get()}, &queues_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = server_->port();
  }
  void Close() {
    if (server_ == nullptr) return;
    service_->Stop();
    server_->Shutdown(absl::InfiniteDuration());
    server_.reset();
    service_.reset();
  }
  void Dial(const std::vector<Node*>& peers, LinkOptions options = {}) {
    for (Node* peer : peers) {
      options.dial[peer->replica_->name().value()] = absl::StrCat("127.0.0.1:", peer->port_);
    }
    links_ = std::make_unique<LinkManager>(replica_.get(), &queues_, options);
  }
  void Hang() { links_.reset(); }
  absl::Status Put(const std::string& id, const std::string& value) {
    StoreRequest request;
    request.mutable_mutate()->set_namespace_("all");
    request.mutable_mutate()->set_id(id);
    request.mutable_mutate()->add_changes()->set_put(value);
    StoreResponse response;
    absl::Notification done;
    absl::Status result;
    replica_->Execute({}, request, &response, [&](absl::Status status) {
      result = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }
  // Waits until everything of `from`'s present start is applied here.
  void AwaitAllOf(const Node& from) {
    const auto theirs = from.replica_->view();
    Await([&] {
      return replica_->view()->AppliedOf(theirs->self) >= theirs->AppliedOf(theirs->self);
    });
  }
  // Waits for a condition, looked at after each commit.
  template <typename F>
  void Await(F condition) {
    absl::Notification met;
    const int listener = replica_->AddListener([&] {
      if (!met.HasBeenNotified() && condition()) met.Notify();
    });
    met.WaitForNotification();
    replica_->RemoveListener(listener);
  }
  Replica& replica() { return *replica_; }
  LinkManager& links() { return *links_; }
  ReplicationService& service() { return *service_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  void set_port(int port) { port_ = port; }

 private:
  int port_ = 0;
  StreamQueues queues_{2};
  std::shared_ptr<Replica> replica_;
  std::unique_ptr<ReplicationService> service_;
  std::unique_ptr<StreamServer> server_;
  std::unique_ptr<LinkManager> links_;
};

TEST(LinkTest, ThreeReplicasGetEachOthersWrites) {
  SystemClock clock;
  Node a(0, 3, &clock), b(1, 3, &clock), c(2, 3, &clock);
  for (Node* node : {&a, &b, &c}) node->Serve();
  a.Dial({&b, &c});
  b.Dial({&a, &c});
  c.Dial({&a, &b});
  for (int i = 0; i < 50; ++i) {
    for (Node* node : {&a, &b, &c}) ASSERT_TRUE(node->Put(absl::StrCat("k", i), "v").ok());
  }
  for (Node* to : {&a, &b, &c}) {
    for (Node* from : {&a, &b, &c}) {
      if (to != from) to->AwaitAllOf(*from);
    }
  }
}

TEST(LinkTest, AServerThatWentAndCameBackIsPulledOnFromWhereItWas) {
  SystemClock clock;
  Node a(0, 2, &clock), b(1, 2, &clock);
  a.Serve();
  b.Dial({&a});
  ASSERT_TRUE(a.Put("x", "1").ok());
  b.AwaitAllOf(a);
  a.Close();
  ASSERT_TRUE(a.Put("x", "2").ok());
  a.Serve();
  b.AwaitAllOf(a);
  EXPECT_EQ(b.replica().Stats().core.entries_duplicate, 0u);
}

TEST(LinkTest, EntriesLargerThanABatchAndThanTheCreditArrive) {
  SystemClock clock;
  Node a(0, 2, &clock), b(1, 2, &clock);
  a.Serve(/*batch_bytes=*/1000);
  LinkOptions options;
  options.credit_bytes = 500;
  b.Dial({&a}, options);
  std::string value;
  for (int i = 0; i < 20000; ++i) value += static_cast<char>(i * 7919 >> 3 & 0x7f);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(a.Put(absl::StrCat("k", i), value).ok());
  b.AwaitAllOf(a);
}

TEST(LinkTest, AnotherClustersReplicaIsRefusedAndShown) {
  SystemClock clock;
  Node a(0, 2, &clock, "strangers"), b(1, 2, &clock);
  a.Serve();
  b.Dial({&a});
  b.Await([&] { return b.links().Status()[0].state() == v1::LINK_STATE_PAUSED; });
  EXPECT_NE(b.links().Status()[0].reason().find("strangers"), std::string::npos);
  EXPECT_EQ(b.replica().view()->origins.size(), 1u);
}

TEST(LinkTest, StoppingDoesNotWaitForAPeerThatIsNotThere) {
  SystemClock clock;
  Node a(0, 2, &clock), b(1, 2, &clock);
  a.set_port(1);
  b.Dial({&a});
  b.links().Stop();
}

TEST(LinkTest, APeerWhoseOldStreamWasNotMissedYetIsListedOnceByItsNewOne) {
  SystemClock clock;
  Node a(0, 2, &clock);
  a.Serve();
  auto stub = internal::v1::Replication::NewStub(
      grpc::CreateChannel(a.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext old_context, new_context;
  auto greet = [&](grpc::ClientContext* context, uint64_t received) {
    auto stream = stub->Pull(context);
    internal::v1::PullRequest request;
    request.mutable_hello()->set_cluster("links");
    request.mutable_hello()->set_replica("r1/a");
    internal::v1::OriginReport* report = request.mutable_hello()->add_origins();
    report->set_origin(a.replica().view()->self.value());
    report->set_received(received);
    EXPECT_TRUE(stream->Write(request));
    internal::v1::PullResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_hello());
    return stream;
  };
  auto old_stream = greet(&old_context, 0);
  auto new_stream = greet(&new_context, 1);
  const std::vector<PullingPeer> peers = a.service().Peers();
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0].name.value(), "r1/a");
  EXPECT_EQ(peers[0].received, 1u);
  old_context.TryCancel();
  new_context.TryCancel();
  old_stream->Finish();
  new_stream->Finish();
}

// Says hello and nothing more.
class SilentPeer final : public internal::v1::Replication::CallbackService {
 public:
  class Reactor final
      : public grpc::ServerBidiReactor<internal::v1::PullRequest, internal::v1::PullResponse> {
   public:
    Reactor() {
      response_.mutable_hello()->set_cluster("links");
      response_.mutable_hello()->set_replica("r0/a");
      StartWrite(&response_);
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

   private:
    internal::v1::PullResponse response_;
  };
  grpc::ServerBidiReactor<internal::v1::PullRequest, internal::v1::PullResponse>* Pull(
      grpc::CallbackServerContext*) override {
    return new Reactor;
  }
};

TEST(LinkTest, AStreamOnWhichNothingIsHeardIsEnded) {
  SimulatedClock clock;
  SilentPeer silent;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&silent);
  auto server = builder.BuildAndStart();
  Node a(0, 2, &clock), b(1, 2, &clock);
  a.set_port(port);
  b.Dial({&a});
  auto state = [&] { return b.links().Status()[0]; };
  b.Await([&] { return state().state() == v1::LINK_STATE_STREAMING; });
  clock.Advance(absl::Seconds(4));
  b.Await([&] { return state().state() == v1::LINK_STATE_CONNECTING; });
  EXPECT_NE(state().reason().find("nothing was heard"), std::string::npos);
  clock.Advance(absl::Seconds(1));
  b.Await([&] { return state().connects() == 2; });
  b.Hang();
  server->Shutdown();
}

}  // namespace
}  // namespace homeport
