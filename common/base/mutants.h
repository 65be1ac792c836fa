// Planted bugs, by which a test shows that it would find a real one.
//
// HP_MUTANT(kName) stands at the place of a promise and is the constant false, so that nothing of
// it is in what is shipped. Only where HOMEPORT_MUTANTS is defined (the libraries that the
// simulator is built from; tests/sim) it is true while that mutant is chosen.
//
//   if (!HP_MUTANT(kClockNotMerged)) clock_.Observe(time);
#pragma once

// Every mutant, with what is wrong with it.
#define HOMEPORT_MUTANT_LIST(X)                                                             \
  X(kAcknowledgeBeforeSync, "a commit returns before it is synced")                         \
  X(kPositionBeforeData, "a position is committed before the entries that it claims")       \
  X(kPositionNeverSaved, "positions of other origins are not stored")                       \
  X(kOriginReused, "a start goes on under the origin of the start before")                  \
  X(kClockNotRecovered, "a start does not look at the times on its disk")                   \
  X(kClockNotMerged, "applying an entry does not advance the clock")                        \
  X(kNoTieBreak, "of two versions the one that comes later wins a tie of timestamps")       \
  X(kTombstoneByTimer, "a tombstone goes after a while")                                    \
  X(kTombstoneByPositionsAlone, "a tombstone goes without asking the watermarks")           \
  X(kDependenciesIgnored, "an entry is applied before what it depends on")                  \
  X(kChainEndsIgnored, "a chain entry is applied before the origins that it covers")        \
  X(kGapAccepted, "an entry is taken although those before it are not here")                \
  X(kResendRestamped, "a relayed entry gets a new timestamp")                               \
  X(kRetryNotRemembered, "a request id is forgotten")                                       \
  X(kRetryNotReplicated, "an applied entry's request id is not remembered")                 \
  X(kHalfBatchApplied, "of an entry's changes the last is left out")                        \
  X(kRelaySpreadsSkips, "what was left out for a relay is left out for everyone behind it") \
  X(kSkipPassesDependencies, "a skip passes before what it depends on is applied")          \
  X(kSenderIgnoresPolicy, "a sender sends what the receiver's region may not hold")         \
  X(kRetentionBelowPosition, "the log is truncated beyond what members have applied")       \
  X(kMergeNotIdempotent, "the same change twice makes a difference")                        \
  X(kReseedReplaces, "seeding replaces what is here instead of merging")                    \
  X(kSeedRemovesNothing, "seeding leaves what the sender has deleted")                      \
  X(kSnapshotWithoutVector, "a seeded replica takes positions from after the snapshot")     \
  X(kDigestIgnoresDelete, "a delete does not change the digest")                            \
  X(kCounterDeltaTwice, "a counter adds an entry's share instead of taking the greater")    \
  X(kCounterDeleteUnseen, "deleting a counter also removes what the delete has not seen")   \
  X(kSetRemoveWins, "a removal from a set also removes additions that it has not seen")     \
  X(kClosedWithoutAllMembers, "an origin is closed before every member has answered")       \
  X(kRepairReplaces, "repairing a difference replaces an item instead of merging")          \
  X(kTokenNotNormalized, "a position past a covered end is hidden by the chain entry")      \
  X(kTokenIgnored, "a replica serves a session whose token it has not applied")             \
  X(kReadForgetsDependency, "a read adds nothing to the session's token")                   \
  X(kOverwriteForgetsDependency, "a write does not depend on the version that it replaces") \
  X(kFutureApplied, "an entry from too far in the future is applied")                       \
  X(kWatermarkTooEarly, "a watermark counts before its position is applied")                \
  X(kLeftReplicaWelcome, "a replica that left is taken back with its old disk")             \
  X(kOwedForgotten, "what a rollout owes a region is passed by as if it had been skipped")  \
  X(kJournalMissesConflict, "a write that was overtaken is not journalled")                 \
  X(kJournalUnbounded, "the conflict journal drops nothing to make room")                   \
  X(kRestoreNotNoted, "a restored conflict does not say so, and is restored again")         \
  X(kSeedForgetsKnown, "a seeding brings nothing of what the entries it jumps over knew")

namespace homeport {

enum class Mutant {
  kNone,
#define HOMEPORT_MUTANT_NAME(name, what) name,
  HOMEPORT_MUTANT_LIST(HOMEPORT_MUTANT_NAME)
#undef HOMEPORT_MUTANT_NAME
};

#ifdef HOMEPORT_MUTANTS
// The mutant that is chosen; of a process, which has one thread.
inline Mutant chosen_mutant = Mutant::kNone;
inline bool MutantChosen(Mutant mutant) { return chosen_mutant == mutant; }
#else
constexpr bool MutantChosen(Mutant) { return false; }
#endif

}  // namespace homeport

#define HP_MUTANT(name) (::homeport::MutantChosen(::homeport::Mutant::name))
