#include "common/net/ip_address.h"

#include <string>
#include <vector>

#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

std::string Canonical(absl::string_view text) {
  const auto address = IpAddress::Parse(text);
  return address.ok() ? address->ToString() : "refused";
}

TEST(IpAddressTest, TextIsReadAndWrittenCanonically) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"8.8.4.4", "8.8.4.4"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8::A", "2001:db8::a"},
      {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one zero group is not shortened
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longest run is
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of two equal ones
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"64:ff9b::8.8.8.8", "64:ff9b::808:808"},
      {"fe80::1%eth0", "fe80::1"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(Canonical(text), want) << text;
}

TEST(IpAddressTest, MappedAddressesBecomeIpv4InEverySpelling) {
  for (const char* text : {"::ffff:8.8.8.8", "::FFFF:808:808", "0:0:0:0:0:ffff:0808:0808",
                           "0::ffff:8.8.8.8", "::ffff:8.8.8.8%eth0"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_TRUE(address->is_v4()) << text;
    EXPECT_EQ(*address, IpAddress::V4(0x08080808)) << text;
  }
  EXPECT_FALSE(IpAddress::Parse("::fffe:8.8.8.8")->is_v4());
  EXPECT_FALSE(IpAddress::Parse("::8.8.8.8")->is_v4());
}

TEST(IpAddressTest, WhatIsNotAnAddressIsRefused) {
  const std::vector<std::string> cases = {"",
                                          " ",
                                          "1",
                                          "1.2.3",
                                          "1.2.3.4.5",
                                          "1.2.3.",
                                          ".1.2.3",
                                          "1..2.3",
                                          "256.1.1.1",
                                          "1.2.3.256",
                                          "01.2.3.4",
                                          "1.2.3.04",
                                          "1.2.3.0x4",
                                          "+1.2.3.4",
                                          "-1.2.3.4",
                                          " 1.2.3.4",
                                          "1.2.3.4 ",
                                          "1.2.3.4:80",
                                          "1.2.3.4%eth0",
                                          "1.2.3.4/32",
                                          "1000.2.3.4",
                                          ":",
                                          ":::",
                                          "::1::",
                                          "1:2:3:4:5:6:7",
                                          "1:2:3:4:5:6:7:8:9",
                                          "1:2:3:4:5:6:7:8::",
                                          "::1:2:3:4:5:6:7:8",
                                          "1::2::3",
                                          "12345::",
                                          "g::1",
                                          "::1.2.3",
                                          "::1.2.3.4:5",
                                          "1.2.3.4::",
                                          "1:2:3:4:5:6:7:1.2.3.4",
                                          ":1:2:3:4:5:6:7",
                                          "1:2:3:4:5:6:7:",
                                          "[::1]",
                                          "fe80::1%",
                                          "localhost",
                                          std::string("1.2.3.4\0", 8)};
  for (const std::string& text : cases) {
    const auto address = IpAddress::Parse(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(ReasonOf(address.status()), reason::kAddressInvalid) << text;
  }
}

TEST(IpAddressTest, TextIsTakenUpToItsLimit) {
  const std::string head = "fe80::1%";
  EXPECT_EQ(Canonical(head + std::string(IpAddress::kTextBytesMax - head.size(), 'z')), "fe80::1");
  EXPECT_EQ(Canonical(head + std::string(IpAddress::kTextBytesMax - head.size() + 1, 'z')),
            "refused");
}

TEST(IpAddressTest, ErrorsQuoteTheTextBriefly) {
  const absl::Status status = IpAddress::Parse(std::string(1 << 20, 'x')).status();
  EXPECT_LT(status.message().size(), 200u);
  EXPECT_EQ(IpAddress::Parse("1.2.3\n").status().message(),
            "address \"1.2.3\\n\": not an IPv4 or IPv6 address");
}

TEST(IpAddressTest, LogsSeeNoWholeAddress) {
  EXPECT_EQ(IpAddress::Parse("203.0.113.77")->ToTruncatedString(), "203.0.113.0");
  EXPECT_EQ(IpAddress::Parse("2001:db8:1:2:3:4:5:6")->ToTruncatedString(), "2001:db8:1::");
}

TEST(IpAddressTest, BytesAreInNetworkOrder) {
  const IpAddress v4 = IpAddress::V4(0x01020304);
  EXPECT_EQ(v4.bytes()[12], 1);
  EXPECT_EQ(v4.bytes()[15], 4);
  EXPECT_EQ(v4.v4_number(), 0x01020304u);
  std::array<uint8_t, 16> bytes{};
  bytes[0] = 0x20;
  bytes[15] = 7;
  EXPECT_EQ(IpAddress::V6(bytes).ToString(), "2000::7");
  EXPECT_EQ(IpAddress().ToString(), "0.0.0.0");
}

}  // namespace
}  // namespace homeport
