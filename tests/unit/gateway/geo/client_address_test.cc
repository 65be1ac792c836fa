#include "gateway/geo/client_address.h"

#include <string>
#include <vector>

#include "common/status/error.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/geo/geo_fixture.h"

namespace homeport {
namespace {

using testing::Ip;
using HeaderList = std::vector<std::pair<absl::string_view, absl::string_view>>;

// Trusts 10.0.0.0/8 and fd00::/8.
std::string Client(const HeaderList& headers, absl::string_view peer = "10.0.0.1",
                   const std::string& header = "") {
  const ClientAddressResolver resolver({*IpRange::Parse("10.0.0.0/8"), *IpRange::Parse("fd00::/8")},
                                       header);
  return resolver.Resolve(Ip(peer), headers).ToString();
}
std::string ForwardedFor(absl::string_view value) { return Client({{"x-forwarded-for", value}}); }
std::string Forwarded(absl::string_view value) { return Client({{"forwarded", value}}); }
constexpr char kPeer[] = "10.0.0.1";

TEST(ClientAddressTest, UntrustedPeersHeadersAreIgnored) {
  const HeaderList forged = {
      {"forwarded", "for=8.8.8.8"}, {"x-forwarded-for", "8.8.8.8"}, {"x-real-ip", "8.8.8.8"}};
  EXPECT_EQ(Client(forged, "192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(Client(forged, "2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(Client(forged, "192.0.2.7", "x-real-ip"), "192.0.2.7");
  const ClientAddressResolver trusts_nobody({}, "");
  EXPECT_EQ(trusts_nobody.Resolve(Ip("10.0.0.1"), forged), Ip("10.0.0.1"));
}

TEST(ClientAddressTest, WithoutHeadersTheClientIsThePeer) {
  EXPECT_EQ(Client({}), kPeer);
  EXPECT_EQ(Client({{"x-forwarded-for", ""}}), kPeer);
  EXPECT_EQ(Client({{"forwarded", " \t"}}), kPeer);
}

TEST(ClientAddressTest, TheRightmostUntrustedHopIsTheClient) {
  EXPECT_EQ(ForwardedFor("1.1.1.1, 2.2.2.2"), "2.2.2.2");
  EXPECT_EQ(ForwardedFor("1.1.1.1, 2.2.2.2, 10.9.9.9, 10.8.8.8"), "2.2.2.2");
  EXPECT_EQ(Forwarded("for=1.1.1.1, for=2.2.2.2;by=10.0.0.1, for=10.9.9.9"), "2.2.2.2");
  EXPECT_EQ(ForwardedFor("1.1.1.1, 2001:db8::1, fd00::7"), "2001:db8::1");
}

TEST(ClientAddressTest, WhenEveryHopIsTrustedTheLeftmostIsTheClient) {
  EXPECT_EQ(ForwardedFor("10.3.3.3, 10.2.2.2"), "10.3.3.3");
  EXPECT_EQ(Forwarded("for=10.3.3.3, for=10.2.2.2"), "10.3.3.3");
}

TEST(ClientAddressTest, MappedHopsAreTrustedAsTheirIpv4Address) {
  EXPECT_EQ(ForwardedFor("1.1.1.1, ::ffff:10.2.2.2"), "1.1.1.1");
  EXPECT_EQ(ForwardedFor("::ffff:1.1.1.1"), "1.1.1.1");
}

TEST(ClientAddressTest, RepeatedHeadersAreJoinedInOrder) {
  EXPECT_EQ(Client({{"x-forwarded-for", "1.1.1.1"}, {"x-forwarded-for", "2.2.2.2"}}), "2.2.2.2");
  EXPECT_EQ(Client({{"x-forwarded-for", "1.1.1.1"},
                    {"user-agent", "x"},
                    {"x-forwarded-for", "2.2.2.2, 10.4.4.4"},
                    {"x-forwarded-for", "10.5.5.5"}}),
            "2.2.2.2");
  EXPECT_EQ(Client({{"forwarded", "for=1.1.1.1"}, {"forwarded", "for=10.2.2.2"}}), "1.1.1.1");
}

TEST(ClientAddressTest, ForwardedGoesBeforeXForwardedFor) {
  EXPECT_EQ(Client({{"x-forwarded-for", "1.1.1.1"}, {"forwarded", "for=2.2.2.2"}}), "2.2.2.2");
  EXPECT_EQ(Client({{"forwarded", "for=unknown"}, {"x-forwarded-for", "1.1.1.1"}}), kPeer);
}

TEST(ClientAddressTest, ANamedHeaderReplacesTheOthers) {
  const HeaderList all = {
      {"forwarded", "for=1.1.1.1"}, {"x-forwarded-for", "2.2.2.2"}, {"x-real-ip", "3.3.3.3"}};
  EXPECT_EQ(Client(all, kPeer, "x-real-ip"), "3.3.3.3");
  EXPECT_EQ(Client(all, kPeer, "x-forwarded-for"), "2.2.2.2");
  EXPECT_EQ(Client(all, kPeer, "forwarded"), "1.1.1.1");
  EXPECT_EQ(Client(all, kPeer, "cf-connecting-ip"), kPeer);
}

TEST(ClientAddressTest, XForwardedForIsReadWithPortsAndBrackets) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1.1.1.1", "1.1.1.1"},           {"1.1.1.1:443", "1.1.1.1"},
      {"  1.1.1.1\t", "1.1.1.1"},       {"2001:db8::1", "2001:db8::1"},
      {"[2001:db8::1]", "2001:db8::1"}, {"[2001:db8::1]:65535", "2001:db8::1"},
      {"fe80::1%eth0", "fe80::1"},      {"1.1.1.1,", "1.1.1.1"},
      {",,1.1.1.1, ,", "1.1.1.1"},
  };
  for (const auto& [value, want] : cases) EXPECT_EQ(ForwardedFor(value), want) << value;
}

TEST(ClientAddressTest, AMalformedXForwardedForHopEndsTheWalk) {
  for (const std::string bad :
       {"unknown", "_hidden", "localhost", "1.1.1", "01.1.1.1", "1.1.1.1:", "1.1.1.1:65536",
        "1.1.1.1:x", "1.1.1.1:123456", "[1.1.1.1]", "[2001:db8::1", "2001:db8::1]", "[::1]x",
        "[::1]:", "\"1.1.1.1\"", "1.1.1.1 2.2.2.2", "for=1.1.1.1"}) {
    EXPECT_EQ(ForwardedFor("9.9.9.9, " + bad), kPeer) << bad;
    EXPECT_EQ(ForwardedFor("9.9.9.9, " + bad + ", 10.2.2.2"), "10.2.2.2") << bad;
  }
}

TEST(ClientAddressTest, ForwardedIsReadAsRfc7239Says) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"for=192.0.2.60", "192.0.2.60"},
      {"For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
      {"for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"},
      {"by=203.0.113.43;FOR=192.0.2.60", "192.0.2.60"},
      {"proto=https; for=\"192.0.2.60:80\" ; host=\"a,b;c=\\\"d\\\\\"", "192.0.2.60"},
      {"for=\"1\\92.0.2.60\"", "192.0.2.60"},  // an escaped character is that character
      {"for=\"[2001:db8::1]\"", "2001:db8::1"},
      {"for=\"[2001:db8::1]:_port\"", "2001:db8::1"},
      {"for=192.0.2.60;", "192.0.2.60"},
      {"for=[2001:db8::1]:80", "2001:db8::1"},  // unquoted, as many proxies write it
      {"for=9.9.9.9;host=\"x, for=8.8.8.8\"", "9.9.9.9"},
      {"for=9.9.9.9, for=192.0.2.43;host=\",\\\",\"", "192.0.2.43"},
  };
  for (const auto& [value, want] : cases) EXPECT_EQ(Forwarded(value), want) << value;
}

TEST(ClientAddressTest, AnObfuscatedOrMalformedForwardedHopEndsTheWalk) {
  for (const std::string bad :
       {"for=unknown", "for=Unknown", "for=_hidden", "for=\"_SEVKISEK\"", "for=\"unknown:80\"",
        "proto=http", "for", "for=", "=1.1.1.1", "for=\"1.1.1.1", "for=1.1.1.1\"",
        "for=1.1.1.1;for=2.2.2.2", "for=1.1.1.1 proto=http", "for = 1.1.1.1",
        "for=1.1.1.1;;proto=http", "1.1.1.1", "for=\"1.1.1.1\"x", "for=(1.1.1.1)"}) {
    EXPECT_EQ(Forwarded("for=9.9.9.9, " + bad), kPeer) << bad;
    EXPECT_EQ(Forwarded("for=9.9.9.9, " + bad + ", for=10.2.2.2"), "10.2.2.2") << bad;
  }
}

TEST(ClientAddressTest, WhatAClientForgedCanNotReachWhatAProxyAppended) {
  for (const char* forged :
       {"for=\"", "for=8.8.8.8;by=\"", "\\", "for=\"\\", "\"\"\"", "for=8.8.8.8;x=\"\\\""}) {
    EXPECT_EQ(Forwarded(std::string(forged) + ", for=1.1.1.1"), "1.1.1.1") << forged;
    EXPECT_EQ(Forwarded(std::string(forged) + ", for=\"[2001:db8::1]:4711\""), "2001:db8::1")
        << forged;
    EXPECT_EQ(Client({{"forwarded", forged}, {"forwarded", "for=1.1.1.1"}}), "1.1.1.1") << forged;
  }
}

TEST(ClientAddressTest, HopsAreWalkedUpToTheLimit) {
  std::string trusted;
  for (int i = 0; i < ClientAddressResolver::kHopsMax - 1; ++i) trusted += ", 10.0.0.2";
  EXPECT_EQ(ForwardedFor("1.1.1.1" + trusted), "1.1.1.1");
  EXPECT_EQ(ForwardedFor("1.1.1.1" + trusted + ", 10.0.0.3"), "10.0.0.2");
}

TEST(ClientAddressTest, BytesAreReadUpToTheLimitAndNoAddressIsCutShort) {
  const std::string tail = ",10.0.0.2";
  const auto padded = [&](size_t size, const std::string& head) {
    return head + std::string(size - head.size() - tail.size(), ' ') + tail;
  };
  EXPECT_EQ(ForwardedFor(padded(ClientAddressResolver::kHeaderBytesMax, "18.8.8.8")), "18.8.8.8");
  // One byte more would leave "8.8.8.8" of it.
  EXPECT_EQ(ForwardedFor(padded(ClientAddressResolver::kHeaderBytesMax + 1, "18.8.8.8")),
            "10.0.0.2");
  // The limit is that of all lines together.
  const std::string line = padded(ClientAddressResolver::kHeaderBytesMax, "10.0.0.9");
  EXPECT_EQ(Client({{"x-forwarded-for", "1.1.1.1"}, {"x-forwarded-for", line}}), "10.0.0.9");
}

TEST(GrpcPeerTest, EveryFormOfPeerIsRead) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"ipv4:1.2.3.4:5", "1.2.3.4"},
      {"ipv6:[::1]:5", "::1"},
      {"ipv6:%5B::1%5D:5", "::1"},
      {"ipv6:%5b2001:db8::1%5d:50051", "2001:db8::1"},
      {"ipv6:[::ffff:1.2.3.4]:5", "1.2.3.4"},
      {"ipv6:%5Bfe80::1%25eth0%5D:5", "fe80::1"},
      {"ipv6:[fe80::1%eth0]:5", "fe80::1"},
      {"unix:", "127.0.0.1"},
      {"unix:/run/homeport.sock", "127.0.0.1"},
      {"unix-abstract:name", "127.0.0.1"},
  };
  for (const auto& [peer, want] : cases) {
    const auto address = ParseGrpcPeer(peer);
    ASSERT_TRUE(address.ok()) << peer << ": " << address.status();
    EXPECT_EQ(address->ToString(), want) << peer;
  }
}

TEST(GrpcPeerTest, AnyOtherPeerIsRefused) {
  for (const std::string peer :
       {"", "1.2.3.4:5", "ipv4:", "ipv4:[::1]:5", "ipv4:1.2.3", "ipv6:1.2.3.4:5", "ipv6:[::1",
        "vsock:1:2", "dns:localhost", "ipv4:localhost:5"}) {
    EXPECT_EQ(ReasonOf(ParseGrpcPeer(peer).status()), reason::kAddressInvalid) << peer;
    EXPECT_EQ(ParseGrpcPeer(peer).status().code(), absl::StatusCode::kInvalidArgument) << peer;
  }
  EXPECT_FALSE(ParseGrpcPeer("ipv4:" + std::string(1 << 20, '1')).ok());
}

}  // namespace
}  // namespace homeport
