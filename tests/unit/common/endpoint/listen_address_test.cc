#include "common/endpoint/listen_address.h"

#include <string>

#include "common/status/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

using ::testing::HasSubstr;

constexpr const char* kPublic[] = {"0.0.0.0:7001", "[::]:7001", "10.0.0.1:7001",
                                   "[2001:db8::1]:7001", "gateway.example.com:7001"};

TEST(CheckListenAddressTest, PlaintextListensOnLoopback) {
  for (const char* address : {"127.0.0.1:0", "[::1]:7001", "localhost:7001"}) {
    EXPECT_EQ(CheckListenAddress(address, false, false), absl::OkStatus()) << address;
  }
}

TEST(CheckListenAddressTest, PlaintextOnAPublicAddressIsRefusedByNameOfTheFlag) {
  for (const char* address : kPublic) {
    const absl::Status status = CheckListenAddress(address, false, false);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(status), reason::kAddressInvalid);
    EXPECT_THAT(std::string(status.message()), HasSubstr(address));
    EXPECT_THAT(std::string(status.message()), HasSubstr("--insecure-plaintext"));
  }
}

TEST(CheckListenAddressTest, TlsOrTheFlagAllowAPublicAddress) {
  for (const char* address : kPublic) {
    EXPECT_EQ(CheckListenAddress(address, true, false), absl::OkStatus());
    EXPECT_EQ(CheckListenAddress(address, false, true), absl::OkStatus());
  }
}

TEST(CheckListenAddressTest, WhatIsNoAddressIsRefusedWhateverTheFlags) {
  const absl::Status status = CheckListenAddress("0.0.0.0", true, true);
  EXPECT_EQ(ReasonOf(status), reason::kAddressInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has no port"));
}

}  // namespace
}  // namespace homeport
