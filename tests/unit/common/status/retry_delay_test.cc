#include "common/status/retry_delay.h"

#include <gtest/gtest.h>

#include "common/status/error.h"

namespace homeport {
namespace {

TEST(RetryDelayTest, TravelsWithAnErrorAndItsReason) {
  const absl::Status error = WithRetryDelay(
      MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded, "too much"),
      absl::Milliseconds(1250));
  const absl::Status received = FromRpcStatus(ToRpcStatus(error));
  EXPECT_EQ(RetryDelayOf(received), absl::Milliseconds(1250));
  EXPECT_EQ(ReasonOf(received), reason::kOverloaded);
}

TEST(RetryDelayTest, OkAndErrorsWithoutOneHaveNone) {
  EXPECT_EQ(WithRetryDelay(absl::OkStatus(), absl::Seconds(1)), absl::OkStatus());
  EXPECT_EQ(RetryDelayOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(RetryDelayOf(absl::InternalError("x")), std::nullopt);
}

}  // namespace
}  // namespace homeport
