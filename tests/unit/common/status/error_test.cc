#include "common/status/error.h"

#include <string>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(ErrorTest, AnErrorCarriesItsReasonAndMetadata) {
  const absl::Status error = MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown,
                                       "no namespace \"users\"", {{"namespace", "users"}});
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(error.message(), "no namespace \"users\"");
  EXPECT_EQ(ReasonOf(error), "NAMESPACE_UNKNOWN");
  EXPECT_EQ(ErrorMetadataOf(error, "namespace"), "users");
  EXPECT_EQ(ErrorMetadataOf(error, "region"), std::nullopt);
}

TEST(ErrorTest, AFieldErrorNamesTheField) {
  const absl::Status error = FieldError("record.id", "is empty");
  EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(error.message(), "record.id: is empty");
  EXPECT_EQ(ReasonOf(error), reason::kFieldInvalid);
  EXPECT_EQ(ErrorMetadataOf(error, "field"), "record.id");
}

TEST(ErrorTest, ALimitErrorNamesFieldLimitAndActual) {
  const absl::Status error = LimitError("key", 1024, 1025, "bytes");
  EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(error.message(), "key: 1025 bytes is over the limit of 1024");
  EXPECT_EQ(ReasonOf(error), reason::kLimitExceeded);
  EXPECT_EQ(ErrorMetadataOf(error, "field"), "key");
  EXPECT_EQ(ErrorMetadataOf(error, "limit"), "1024");
  EXPECT_EQ(ErrorMetadataOf(error, "actual"), "1025");
}

TEST(ErrorTest, AStatusWithoutOursHasNoReason) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "");
  EXPECT_EQ(ErrorMetadataOf(absl::InternalError("x"), "field"), std::nullopt);
  absl::Status damaged = absl::InternalError("x");
  damaged.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord("\xFF"));
  EXPECT_EQ(ReasonOf(damaged), "");
}

TEST(ErrorTest, TheWireFormIsWhatStockClientsDecode) {
  const google::rpc::Status wire =
      ToRpcStatus(MakeError(absl::StatusCode::kFailedPrecondition, reason::kTokenForeign,
                            "another cluster", {{"cluster", "00ff"}}));
  EXPECT_EQ(wire.code(), 9);
  EXPECT_EQ(wire.message(), "another cluster");
  ASSERT_EQ(wire.details_size(), 1);
  EXPECT_EQ(wire.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(wire.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "TOKEN_FOREIGN");
  EXPECT_EQ(info.domain(), "homeport.dev");
  EXPECT_EQ(info.metadata().at("cluster"), "00ff");
}

TEST(ErrorTest, ThereAndBackKeepsAllAlsoUnknownDetails) {
  absl::Status error = MakeError(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown, "gone",
                                 {{"replica", "eu/a"}});
  error.SetPayload("type.googleapis.com/vendor.Thing", absl::Cord("bytes"));
  EXPECT_EQ(FromRpcStatus(ToRpcStatus(error)), error);
  EXPECT_EQ(FromRpcStatus(ToRpcStatus(absl::OkStatus())), absl::OkStatus());
}

}  // namespace
}  // namespace homeport
