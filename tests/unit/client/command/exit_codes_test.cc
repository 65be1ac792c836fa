#include "client/command/exit_codes.h"

#include "common/status/error.h"
#include "gtest/gtest.h"

namespace homeport {
namespace {

TEST(ExitCodesTest, AnUnansweredWriteIsUnknownAndAnUnansweredReadUnavailable) {
  for (const absl::Status& status :
       {absl::UnavailableError("gone"), absl::DeadlineExceededError("late"),
        absl::UnknownError("?"),
        MakeError(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown, "sent")}) {
    EXPECT_EQ(ExitCodeOf(status, CallKind::kWrite), kExitUnknown) << status;
    EXPECT_EQ(ExitCodeOf(status, CallKind::kRead), kExitUnavailable) << status;
  }
}

TEST(ExitCodesTest, AWriteThatNoRegionTookIsUnavailable) {
  EXPECT_EQ(ExitCodeOf(MakeError(absl::StatusCode::kUnavailable, reason::kNoRegion, "none"),
                       CallKind::kWrite),
            kExitUnavailable);
}

TEST(ExitCodesTest, ADefiniteErrorIsRefused) {
  EXPECT_EQ(ExitCodeOf(FieldError("id", "must not be empty"), CallKind::kWrite), kExitRefused);
  EXPECT_EQ(ExitCodeOf(MakeError(absl::StatusCode::kNotFound, reason::kNamespaceUnknown, "x"),
                       CallKind::kRead),
            kExitRefused);
}

TEST(ExitCodesTest, SuccessIsZeroAndOurOwnFaultsAreSix) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus(), CallKind::kWrite), kExitOk);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("x"), CallKind::kRead), kExitFailed);
}

}  // namespace
}  // namespace homeport
