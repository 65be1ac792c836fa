// For each planted bug the seeds that are kept because they find it.
#pragma once

#include <cstdint>

namespace homeport::sim {

struct Killer {
  const char* mutant;
  uint64_t seed;
};

inline constexpr Killer kKillers[] = {
    {"kAcknowledgeBeforeSync", 4},
    {"kAcknowledgeBeforeSync", 10},
    {"kPositionBeforeData", 1},
    {"kPositionBeforeData", 4},
    {"kPositionBeforeData", 6},
    {"kPositionNeverSaved", 1},
    {"kPositionNeverSaved", 2},
    {"kPositionNeverSaved", 4},
    {"kOriginReused", 1},
    {"kOriginReused", 2},
    {"kOriginReused", 4},
    {"kClockNotRecovered", 13},
    {"kClockNotMerged", 1},
    {"kClockNotMerged", 2},
    {"kClockNotMerged", 4},
    {"kNoTieBreak", 15},
    {"kDependenciesIgnored", 1},
    {"kDependenciesIgnored", 2},
    {"kDependenciesIgnored", 4},
    {"kChainEndsIgnored", 10},
    {"kResendRestamped", 1},
    {"kResendRestamped", 2},
    {"kResendRestamped", 4},
    {"kRetryNotRemembered", 1},
    {"kRetryNotRemembered", 2},
    {"kRetryNotRemembered", 3},
    {"kRetryNotReplicated", 1},
    {"kRetryNotReplicated", 2},
    {"kRetryNotReplicated", 3},
    {"kHalfBatchApplied", 1},
    {"kHalfBatchApplied", 2},
    {"kHalfBatchApplied", 3},
    {"kRelaySpreadsSkips", 9},
    {"kRelaySpreadsSkips", 12},
    {"kSkipPassesDependencies", 4},
    {"kSkipPassesDependencies", 10},
    {"kSenderIgnoresPolicy", 3},
    {"kSenderIgnoresPolicy", 4},
    {"kRetentionBelowPosition", 1},
    {"kRetentionBelowPosition", 4},
    {"kRetentionBelowPosition", 5},
    {"kMergeNotIdempotent", 1},
    {"kReseedReplaces", 20},
    {"kSeedRemovesNothing", 17},
    {"kDigestIgnoresDelete", 1},
    {"kDigestIgnoresDelete", 2},
    {"kDigestIgnoresDelete", 3},
    {"kCounterDeltaTwice", 1},
    {"kCounterDeltaTwice", 2},
    {"kCounterDeltaTwice", 3},
    {"kCounterDeleteUnseen", 1},
    {"kCounterDeleteUnseen", 2},
    {"kCounterDeleteUnseen", 3},
    {"kSetRemoveWins", 2},
    {"kSetRemoveWins", 3},
    {"kSetRemoveWins", 4},
    {"kTokenIgnored", 1},
    {"kTokenIgnored", 2},
    {"kTokenIgnored", 3},
    {"kReadForgetsDependency", 1},
    {"kReadForgetsDependency", 3},
    {"kReadForgetsDependency", 4},
    {"kOverwriteForgetsDependency", 1},
    {"kOverwriteForgetsDependency", 4},
    {"kWatermarkTooEarly", 1},
    {"kWatermarkTooEarly", 2},
    {"kWatermarkTooEarly", 3},
};

}  // namespace homeport::sim
