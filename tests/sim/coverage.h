// Rare paths that a campaign must have taken, or it proves less than it seems to.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace homeport::sim {

// Every path that is marked: its name and the seeds of a campaign that have to take it.
#define HOMEPORT_SIM_PATHS(X)                                                          \
  X(kWriteOutcomeUnknown, "a write met a failing disk")                                \
  X(kRetryRecognized, "a retry got the answer of the first attempt")                   \
  X(kRetryElsewhere, "a retry was recognized by another replica")                      \
  X(kTokenWaited, "a session came to a replica that was behind")                       \
  X(kSessionRoamed, "a session was served in a second region")                         \
  X(kDependencyWaited, "an entry waited for what it depends on")                       \
  X(kClockRefused, "an entry waited for the clock")                                    \
  X(kConflict, "two writes met that did not know of each other")                       \
  X(kConflictJournaled, "a write that was overtaken went to the conflict journal")     \
  X(kConflictDropped, "a conflict was dropped from a full journal")                    \
  X(kConflictRestored, "a lost value was restored from the conflict journal")          \
  X(kRestoreRepeated, "a conflict was restored again, with the same answer")           \
  X(kDuplicate, "an entry came twice")                                                 \
  X(kSkipTaken, "an entry was left out for a region that may not hold it")             \
  X(kRelayed, "an entry came through a third replica")                                 \
  X(kSkipRelayed, "a skip came through a third replica")                               \
  X(kPowerCut, "a power cut")                                                          \
  X(kTornWrite, "a failed write was found on the disk")                                \
  X(kCrashInRecovery, "a start failed")                                                \
  X(kDiskWiped, "a replica came back with an empty disk")                              \
  X(kDiskRestored, "a replica came back with an old disk")                             \
  X(kOwnHistoryFetched, "a replica got back from its peers what its disk lost")        \
  X(kHistoryLost, "a session was told that what it saw went with a disk")              \
  X(kWritesLost, "acknowledged writes went with a disk")                               \
  X(kDiskFull, "a disk was full")                                                      \
  X(kReadFailed, "a disk could not be read")                                           \
  X(kPauseOutlived, "a replica stood still and came back")                             \
  X(kBacklog, "a commit met its bound of entries")                                     \
  X(kBigValue, "a value of more than 64 KiB")                                          \
  X(kCreditSpent, "a sender waited for credit")                                        \
  X(kLinkLostUnderWay, "a stream ended with messages under way")                       \
  X(kOriginWaited, "nobody who was connected gave the next entry of an origin")        \
  X(kStoodBy, "a replica left the pulling from afar to another of its region")         \
  X(kPullerReplaced, "a replica that stood by pulled again")                           \
  X(kClockSuspect, "a replica refused writes because its clock was ahead")             \
  X(kAcknowledgedByRegions, "a write was answered when other regions had it")          \
  X(kRepeated, "a link carried a message twice")                                       \
  X(kUnknownWasDone, "a retry found that the attempt nobody had answered was done")    \
  X(kUnknownWasNot, "a retry found that the attempt nobody had answered was not done") \
  X(kRepaired, "a comparison repaired a difference")                                   \
  X(kDeleteSeen, "a read met a deleted item")                                          \
  X(kExpiredSeen, "a read met an expired item")                                        \
  X(kLogTruncated, "entries that all members had left a log")                          \
  X(kLogTruncatedEarly, "entries left a log before all members had them")              \
  X(kSeeded, "a replica took a peer's records, as no log had what it lacked")          \
  X(kSeedInterrupted, "a stream ended in the middle of a seeding")                     \
  X(kCompared, "two replicas compared what they hold")                                 \
  X(kTombstoneCleaned, "a tombstone was removed")                                      \
  X(kExpiredCleaned, "an expired item was removed")                                    \
  X(kPruned, "a counter or a set forgot what was removed")                             \
  X(kOriginClosed, "an origin was closed")                                             \
  X(kFramesMixed, "a link ran between programs of two versions of its frames")         \
  X(kTopologiesDiffered, "a link ran between replicas of two topologies")              \
  X(kOwed, "a peer left out by another topology what a region may hold")               \
  X(kJoined, "a replica of a new region took writes")                                  \
  X(kRegionLeft, "a region left")                                                      \
  X(kOldDiskRefused, "a replica that had left was refused with its old disk")          \
  X(kNamespaceGiven, "a namespace was given to a region and seeded there")             \
  X(kNamespaceTaken, "a namespace was taken from a region")                            \
  X(kWriteToPartial, "a write was refused where its namespace was not whole")          \
  X(kSettled, "no tombstone and no closing was left in the end")                       \
  X(kDamageHidden, "a damaged replica was compared with before it could compare")

enum class Path {
#define HOMEPORT_SIM_PATH(name, what) name,
  HOMEPORT_SIM_PATHS(HOMEPORT_SIM_PATH)
#undef HOMEPORT_SIM_PATH
      kCount
};
inline constexpr int kPathCount = static_cast<int>(Path::kCount);

const char* PathName(int path);
const char* PathText(int path);

// How often a run took each path.
struct Coverage {
  std::array<uint32_t, kPathCount> hits{};
  void Covered(Path path) { ++hits[static_cast<int>(path)]; }
  bool Has(Path path) const { return hits[static_cast<int>(path)] > 0; }
};

}  // namespace homeport::sim
