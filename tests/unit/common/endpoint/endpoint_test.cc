#include "common/endpoint/endpoint.h"

#include <string>

#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;

void ExpectRefused(absl::string_view text, absl::string_view what) {
  SCOPED_TRACE(std::string(text));
  const auto endpoint = Endpoint::Parse(text);
  EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(endpoint.status()), reason::kAddressInvalid);
  EXPECT_THAT(std::string(endpoint.status().message()), HasSubstr(std::string(what)));
}

TEST(EndpointTest, NamesAndAddressesAreTakenApartAndPutTogether) {
  for (const char* text : {"127.0.0.1:7001", "gateway.example.com:443", "localhost:0",
                           "[::1]:65535", "[2001:db8::7]:80", "my_host-1:1"}) {
    const auto endpoint = Endpoint::Parse(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->ToString(), text);
  }
  EXPECT_EQ(Endpoint::Parse("[2001:db8::7]:80")->host, "2001:db8::7");
  EXPECT_EQ(Endpoint::Parse("[2001:db8::7]:80")->port, 80);
}

TEST(EndpointTest, WhatIsWrongIsSaid) {
  ExpectRefused("10.0.0.7", "\"10.0.0.7\" has no port");
  ExpectRefused("10.0.0.7:", "has no port");
  ExpectRefused("[::1]", "has no port");
  ExpectRefused(":7001", "has no host");
  ExpectRefused("", "has no port");
  ExpectRefused("::1:7001", "must stand in brackets");
  ExpectRefused("[::1:7001", "no closing bracket");
  ExpectRefused("[::1]7001", "between its bracket and the port");
  ExpectRefused("[127.0.0.1]:7001", "no IPv6 address in its brackets");
  ExpectRefused("[]:7001", "no IPv6 address in its brackets");
  ExpectRefused("300.1.1.1:7001", "looks like an IPv4 address and is none");
  ExpectRefused("10.0.0:7001", "looks like an IPv4 address and is none");
  ExpectRefused("a b:7001", "neither a name nor an address");
  ExpectRefused("http://a:7001", "must stand in brackets");
  ExpectRefused(std::string(254, 'a') + ":1", "more than 253 bytes");
}

TEST(EndpointTest, PortsAreDecimalUpTo65535) {
  EXPECT_TRUE(Endpoint::Parse("a:65535").ok());
  for (const char* port : {"65536", "99999999999", "-1", "+1", "01", "0x1", "1 ", "http"}) {
    ExpectRefused(std::string("a:") + port, "has a port that is not a number from 0 to 65535");
  }
}

TEST(EndpointTest, LoopbackIsKnownWithoutALookUp) {
  for (const char* text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "localhost:1", "LOCALHOST:1",
                           "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(Endpoint::Parse(text)->IsLoopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "128.0.0.1:1", "[2001:db8::1]:1",
                           "localhost.example.com:1"}) {
    EXPECT_FALSE(Endpoint::Parse(text)->IsLoopback()) << text;
  }
}

}  // namespace
}  // namespace homeport
