#include "client/world/tcp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace homeport {
namespace {

// A blocking socket that closes itself.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() { Close(); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd() const { return fd_; }

  bool Send(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  // Waits for exactly `size` bytes; what came before an end or an error otherwise.
  std::string Receive(size_t size) {
    std::string bytes(size, '\0');
    size_t got = 0;
    while (got < size) {
      const ssize_t n = recv(fd_, bytes.data() + got, size - got, 0);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    bytes.resize(got);
    return bytes;
  }
  // What a read says that finds neither bytes nor more to come.
  std::string EndKind() {
    char byte;
    const ssize_t n = recv(fd_, &byte, 1, 0);
    return n > 0 ? "bytes" : n == 0 ? "end" : errno == ECONNRESET ? "reset" : "error";
  }

 private:
  int fd_;
};

sockaddr_in Address(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

class TcpRelayTest : public testing::Test {
 protected:
  TcpRelayTest() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = Address(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.fd(), 16), 0);
    getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    target_ = Endpoint{"127.0.0.1", ntohs(address.sin_port)};
    thread_ = *RelayThread::Start();
  }

  std::unique_ptr<TcpRelay> Relay(const RelayOptions& options = {}) {
    auto relay = TcpRelay::Create(thread_.get(), target_, options);
    EXPECT_TRUE(relay.ok()) << relay.status();
    return *std::move(relay);
  }
  static Socket Connect(const TcpRelay& relay) {
    Socket s(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = Address(relay.endpoint().port);
    EXPECT_EQ(connect(s.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return s;
  }
  Socket Accept() { return Socket(accept(listener_.fd(), nullptr, nullptr)); }
  // Until the relay holds so many bytes on the way to the target.
  static void AwaitHeldForward(const TcpRelay& relay, uint64_t bytes) {
    while (relay.counters().held_forward < bytes) std::this_thread::yield();
  }

  Socket listener_;
  Endpoint target_;
  std::unique_ptr<RelayThread> thread_;
};

TEST_F(TcpRelayTest, ForwardsBothWaysUnchanged) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  std::string large(3'000'000, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  std::thread sender([&] { EXPECT_TRUE(client.Send(large)); });
  EXPECT_EQ(server.Receive(large.size()), large);
  sender.join();
  EXPECT_TRUE(server.Send("answer"));
  EXPECT_EQ(client.Receive(6), "answer");
  const RelayCounters counters = relay->counters();
  EXPECT_EQ(counters.bytes_forward, large.size());
  EXPECT_EQ(counters.bytes_backward, 6u);
  EXPECT_EQ(counters.connections, 1u);
  EXPECT_EQ(counters.open, 1u);
}

TEST_F(TcpRelayTest, TheNearerOfTwoRelaysDeliversFirst) {
  RelayOptions far;
  far.delay_forward = far.delay_backward = absl::Milliseconds(120);
  RelayOptions near;
  near.delay_forward = near.delay_backward = absl::Milliseconds(1);
  auto far_relay = Relay(far);
  Socket far_client = Connect(*far_relay);
  Socket far_server = Accept();
  auto near_relay = Relay(near);
  Socket near_client = Connect(*near_relay);
  Socket near_server = Accept();
  EXPECT_TRUE(far_client.Send("far"));
  AwaitHeldForward(*far_relay, 3);
  EXPECT_TRUE(near_client.Send("near"));
  EXPECT_EQ(near_server.Receive(4), "near");
  EXPECT_EQ(far_relay->counters().held_forward, 3u);
  EXPECT_EQ(far_server.Receive(3), "far");
}

TEST_F(TcpRelayTest, EndsOfStreamsTravelOneByOne) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  EXPECT_TRUE(client.Send("last words"));
  shutdown(client.fd(), SHUT_WR);
  EXPECT_EQ(server.Receive(10), "last words");
  EXPECT_EQ(server.EndKind(), "end");
  EXPECT_TRUE(server.Send("still here"));
  EXPECT_EQ(client.Receive(10), "still here");
  server.Close();
  EXPECT_EQ(client.EndKind(), "end");
}

TEST_F(TcpRelayTest, ATargetThatDoesNotAcceptResetsTheCaller) {
  auto relay = Relay();
  listener_.Close();
  Socket client = Connect(*relay);
  EXPECT_EQ(client.EndKind(), "reset");
  EXPECT_EQ(relay->counters().unreachable, 1u);
}

TEST_F(TcpRelayTest, CutResetsOpenConnectionsAndRefusesNewOnes) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  relay->Cut();
  EXPECT_EQ(client.EndKind(), "reset");
  EXPECT_EQ(server.EndKind(), "reset");
  EXPECT_EQ(Connect(*relay).EndKind(), "reset");
  EXPECT_EQ(relay->counters().reset, 1u);
  EXPECT_EQ(relay->counters().refused, 1u);
}

TEST_F(TcpRelayTest, AHealedCutConnectsAgain) {
  auto relay = Relay();
  relay->Cut();
  relay->Heal();
  Socket client = Connect(*relay);
  Socket server = Accept();
  EXPECT_TRUE(client.Send("x"));
  EXPECT_EQ(server.Receive(1), "x");
}

TEST_F(TcpRelayTest, ABlackHoleHoldsBytesAndEndsUntilHealed) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  relay->BlackHole(RelayDirection::kBoth);
  EXPECT_TRUE(client.Send("held"));
  AwaitHeldForward(*relay, 4);
  client.Close();
  EXPECT_EQ(relay->counters().bytes_forward, 0u);
  EXPECT_EQ(relay->counters().open, 1u);
  relay->Heal();
  EXPECT_EQ(server.Receive(4), "held");
}

TEST_F(TcpRelayTest, AOneWayBlackHoleLetsTheOtherWayThrough) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  relay->BlackHole(RelayDirection::kForward);
  EXPECT_TRUE(client.Send("held"));
  AwaitHeldForward(*relay, 4);
  EXPECT_TRUE(server.Send("through"));
  EXPECT_EQ(client.Receive(7), "through");
  EXPECT_EQ(relay->counters().bytes_forward, 0u);
}

TEST_F(TcpRelayTest, ABlackHoleAcceptsNothingMore) {
  auto relay = Relay();
  relay->BlackHole(RelayDirection::kForward);
  Socket client = Connect(*relay);  // by the kernel's backlog, as with a first packet on its way
  EXPECT_TRUE(client.Send("x"));
  EXPECT_EQ(relay->counters().connections, 0u);
  relay->Heal();
  Socket server = Accept();
  EXPECT_EQ(server.Receive(1), "x");
}

TEST_F(TcpRelayTest, NoMoreIsHeldThanTheLimit) {
  RelayOptions options;
  options.in_flight_bytes_max = 100'000;
  auto relay = Relay(options);
  Socket client = Connect(*relay);
  Socket server = Accept();
  relay->BlackHole(RelayDirection::kForward);
  const std::string large(20'000'000, 'x');
  std::thread sender([&] { EXPECT_TRUE(client.Send(large)); });
  AwaitHeldForward(*relay, 100'000);
  EXPECT_EQ(relay->counters().held_forward, 100'000u);
  relay->Heal();
  EXPECT_EQ(server.Receive(large.size()), large);
  sender.join();
}

TEST_F(TcpRelayTest, AResetReachesTheOtherSide) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  const linger hard{1, 0};
  setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  client.Close();
  EXPECT_EQ(server.EndKind(), "reset");
}

TEST_F(TcpRelayTest, DestroyingARelayResetsItsConnections) {
  auto relay = Relay();
  Socket client = Connect(*relay);
  Socket server = Accept();
  relay.reset();
  EXPECT_EQ(client.EndKind(), "reset");
  EXPECT_EQ(server.EndKind(), "reset");
}

TEST_F(TcpRelayTest, OnlyLoopbackTargetsAreTaken) {
  auto relay = TcpRelay::Create(thread_.get(), Endpoint{"192.0.2.1", 80}, {});
  EXPECT_EQ(relay.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(relay.status().message(),
            "target: 192.0.2.1:80 is not an IPv4 loopback address and port");
}

TEST_F(TcpRelayTest, ADelayOutOfRangeIsRefused) {
  RelayOptions options;
  options.delay_forward = absl::Seconds(11);
  auto relay = TcpRelay::Create(thread_.get(), target_, options);
  EXPECT_EQ(relay.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(relay.status().message(), "delay: must be 0 to 10 s");
}

}  // namespace
}  // namespace homeport
