#include "client/node/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace homeport {
namespace {

using ::nlohmann::json;
using ::testing::IsEmpty;

std::string Written(const std::function<void()>& act) {
  RouteLibraryLogs();
  // As gRPC's own start would set it.
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

TEST(LibraryLogsTest, AnErrorOfGrpcIsOneWarningOfOurLog) {
  const json line =
      json::parse(Written([] { gpr_log("a/b.cc", 7, GPR_LOG_SEVERITY_ERROR, "no %s", "fd"); }));
  EXPECT_EQ(line.at("level"), "warning");
  EXPECT_EQ(line.at("library"), "grpc");
  EXPECT_EQ(line.at("source"), "a/b.cc:7");
  EXPECT_EQ(line.at("message"), "no fd");
}

TEST(LibraryLogsTest, WhatGrpcOnlyTellsIsDropped) {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
  EXPECT_THAT(Written([] {
                gpr_log(GPR_DEBUG, "a step");
                gpr_log(GPR_INFO, "a fact");
              }),
              IsEmpty());
}

TEST(LibraryLogsTest, AnErrorOfProtobufIsOneWarningOfOurLog) {
  const json line = json::parse(Written([] { GOOGLE_LOG(ERROR) << "two\nlines"; }));
  EXPECT_EQ(line.at("level"), "warning");
  EXPECT_EQ(line.at("library"), "protobuf");
  EXPECT_EQ(line.at("message"), "two\nlines");
}

TEST(LibraryLogsTest, WhatProtobufOnlyTellsIsDropped) {
  EXPECT_THAT(Written([] { GOOGLE_LOG(INFO) << "a fact"; }), IsEmpty());
}

}  // namespace
}  // namespace homeport
