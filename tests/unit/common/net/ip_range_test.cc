#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

bool Holds(absl::string_view range, absl::string_view address) {
  return IpRange::Parse(range)->Contains(*IpAddress::Parse(address));
}

TEST(IpRangeTest, HoldsItsFirstAndLastAddressAndNoOther) {
  EXPECT_TRUE(Holds("10.0.0.0/8", "10.0.0.0"));
  EXPECT_TRUE(Holds("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(Holds("10.0.0.0/8", "9.255.255.255"));
  EXPECT_FALSE(Holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(Holds("100.64.0.0/10", "100.127.255.255"));
  EXPECT_FALSE(Holds("100.64.0.0/10", "100.128.0.0"));
  EXPECT_TRUE(Holds("2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(Holds("2001:db8::/33", "2001:db8:8000::"));
  EXPECT_TRUE(Holds("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(Holds("192.0.2.1", "192.0.2.2"));
}

TEST(IpRangeTest, ARangeOfEverythingStaysInItsFamily) {
  EXPECT_TRUE(Holds("0.0.0.0/0", "255.1.2.3"));
  EXPECT_FALSE(Holds("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(Holds("::/0", "2001:db8::1"));
  EXPECT_FALSE(Holds("::/0", "10.0.0.1"));
}

TEST(IpRangeTest, MappedRangesAreIpv4Ranges) {
  EXPECT_EQ(IpRange::Parse("::ffff:10.0.0.0/104")->ToString(), "10.0.0.0/8");
  EXPECT_EQ(IpRange::Parse("::ffff:0:0/96")->ToString(), "0.0.0.0/0");
  EXPECT_EQ(IpRange::Parse("::ffff:10.0.0.1")->ToString(), "10.0.0.1/32");
}

TEST(IpRangeTest, WritesItsPrefixLengthAlways) {
  EXPECT_EQ(IpRange::Parse("192.0.2.1")->ToString(), "192.0.2.1/32");
  EXPECT_EQ(IpRange::Parse("2001:DB8::/32")->ToString(), "2001:db8::/32");
  EXPECT_EQ(IpRange::Parse("::1")->ToString(), "::1/128");
}

TEST(IpRangeTest, WhatIsNotARangeIsRefused) {
  const std::vector<std::string> cases = {"",
                                          "/8",
                                          "10.0.0.0/",
                                          "10.0.0.0/33",
                                          "10.0.0.0/-1",
                                          "10.0.0.0/8/8",
                                          "10.0.0.0/08",
                                          "10.0.0.0/ 8",
                                          "10.0.0.1/8",
                                          "::/129",
                                          "2001:db8::1/32",
                                          "fe80::%eth0/64",
                                          "fe80::1%eth0",
                                          "::ffff:0.0.0.0/95",
                                          "10.0.0.0/0"};
  for (const std::string& text : cases) {
    const auto range = IpRange::Parse(text);
    EXPECT_EQ(ReasonOf(range.status()), reason::kAddressInvalid) << text;
    EXPECT_EQ(range.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace homeport
