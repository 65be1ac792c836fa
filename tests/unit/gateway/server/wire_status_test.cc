#include "gateway/server/rpc/wire_status.h"

#include <string>

#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(WireStatusTest, DetailsAreAGoogleRpcStatus) {
  const grpc::Status wire = ToGrpcStatus(LimitError("id", 512, 513, "bytes"));
  EXPECT_EQ(wire.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(wire.error_details()));
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), wire.error_message());
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(ErrorMetadataOf(FromRpcStatus(details), "actual"), "513");
}

TEST(WireStatusTest, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(WireStatusTest, MessagesAreMadePrintable) {
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("a\nb\x7f")).error_message(), "a b ");
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("gr\xc3\xbc\xc3\x9f")).error_message(),
            "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("gr\xfc")).error_message(), "gr?");
}

TEST(WireStatusTest, LongMessagesAreCutBetweenCharacters) {
  EXPECT_EQ(ToGrpcStatus(absl::InternalError(std::string(1024, 'x'))).error_message().size(), 1024);
  EXPECT_EQ(ToGrpcStatus(absl::InternalError(std::string(1025, 'x'))).error_message().size(), 1024);
  const std::string cut = std::string(1023, 'x') + "\xc3\xbc";
  EXPECT_EQ(ToGrpcStatus(absl::InternalError(cut)).error_message(), std::string(1023, 'x'));
}

}  // namespace
}  // namespace homeport
